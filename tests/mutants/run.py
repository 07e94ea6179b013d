"""Every mutant of domain and store against every test that comes past it, from one build.

    run.py --weaver PROGRAM --list mutants.json --tree FOLDER [--jobs 2] [--seconds 45]

FOLDER is a copy of the tree, which is rewritten. First the tests of the mutated crate itself, then those of the other crates and
of tests/, the shortest first, for at most so many seconds of tests for each mutant. Prints what is left and not in `explained`."""

import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CRATES = ("domain", "store")
# What every place asks. It writes down, where it is told to, that somebody came past.
ASK = """
#[doc(hidden)]
pub fn __mutant(place: u32) -> u32 {
    use std::{io::Write, sync::{OnceLock, atomic::{AtomicBool, Ordering}}};
    static ASKED: OnceLock<(u32, Option<std::fs::File>)> = OnceLock::new();
    static SEEN: [AtomicBool; 16384] = [const { AtomicBool::new(false) }; 16384];
    let (mutant, places) = ASKED.get_or_init(|| {
        let mutant = std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let open = |path| std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        (mutant, std::env::var("MUTANT_PLACES").ok().map(open))
    });
    if let Some(mut file) = places.as_ref() {
        if !SEEN[usize::try_from(place).unwrap()].swap(true, Ordering::Relaxed) {
            file.write_all(format!("{place}\\n").as_bytes()).unwrap();
        }
    }
    *mutant
}
"""
LINTS = '\n[workspace.lints.rust]\nwarnings = "allow"\narithmetic_overflow = "allow"\nunconditional_panic = "allow"\n'
# Of tests that cannot tell mutants apart, or take minutes.
LEFT_OUT = {"house", "model", "simulation", "faregate_tests", "faregate_peers"}


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--weaver", required=True)
    options.add_argument("--list", required=True)
    options.add_argument("--tree", required=True, type=pathlib.Path)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--seconds", type=float, default=45)
    options = options.parse_args()
    mutants = dict(enumerate(json.loads(pathlib.Path(options.list).read_text()), start=1))
    places = weave(options)
    binaries = build(options.tree)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        passing = come_past(pool, binaries)
        outcome = dict(pool.map(lambda it: (it, judge(options, it, mutants[it], places[it], passing)), places))
    report(mutants, outcome)


def weave(options):
    """Leaves out, round by round, whatever does not compile: cargo-mutants calls it unviable."""
    without = set()
    originals = {path: path.read_text() for crate in CRATES for path in (options.tree / "shared" / crate / "src").rglob("*.rs")}
    manifest = options.tree / "Cargo.toml"
    manifest.write_text(re.sub(r"(?ms)^\[workspace\.lints\.\w+\]\n.*?(?=^\[|\Z)", "", manifest.read_text()) + LINTS)
    while True:
        for path, text in originals.items():
            path.write_text(text)
        with tempfile.NamedTemporaryFile("w", suffix=".without") as file:
            file.write("\n".join(map(str, without)))
            file.flush()
            command = [options.weaver, options.list, options.tree, file.name]
            woven = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        for crate in CRATES:
            with (options.tree / "shared" / crate / "src/lib.rs").open("a") as file:
                file.write(ASK)
        unviable = blame(options.tree, cargo(options.tree, "check", "--workspace", "--all-targets")) - without
        if not unviable:
            return dict(tuple(map(int, line.split())) for line in woven.splitlines())
        without |= unviable


def cargo(tree, *arguments):
    command = ["cargo", *arguments, "--locked", "--message-format", "json"]
    output = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def blame(tree, messages):
    blamed = set()
    for message in messages:
        message = message.get("message") or {}
        if not isinstance(message, dict) or message.get("level") != "error":
            continue
        for span in message["spans"]:
            if not span["is_primary"]:
                continue
            text = (tree / span["file_name"]).read_bytes()
            before = text[: span["byte_start"] + 1].decode(errors="replace")
            after = text[span["byte_start"]:][:2500].decode(errors="replace")
            if (message["code"] or {}).get("code") == "E0004":
                # Arms that are guarded by whether they are deleted do not exhaust a match.
                found = re.findall(r"if crate::__mutant\((\d+)\) != ", after)[:6]
            else:
                found = ["".join(it) for it in re.findall(r"__mutant\((\d+)\)|(\d+) => ", before)[-1:]]
            if not found:
                sys.exit(message["rendered"])
            blamed.update(map(int, found))
    return blamed


