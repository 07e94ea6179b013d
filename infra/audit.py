#!/usr/bin/env python3
"""Checks the books of a whole table, as `aws dynamodb scan` prints it: every micro-dollar is in one place, and only one.

    aws dynamodb scan --table-name NAME --consistent-read --output json > table.json
    infra/audit.py table.json

Prints what was found and what differs, and ends with 1 where something does. It reads a table at rest: scan while the
authorizer's concurrency is 0. Needs Python 3 alone.

    account   wallet = credits + sign-up + returns - allocations, and as many entries as it counts
    project   allocated = allocations - returns of its account
              allocated = available + granted to its cells + grants and returns on their way
    cell      granted = balance + reserved + spent, and none of them is negative
    charge    what is settled is held by no lease
"""

import collections
import json
import sys

# A lease is one number: its end in seconds, then 16 digits of micro-dollars.
AMOUNTS = 10**16


def audit(items):
    """Every difference, in a sentence."""
    table = {(item["pk"]["S"], item["sk"]["S"]): plain({"M": item}) for item in items}
    entries, projects, cells = collections.defaultdict(list), {}, collections.defaultdict(list)
    for (pk, sk), item in table.items():
        if pk.startswith("acc_") and sk.startswith("ent_"):
            entries[pk].append(item)
        if pk.startswith("prj_") and sk == "wallet":
            projects[pk] = item
        if sk == "cell":
            cells["prj_" + item["prj"]].append(item)
    for (pk, sk), item in table.items():
        if pk.startswith("acc_") and sk == "wallet":
            yield from differences(pk, {
                "the wallet": (item["av"], sum(SIGNS[entry["kd"]] * entry["am"] for entry in entries[pk])),
                "entries": (item["ne"], len(entries[pk])),
            })
    for pk, wallet in projects.items():
        own = [entry for entry in entries["acc_" + wallet["acc"]] if "prj_" + entry.get("prj", "") == pk]
        yield from differences(pk, {
            "allocated, by entries": (wallet["al"], -sum(SIGNS[entry["kd"]] * entry["am"] for entry in own)),
            "allocated, by cells": (
                wallet["al"], wallet["av"] + sum(cell["gt"] + on_its_way(wallet, cell) for cell in cells[pk])
            ),
        })
    for project, own in cells.items():
        if project not in projects:
            yield f"{project} has cells and no wallet"
        for cell in own:
            yield from faults_of(cell, table)


def faults_of(cell, table):
    reserved = sum(lease % AMOUNTS for lease in cell["l"].values())
    spent = cell["gt"] - cell["bal"] - reserved
    if cell["bal"] < 0 or spent < 0:
        yield f"{cell['pk']}: granted {cell['gt']}, balance {cell['bal']}, reserved {reserved}: spent {spent}"
    if "bc" in cell and cell["gt"] > cell["bc"]:
        yield f"{cell['pk']}: granted {cell['gt']} of a budget of {cell['bc']}"
    prefix = "chg_" + {"key": "k", "ssn": "s"}[cell["pk"][:3]] + cell["pk"][4:]
    for nonce in [*cell["l"], *cell["x"]]:
        if (prefix + nonce, "settlement") in table:
            yield f"{prefix}{nonce}: settled, and its lease still stands; the backend's next report ends it"


def on_its_way(wallet, cell):
    """Money that has left one of the two and has not come to the other: whoever comes next finishes that."""
    # Once entries are removed from a wallet, its maps have other names, and the cell says what has arrived.
    numbers, grants, returns = ("hs", "ha", "hr") if "sw" in wallet else ("gs", "ga", "rr")
    child, amount = cell["pk"], 0
    if wallet[numbers].get(child, 0) > cell["gs"]:
        amount += int(wallet[grants][child].split()[0])
    if cell.get("rs", 0) > max(wallet[returns].get(child, 0), cell.get("rk", 0)):
        amount += cell["ra"]
    return amount


def differences(whose, pairs):
    for what, (stands, wanted) in pairs.items():
        if stands != wanted:
            yield f"{whose}: {what}: {stands} stands there, {wanted} is what the rest comes to"


def plain(value):
    kind, inside = next(iter(value.items()))
    if kind == "M":
        return {name: plain(part) for name, part in inside.items()}
    return int(inside) if kind == "N" else inside


# What an entry does to its account's wallet.
SIGNS = {"sign_up": 1, "credit": 1, "return": 1, "allocation": -1, "refund": -1, "refund_reversed": 1}


def main(paths):
    found = []
    for path in paths:
        with open(path) as file:
            whole = json.load(file)
        items = whole["Items"] if "Items" in whole else whole["items"]
        found += audit(items)
        spent = [item for item in items if item["sk"]["S"] == "cell"]
        print(f"{path}: {len(items)} items, {len(spent)} cells")
    if found:
        sys.exit("\n".join(found))
    print("the books agree")


if __name__ == "__main__":
    main(sys.argv[1:])
