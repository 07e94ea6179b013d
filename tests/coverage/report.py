"""Lines and branches that the tests run, of each crate; and on the way of a decision, each line that none of them runs.

    cargo test --no-run --message-format json … | report.py --cov llvm-cov-19 --profile all.profdata

Standard input names the binaries, as cargo does. Tests in the crates themselves are not counted."""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TESTS = re.compile(r"(^|/)tests(\.rs$|/)")
INLINE_TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod \w+ \{", re.MULTILINE)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--cov", required=True)
    options.add_argument("--profile", required=True)
    options = options.parse_args()
    found = read(export(options, binaries(sys.stdin)))
    crates = collections.defaultdict(lambda: [0, 0, 0, 0])
    for path, (lines, branches) in found.items():
        sums = crates["/".join(path.parts[:2])]
        sums[0] += sum(map(bool, lines.values()))
        sums[1] += len(lines)
        sums[2] += sum(map(bool, branches.values()))
        sums[3] += len(branches)
    print("| crate | lines | of | | branches | of | |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, sums in [*sorted(crates.items()), ("all", [sum(column) for column in zip(*crates.values())])]:
        ran, lines, taken, branches = sums
        print(f"| {name} | {ran} | {lines} | {share(ran, lines)} | {taken} | {branches} | {share(taken, branches)} |")
    print()
    way = hot_path()
    ran = [bool(count) for path in way for count in found[path][0].values()]
    taken = [bool(count) for path in way for count in found[path][1].values()]
    print(f"On the way of a decision ({len(way)} files): {sum(ran)} of {len(ran)} lines, {share(sum(ran), len(ran))}, "
          f"{sum(taken)} of {len(taken)} branches, {share(sum(taken), len(taken))}. Not run:")
    for path in way:
        text = (ROOT / path).read_text().splitlines()
        for line, count in sorted(found[path][0].items()):
            if not count:
                print(f"{path}:{line}: {text[line - 1].strip()}")


def share(some, of):
    return f"{100 * some / of:.1f} %" if of else ""


def binaries(messages):
    for message in map(json.loads, messages):
        if message["reason"] == "compiler-artifact" and message["executable"]:
            yield message["executable"]


def export(options, binaries):
    objects = [argument for binary in binaries for argument in ("--object", binary)]
    command = [options.cov, "export", "--format=lcov", "--skip-functions", f"--instr-profile={options.profile}", *objects]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def read(report):
    """Counts by line, and by each way out of each branch, of each file of the crates that is no test."""
    found = {}
    for entry in report:
        kind, _, rest = entry.partition(":")
        if kind == "SF":
            path = pathlib.Path(rest)
            path = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
            mine = path.parts[0] in ("functions", "shared", "infra") and not TESTS.search(str(path))
            lines, branches = found.setdefault(path, ({}, {})) if mine else ({}, {})
            end = tests_begin(ROOT / path) if mine else 0
        elif kind == "DA":
            line, count = map(int, rest.split(",")[:2])
            if line < end:
                lines[line] = lines.get(line, 0) + count
        elif kind == "BRDA":
            line, block, branch, count = rest.split(",")
            if int(line) < end:
                place = int(line), block, branch
                branches[place] = branches.get(place, 0) + (0 if count == "-" else int(count))
    return found


def tests_begin(path):
    text = path.read_text()
    tests = INLINE_TESTS.search(text)
    return text.count("\n", 0, tests.start()) + 1 if tests else sys.maxsize


def hot_path():
    """The files that the authorizer may go through between an event and its answer, tests/coverage/hot-path."""
    names = (HERE / "hot-path").read_text().split()
    files = [path.relative_to(ROOT) for name in names for path in sorted(ROOT.glob(name))]
    missing = [name for name in names if not list(ROOT.glob(name))]
    if missing:
        sys.exit(f"tests/coverage/hot-path names what is not there: {missing}")
    return [path for path in files if not TESTS.search(str(path))]


main()