def build(tree):
    """The test binaries: name, program and folder to run it in."""
    found = []
    for message in cargo(tree, "test", "--workspace", "--no-run"):
        if message["reason"] == "build-finished" and not message["success"]:
            sys.exit("the woven tree does not build")
        if message["reason"] == "compiler-artifact" and message["executable"]:
            target = message["target"]
            if target["kind"][0] in ("lib", "test") and target["name"] not in LEFT_OUT:
                found.append((target["name"], message["executable"], pathlib.Path(message["manifest_path"]).parent))
    return found


def come_past(pool, binaries):
    """By place, the tests that come past it: their seconds, the binary and their name."""
    tests = []
    for binary in binaries:
        command = [binary[1], "--list", "--format", "terse"]
        listed = subprocess.run(command, cwd=binary[2], check=True, stdout=subprocess.PIPE, text=True).stdout
        tests += [(binary, line[: -len(": test")]) for line in listed.splitlines() if line.endswith(": test")]
    passing = collections.defaultdict(list)
    for (binary, test), (seconds, places) in zip(tests, pool.map(lambda it: visited(*it), tests)):
        for place in places:
            passing[place].append((seconds, binary, test))
    return passing


def visited(binary, test):
    with tempfile.NamedTemporaryFile("r", suffix=".places") as file:
        start = time.monotonic()
        if run(binary, [test], 120, MUTANT_PLACES=file.name) != "passed":
            sys.exit(f"{test} fails without any mutant")
        return time.monotonic() - start, set(map(int, file.read().split()))


def run(binary, tests, seconds, **variables):
    command = [binary[1], "--exact", "--quiet", *tests]
    environment = {**os.environ, "PROPTEST_CASES": "64", "RUST_BACKTRACE": "0", **variables}
    try:
        done = subprocess.run(command, cwd=binary[2], env=environment, timeout=seconds,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "timeout"
    return "passed" if done.returncode == 0 else "caught"


def judge(options, number, mutant, place, passing):
    own_name = mutant["package"].replace("-", "_")
    tests = sorted(passing[place], key=lambda it: it[0])
    own = [test for _, binary, test in tests if binary[0] == own_name]
    if own and run(next(it[1] for it in tests if it[1][0] == own_name), own, 60, MUTANT=str(number)) != "passed":
        return "own"
    others, spent = [it for it in tests if it[1][0] != own_name], 0
    for seconds, binary, test in others:
        if spent > options.seconds:
            return "survives"
        if run(binary, [test], 60, MUTANT=str(number)) != "passed":
            return "others"
        spent += seconds
    return "survives" if tests else "unreached"


def report(mutants, outcome):
    lines = (HERE / "explained").read_text().splitlines()
    explained = collections.Counter(line.split(" — ")[0] for line in lines if " — " in line)
    print("| crate | mutants | woven | its own tests | other tests | explained | left |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    left = []
    for crate in CRATES:
        mine = [number for number, mutant in mutants.items() if mutant["package"] == f"faregate-{crate}"]
        counts = collections.Counter()
        for number in mine:
            result = outcome.get(number, "not woven")
            if result in ("survives", "unreached"):
                name = re.sub(r":\d+:\d+:", "", mutants[number]["name"])
                result = "explained" if explained[name] > 0 else "left"
                explained[name] -= 1
                if result == "left":
                    left.append(f"{mutants[number]['name']} ({outcome[number]})")
            counts[result] += 1
        woven = len(mine) - counts["not woven"]
        print(f"| {crate} | {len(mine)} | {woven} | {counts['own']} | {counts['others']} | {counts['explained']} | {counts['left']} |")
    print(*left, sep="\n")


main()
