"""How long each function takes to start, to answer first and to answer again, how much memory it holds, how large it is.

    measure.py [--runs 20] [--warm 200] [--tls] --gate FAREGATE NAME=BINARY ... [--peer NAME=COMMAND ...]

Starts the gate's local program for its table, secrets and demo key. Then starts each binary, as often as asked, under a
Runtime API of its own (runtime_api.py): `init` ends with its first poll, `first` and `warm` are answers to an event. Times
are of this machine, against a store on this machine; they say how versions and languages compare, not what AWS takes.
With `--tls` the store is reached through a door that speaks TLS (tls_door.py), as AWS's does.
"""

import argparse
import os
import pathlib
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from runtime_api import RuntimeApi
from tls_door import TlsDoor

EVENTS = pathlib.Path(__file__).parent.parent / "events"
# Which event each function is asked, and what of the answer shows that it did its work.
ASKED = {
    "authorizer": ("authorizer.json", '"Effect":"Allow"'),
    "nonce": ("nonce.json", '"statusCode":200'),
    "verify": ("verify.json", '"statusCode":200'),
    "keys": ("keys.json", '"statusCode":200'),
    "charges": ("charges.json", '"statusCode":403'),
    "billing": ("billing.json", '"statusCode":200'),
    "payments": ("payments.json", '"statusCode":403'),
    "sessions": ("sessions.json", '"statusCode":403'),
    "requests": ("requests.json", '"statusCode":403'),
    "check": ("check.json", '"statusCode":403'),
}


def main():
    options = parse()
    with tempfile.TemporaryDirectory() as folder, Gate(options.gate, folder, options.tls) as gate:
        rows = []
        for name, command in options.measured:
            rows.append(measure(name, command, gate, options))
        table(rows, options)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--warm", type=int, default=200)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--gate", required=True)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("binaries", nargs="+", metavar="NAME=BINARY")
    options = parser.parse_args()
    split = lambda text: text.split("=", 1)
    options.measured = [(name, [path]) for name, path in map(split, options.binaries)]
    options.measured += [(name, shlex.split(command)) for name, command in map(split, options.peer)]
    return options


class Gate:
    """The local program: a table with a demo key in it."""

    def __init__(self, program, folder, has_tls=False):
        self.folder = folder
        port = free_port()
        self.door = TlsDoor(folder, port) if has_tls else None
        self.dynamodb = self.door.address if has_tls else "http://127.0.0.1:%d" % port
        self.log = open(os.path.join(folder, "gate.log"), "w+")
        # The demo key must not run into a limit while it is measured.
        policy = (EVENTS.parents[1] / "infra/policies/default.yaml").read_text()
        policy = re.sub(r"per_minute: 1\d+, per_day: 1\d+,", "per_minute: 1000000, per_day: 1000000000,", policy)
        file = pathlib.Path(folder, "policy.yaml")
        file.write_text(policy)
        self.process = subprocess.Popen(
            [program, "--listen", "127.0.0.1:0", "--data", os.path.join(folder, "data"),
             "--dynamodb", "127.0.0.1:%d" % port, "--policy", str(file)],
            stdout=self.log, stderr=subprocess.STDOUT,
        )

    def __enter__(self):
        for _ in range(200):
            self.log.seek(0)
            text = self.log.read()
            if found := re.search(r"sk_test_[0-9A-Za-z]{55}", text):
                self.key = found[0]
                return self
            if self.process.poll() is not None:
                sys.exit(text)
            time.sleep(0.1)
        sys.exit("the gate shows no demo key:\n" + text)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()
        if self.door:
            self.door.close()

    def environment(self, runtime_api):
        return {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_RUNTIME_API": runtime_api,
            "AWS_LAMBDA_FUNCTION_NAME": "measured",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb,
            "FAREGATE_TABLE": "faregate",
            "FAREGATE_ORIGIN": "http://127.0.0.1:8080",
            "FAREGATE_SECRETS": "file:" + os.path.join(self.folder, "data", "secrets.json"),
            **(self.door.trust if self.door else {}),
        }


