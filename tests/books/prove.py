"""Shows that infra/audit.py finds what it is for: each recorded table agrees, and none does once something is changed.

    prove.py TABLE...
"""

import copy
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "infra"))
sys.dont_write_bytecode = True

from audit import audit  # noqa: E402


def spoilt(items):
    """The table spoilt in each way that must be found."""

    def edit(choose, change):
        other = copy.deepcopy(items)
        change(next(item for item in other if choose(item)), other)
        return other

    def more(name):
        return lambda item, _: item[name].update(N=str(int(item[name]["N"]) + 1))

    def is_in(prefix, sort):
        return lambda item: item["pk"]["S"].startswith(prefix) and item["sk"]["S"].startswith(sort)

    def leased(item):
        return item["sk"]["S"] == "cell" and item["l"]["M"]

    def settle(cell, other):
        charge = "chg_k" + cell["pk"]["S"][4:] + next(iter(cell["l"]["M"]))
        other.append({"pk": {"S": charge}, "sk": {"S": "settlement"}, "oc": {"S": "succeeded"}, "ac": {"N": "0"}})

    yield "an account's wallet with a micro-dollar more", edit(is_in("acc_", "wallet"), more("av"))
    yield "an entry that is gone", edit(is_in("acc_", "ent_"), lambda item, other: other.remove(item))
    yield "a project with a micro-dollar more available", edit(is_in("prj_", "wallet"), more("av"))
    yield "a project with a micro-dollar more allocated", edit(is_in("prj_", "wallet"), more("al"))
    yield "a cell that was granted a micro-dollar more", edit(is_in("key_", "cell"), more("gt"))
    yield "a cell with more than it was granted", edit(
        is_in("key_", "cell"), lambda item, _: item["bal"].update(N=str(int(item["gt"]["N"]) + 1))
    )
    yield "a cell that is gone with its money", edit(
        lambda item: item["sk"]["S"] == "cell" and item["gt"]["N"] != "0", lambda item, other: other.remove(item)
    )
    yield "a lease of a settled charge", edit(leased, settle)


def main(paths):
    for path in paths:
        items = json.loads(pathlib.Path(path).read_text())["items"]
        found = list(audit(items))
        assert not found, (path, found)
        for what, other in spoilt(items):
            assert list(audit(other)), f"{path}: {what} is not found"
    print(f"{len(paths)} recorded tables agree, and their spoilt copies do not")


main(sys.argv[1:])
