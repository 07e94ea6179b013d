"""Starts each peer, gives all of them the same work, and prints one table: README.md beside this file.

    run.py --binaries FOLDER [--cache FOLDER] [--out FOLDER] [--seconds 3] [PEER ...]
"""

import argparse
import datetime
import importlib.util
import json
import pathlib
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import machine
import table
import trials
from driver import Counter, Driver
from peer import run
from stores import STORES

FOLDER = pathlib.Path(__file__).parent
ORDER = ("faregate", "baseline", "better-auth", "zae-limiter", "rate-limiter-flexible", "litellm", "envoy")


class Harness:
    def __init__(self, options, scratch):
        self.binaries, self.scratch = pathlib.Path(options.binaries), pathlib.Path(scratch)
        self.cache = pathlib.Path(options.cache)
        self.npm_cache = self.cache / "npm"
        self.revision = run(["git", "describe", "--always", "--dirty"], cwd=FOLDER).strip()
        self.seconds = options.seconds

    def installed(self, folder):
        return self.cache / "peers" / folder

    def folder_of(self, folder):
        self.installed(folder).mkdir(parents=True, exist_ok=True)


def main():
    options = parse()
    known = {}
    for folder in ORDER:
        if (FOLDER / folder / "subject.py").exists():
            known |= load(folder).PEERS
    unknown = set(options.peers) - set(known)
    if unknown:
        sys.exit(f"no peer is called {', '.join(unknown)}; there are {', '.join(known)}")
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    found = {"date": datetime.date.today().isoformat(), "machine": machine.description(), "seconds": options.seconds,
             "peers": {}}
    # Every store is in memory: the embedded DynamoDB by itself, the others' files by where they are.
    with tempfile.TemporaryDirectory(prefix="peers-", dir="/dev/shm") as scratch:
        harness = Harness(options, scratch)
        for name in options.peers or known:
            print(f"\n== {name}", file=sys.stderr, flush=True)
            found["peers"][name] = measure(known[name](harness), harness)
            (out / "peers.json").write_text(json.dumps(found, indent=1))
    text = table.section(found)
    (out / "table.md").write_text(text)
    print(text)
    failed = [name for name, peer in found["peers"].items() if "error" in peer]
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True, help="where faregate, load and count are")
    parser.add_argument("--cache", default=str(pathlib.Path.home() / ".cache/faregate-ci"))
    parser.add_argument("--out", default="/tmp/faregate-peers")
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("peers", nargs="*", metavar="PEER")
    return parser.parse_args()


def load(folder):
    spec = importlib.util.spec_from_file_location(f"{folder}_subject", FOLDER / folder / "subject.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(peer, harness):
    found = {"name": peer.name, "store": peer.store, "policies": peer.policies, "notes": peer.notes}
    store = None
    try:
        peer.install()
        found["versions"] = peer.versions
        store = STORES[peer.store](harness) if peer.store in STORES else None
        driver = Driver(harness.binaries, harness.scratch)
        peer.start(store.address if store else None)
        found |= {"idle_mb": peer.process.peak_megabytes(), "start_seconds": peer.start_seconds}
        found["cells"] = trials.cells(peer, store, driver, harness.seconds, log)
        found["peak_mb"] = peer.process.peak_megabytes()
        found["store_peak_mb"] = store.process.peak_megabytes() if store else None
        found["trials"] = trial_all(peer, store, driver, harness, found["cells"])
    except Exception as error:
        traceback.print_exc()
        found["error"] = f"{type(error).__name__}: {str(error)[:400]}"
    finally:
        peer.stop()
        if store:
            store.stop()
    return found


def trial_all(peer, store, driver, harness, cells):
    peer.process.kill()
    peer.is_counted = True
    counter = Counter(harness.binaries, store.address, harness.scratch, store.is_raw) if store else None
    found = {}
    try:
        peer.start(counter.address if counter else None)
        found["store_calls"] = trials.store_calls(peer, store, counter, driver)
        rate = {cell["policy"]: cell["per_second"] for cell in cells
                if cell["keys"] == 1 and cell["callers"] == trials.CALLERS}
        work = {
            "limit": lambda: trials.crash(peer, driver, "limit", rate["limit"]),
            "budget": lambda: trials.crash(peer, driver, "full", rate["full"]),
            "burst": lambda: trials.burst(peer, driver),
            "revoke": lambda: trials.revoke(peer, driver),
            "spend": lambda: trials.spend(peer),
            "outage": lambda: trials.outage(peer, counter, driver),
        }
        for name in peer.trials:
            found[name] = work[name]()
            log(f"{name}: {found[name]}")
    finally:
        if counter:
            counter.process.kill()
    return found


def log(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
