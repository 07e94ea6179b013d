"""How many instructions each binary carries out until its first poll, for its first answer and for each one after it.

    instructions.py [--warm 50] [--tls] --gate FAREGATE NAME=BINARY ...

Counted by valgrind's callgrind, in thousands. Unlike a time, a count does not depend on what else the machine does: it shows
what a change of a build option costs. Beside each count stands the size of the binary.
"""

import argparse
import os
import re
import tempfile

from measure import Gate, watched

# Under valgrind everything takes fifty times as long.
PATIENCE_S = 300


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warm", type=int, default=50)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--gate", required=True)
    parser.add_argument("binaries", nargs="+", metavar="NAME=BINARY")
    options = parser.parse_args()
    print("| | bytes | init | first answer | warm answer |")
    print("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder, Gate(options.gate, folder, options.tls) as gate:
        for name, binary in (text.split("=", 1) for text in options.binaries):
            init = count(name, binary, gate, 0)
            first = count(name, binary, gate, 1)
            warm = count(name, binary, gate, 1 + options.warm)
            counts = (init, first - init, (warm - first) / options.warm)
            shown = " | ".join(f"{round(value / 1000):,}" for value in counts)
            print(f"| {name} | {os.path.getsize(binary):,} | {shown} |", flush=True)


def count(name, binary, gate, answers):
    """The instructions of one process that gives so many answers."""
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary]
    told = watched(name, valgrind, gate, PATIENCE_S, lambda ask, _: [ask(number) for number in range(answers)])
    if not (found := re.search(r"Collected : (\d+)", told)):
        raise RuntimeError(f"valgrind says {told}")
    return int(found[1])


if __name__ == "__main__":
    main()