def measure(name, command, gate, options):
    file, proof = ASKED.get(name, ASKED["authorizer"])
    event = (EVENTS / file).read_text().replace("$KEY", gate.key).encode()
    init, first, warm, resident = [], [], [], []
    for run in range(options.runs + 1):
        api = RuntimeApi()
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=gate.environment(api.address), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        try:
            if not api.polled.wait(20) or api.failed:
                sys.exit(f"{name} does not start: {api.failed or process.stderr.read1(4096)}")
            took = [api.polled_at - began]
            for number in range(1 + (options.warm if run == options.runs else 20)):
                # A network may ask for so many nonces and no more.
                is_success, body, seconds = api.invoke(event.replace(b"203.0.113.7", b"10.0.%d.%d" % (run, number % 250)))
                if not is_success or proof not in body.decode().replace('": ', '":'):
                    sys.exit(f"{name} answers {body[:400]}")
                took.append(seconds)
            memory = peak_kilobytes(process.pid)
        finally:
            process.kill()
            process.wait()
            api.close()
        # The first run fills the file cache; the last one shows warm answers.
        if run:
            init.append(took[0])
            first.append(took[1])
            resident.append(memory)
        warm = took[2:]
    size = os.path.getsize(command[0]) if name in ASKED else None
    return name, init, first, warm, statistics.median(resident), size


def watched(name, command, gate, patience, work):
    """Starts a function under a program that watches it, lets `work` ask it by number, and says what that program said."""
    file, proof = ASKED.get(name, ASKED["authorizer"])
    event = (EVENTS / file).read_text().replace("$KEY", gate.key).encode()
    api = RuntimeApi()
    process = subprocess.Popen(
        command, env=gate.environment(api.address), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )

    def ask(number):
        # A network may ask for so many nonces and no more.
        asked = event.replace(b"203.0.113.7", b"10.1.0.%d" % (number % 250))
        is_success, body, _ = api.invoke(asked, timeout=patience)
        if not is_success or proof not in body.decode().replace('": ', '":'):
            raise RuntimeError(f"{name} answers {body[:400]}")

    try:
        if not api.polled.wait(patience) or api.failed:
            raise RuntimeError(f"{name} does not start: {api.failed}")
        work(ask, process)
    finally:
        process.terminate()
        told = process.communicate()[1]
        api.close()
    return told


def peak_kilobytes(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError("no VmHWM")


def table(rows, options):
    print(f"{options.runs} starts, {options.warm} warm answers; milliseconds, median / 99th percentile\n")
    print("| | init | first answer | warm answer | peak memory, MB | stripped, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    shown = lambda values: f"{1000 * statistics.median(values):.1f} / {1000 * percentile(values, 99):.1f}"
    for name, init, first, warm, memory, size in rows:
        megabytes = f"{size / 1e6:.2f}" if size else ""
        print(f"| {name} | {shown(init)} | {shown(first)} | {shown(warm)} | {memory / 1000:.1f} | {megabytes} |")
    own = next((row for row in rows if row[0] == "authorizer"), None)
    peers = [row for row in rows if row[0] not in ASKED]
    if own and peers:
        print("\n| beside the authorizer | init | first answer | init and first answer | warm answer | peak memory |")
        print("|---|---:|---:|---:|---:|---:|")
        median = statistics.median
        whole = lambda row: median(one + two for one, two in zip(row[1], row[2]))
        for row in peers:
            ratios = [median(row[1]) / median(own[1]), median(row[2]) / median(own[2]), whole(row) / whole(own),
                      median(row[3]) / median(own[3]), row[4] / own[4]]
            print(f"| {row[0]} | " + " | ".join(f"{ratio:.1f} ×" for ratio in ratios) + " |")


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part / 100))]


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
