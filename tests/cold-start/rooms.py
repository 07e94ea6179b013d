"""Where the instructions of a warm decision go, and how long it keeps a processor busy.

    rooms.py [--answers 100] [--seconds 3] --gate FAREGATE BINARY

BINARY is the authorizer with its symbols (docs/performance.md says how it is built). callgrind counts what each function
carries out for one answer and for some more; the difference is that of a warm one. valgrind knows no instructions for
SHA-256, so that the same in software is counted. Then the binary runs without it, and Linux says how long it was on a
processor for each answer.
"""

import argparse
import collections
import pathlib
import re
import subprocess
import tempfile
import time

from measure import Gate, watched

PATIENCE_S = 300
# Whose code a function is, by the first crate that its name has; the first that fits.
ROOMS = [
    ("allocator", r"^(_int_|malloc|free|realloc|calloc|unlink_chunk|__rust_|__rustc)|RawVec|alloc::alloc|sysmalloc"),
    ("moving and comparing bytes", r"^__?mem|^mem(cpy|move|cmp|set)"),
    ("signing: SigV4, SHA-256", r"aws_sigv4|sha2|hmac|digest|hybrid_array|hex::"),
    ("this repository", r"faregate_|^authorizer"),
    ("the SDK", r"aws_"),
    ("HTTP", r"hyper|http|tower|h2::|want::"),
    ("the runtime of Lambda", r"lambda_"),
    ("JSON of event and answer", r"serde"),
    ("tokio, tracing", r"tokio|tracing|futures"),
]
# What is called from where, with all that it calls.
FRAMES = [
    ("a warm answer", r"^\(below main\)$"),
    ("the store's write, SDK and connection included", r"^faregate_store::client::Store::update_once"),
    ("… signing it", r"SigV4Signer as .*::sign_http_request$"),
    ("… writing it as JSON", r"UpdateItemRequestSerializer as .*::serialize_input$"),
    ("… reading the answer's JSON", r"UpdateItemResponseDeserializer as .*::deserialize_nonstreaming"),
    ("the caller, before the write", r"Gate>?::prepare::"),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--gate", required=True)
    parser.add_argument("binary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Gate(options.gate, folder) as gate:
        own, inclusive = (collections.Counter() for _ in range(2))
        for sign, answers in ((-1, 1), (1, 1 + options.answers)):
            file = pathlib.Path(folder, "callgrind")
            valgrind = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={file}"]
            ask_all = lambda ask, _: [ask(number) for number in range(answers)]
            watched("authorizer", [*valgrind, options.binary], gate, PATIENCE_S, ask_all)
            add(own, file, sign / options.answers)
            add(inclusive, file, sign / options.answers, "--inclusive=yes")
        print_rooms(own)
        print_frames(inclusive)
        timed = lambda ask, process: print_time(ask, process, options.seconds)
        watched("authorizer", [options.binary], gate, PATIENCE_S, timed)


def add(counts, file, factor, *more):
    annotate = ["callgrind_annotate", "--threshold=100", *more, file]
    told = subprocess.run(annotate, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    seen = collections.Counter()
    for line in told.splitlines():
        if found := re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+\S+?:(.*?)(?: \[.*\])?$", line):
            number, name = int(found[1].replace(",", "")), found[2]
            # A function stands there once for each file that parts of it come from; with all that it calls, once is all.
            seen[name] = max(seen[name], number) if more else seen[name] + number
    for name, number in seen.items():
        counts[name] += number * factor


def print_rooms(counts):
    rooms, total = collections.Counter(), sum(counts.values())
    for name, number in counts.items():
        rooms[next((room for room, pattern in ROOMS if re.search(pattern, name)), "the standard library and others")] += number
    print("| whose code | thousands of instructions | |\n|---|---:|---:|")
    for room, number in rooms.most_common():
        print(f"| {room} | {number / 1000:,.0f} | {100 * number / total:.1f} % |")
    print(f"| **all** | **{total / 1000:,.0f}** | |\n")


def print_frames(counts):
    print("| with all that it calls | thousands of instructions |\n|---|---:|")
    for what, pattern in FRAMES:
        # Of a chain of closures the outermost.
        number = max((number for name, number in counts.items() if re.search(pattern, name)), default=0)
        print(f"| {what} | {number / 1000:,.0f} |")


def print_time(ask, process, seconds):
    on_processor = lambda: int(pathlib.Path(f"/proc/{process.pid}/schedstat").read_text().split()[0])
    for number in range(200):
        ask(number)
    answers, end, before = 0, time.monotonic() + seconds, on_processor()
    while time.monotonic() < end:
        ask(answers)
        answers += 1
    print(f"\n{(on_processor() - before) / answers / 1000:.0f} µs on a processor for each of {answers} warm answers")


if __name__ == "__main__":
    main()
