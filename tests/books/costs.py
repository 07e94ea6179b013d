"""Does the sums of docs/operations.md again: each row's arithmetic must come to the dollars beside it.

    costs.py DOCUMENT
"""

import decimal
import pathlib
import re
import sys

NUMBER = re.compile(r"[0-9]+(?:\\.[0-9]+)?")


def main(path):
    section = pathlib.Path(path).read_text().split("## What it costs")[1].split("\n## ")[0]
    prices, sums, faults = {}, 0, []
    for row in re.findall(r"^\|(.+)\|$", section, re.MULTILINE):
        cells = [cell.strip().strip("*") for cell in row.split("|")]
        unit = re.match(r"([a-z]+): ", cells[0])
        if len(cells) == 2 and unit:
            prices[unit[1]] = decimal.Decimal(cells[1])
        if len(cells) == 3 and NUMBER.match(cells[1]):
            sums += 1
            total = sum(term(text, prices) for text in cells[1].split(" + "))
            if round(total, 2) != decimal.Decimal(cells[2]):
                faults.append(f"{cells[0]}: {cells[1]} is {total}, not {cells[2]}")
    if sums < 15 or len(prices) < 7:
        faults.append(f"only {sums} sums and {len(prices)} prices were found")
    if faults:
        sys.exit("\n".join(faults))
    print(f"{sums} sums come to what {path} says")


def term(text, prices):
    """`1.02 write`, or numbers with a sign of multiplication between them."""
    product = decimal.Decimal(1)
    for factor in text.split(" × "):
        number, _, unit = factor.partition(" ")
        product *= decimal.Decimal(number) * (prices[unit] if unit else 1)
    return product


main(*sys.argv[1:])
