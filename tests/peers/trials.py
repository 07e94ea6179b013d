"""The work that every peer is given: calls in peace, and what must hold while 64 callers meet a crash."""

import concurrent.futures
import pathlib
import sys
import threading
import time

from driver import Counter

CALLERS = 64
PLENTY = 900_000
DEARER = 5          # units that a call costs that was estimated at one
LONGEST = 120       # seconds, of callers who are told when to stop
SMALL_BUDGET = 20   # units, where calls turn out dearer


def cells(peer, store, driver, seconds, log):
    """Decisions in peace: policies, numbers of keys, numbers of callers."""
    found = []
    for policy in peer.policies:
        for count in (1, 1000):
            requests = peer.keys(policy, count, PLENTY)
            if count > 1:
                # What a key's first call costs is not what is measured.
                driver.drive(peer, requests, 8, seconds=min(20, 1.2 * count / max(found[-2]["per_second"], 1)))
            for callers in (1, 8, CALLERS):
                before = cpu(peer, store)
                result = driver.drive(peer, requests, callers, warm=0.5, seconds=seconds)
                after = cpu(peer, store)
                # CPU is of the whole run, as its requests are.
                calls = sum(result["told"].values())
                del result["timeline"]
                result |= {
                    "policy": policy, "keys": count, "callers": callers,
                    "per_second": result["answers"] / result["timed_ms"] * 1000,
                    "peer_cpu_us": (after[0] - before[0]) / calls * 1e6,
                    "store_cpu_us": (after[1] - before[1]) / calls * 1e6,
                    "calls": calls,
                }
                log(f"{policy}, {count} keys, {callers} callers: {result['per_second']:.0f}/s, "
                    f"{result['peer_cpu_us']:.0f} + {result['store_cpu_us']:.0f} µs, {result['told']}")
                found.append(result)
    return found


def cpu(peer, store):
    return peer.process.cpu_seconds(), store.process.cpu_seconds() if store else 0.0


def store_calls(peer, store, counter, driver):
    """Calls to the store for each decision, and which."""
    found = {}
    for policy in peer.policies:
        requests = peer.keys(policy, 1, PLENTY)
        driver.drive(peer, requests, 1, seconds=0.3)
        before = count(peer, store, counter)
        result = driver.drive(peer, requests, 8, seconds=1)
        after = count(peer, store, counter)
        decisions = sum(result["told"].values())
        each = {name: (after[name] - before.get(name, 0)) / decisions for name in after}
        found[policy] = {name: share for name, share in each.items() if share > 0.0005}
    return found


def count(peer, store, counter):
    if (made := peer.calls_made()) is not None:
        return {"statements": made}
    if store is None:
        return {}
    return counter.calls() if not store.is_raw else {"statements": store.calls()}


def crash(peer, driver, policy, rate):
    """A limit, or a budget, that 64 callers race for, with a kill and a restart in the middle."""
    rate = max(rate, 20.0)
    most = max(100, min(20_000, int(rate * 1.5)))
    request = peer.keys(policy, 1, most)
    run = driver.begin(peer, request, CALLERS, seconds=LONGEST)
    time.sleep(0.45 * most / rate)
    peer.process.kill()
    killed = run.now_ms()
    peer.restart()
    back = run.now_ms()
    time.sleep(most / rate + 1)
    result = run.stop()
    return {
        "most": most, "admitted": result["admitted"], "over": max(0, result["admitted"] - most),
        "unused": max(0, most - result["admitted"]), "told": result["told"], "down_ms": back - killed,
    }


def burst(peer, driver):
    """64 callers at once on a budget of fewer calls than that; nothing breaks."""
    most = 50
    result = driver.drive(peer, peer.keys("full", 1, most), CALLERS, seconds=1)
    return {"most": most, "admitted": result["admitted"], "over": max(0, result["admitted"] - most),
            "unused": max(0, most - result["admitted"]), "told": result["told"]}


def revoke(peer, driver):
    """How long after the answer to a revocation the last admitted call was sent."""
    request = peer.keys("limit", 1, PLENTY)
    run = driver.begin(peer, request, CALLERS, seconds=LONGEST)
    time.sleep(0.5)
    peer.revoke(request[0])
    revoked = run.now_ms()
    time.sleep(peer.revocation_seconds)
    result = run.stop()
    told = total(told for (sent, _), told in timeline(result) if sent > revoked)
    is_refused = bool(told) and any(not said.startswith("+") for said in told)
    return {"ms": max(0.0, result["last_admitted_ms"] - revoked), "is_refused": is_refused, "admitted_later": admitted(told),
            "watched_ms": peer.revocation_seconds * 1000, "told": told}


def spend(peer):
    """Calls that turn out dearer than they were estimated: 64 callers at once, and one who calls again and again."""
    at_once, in_turn = spend_by(peer, CALLERS), spend_by(peer, 1)
    return {"budget": SMALL_BUDGET, "estimate": 1, "actual": DEARER, "at_once": at_once, "in_turn": in_turn}


def spend_by(peer, callers):
    request = peer.keys("full", 1, SMALL_BUDGET)[0]
    passed, lock = 0, threading.Lock()

    def call():
        nonlocal passed
        for _ in range(10 * SMALL_BUDGET):
            if not peer.spend(request):
                return
            with lock:
                passed += 1

    with concurrent.futures.ThreadPoolExecutor(callers) as pool:
        for done in [pool.submit(call) for _ in range(callers)]:
            done.result()
    booked = peer.booked(request)
    return {"admitted": passed, "booked": booked, "over_booked": None if booked is None else max(0, booked - SMALL_BUDGET),
            "over_cost": max(0, passed * DEARER - SMALL_BUDGET)}


def outage(peer, counter, driver):
    """The store is not to be reached for a second."""
    request = peer.keys("limit", 1, PLENTY)
    run = driver.begin(peer, request, CALLERS, seconds=LONGEST)
    time.sleep(1)
    counter.process.kill()
    down = run.now_ms() + 20
    time.sleep(1)
    up = run.now_ms()
    counter.start()
    time.sleep(2)
    result = run.stop()
    # What was sent and answered while nobody could reach the store.
    during = total(told for (sent, answered), told in timeline(result) if down < sent and answered < up - 20)
    healed = [answered for (sent, answered), told in timeline(result) if sent > down and answered >= up and admitted(told)]
    after = total(told for (_, answered), told in timeline(result) if answered >= up)
    ended = peer.process.popen.poll() is not None
    if ended:
        print(pathlib.Path(peer.process.log).read_text()[-2000:], file=sys.stderr)
    return {"told": during, "admitted": admitted(during), "after": after, "ended": ended, "healed_ms": min(healed) - up if healed else None}


def timeline(result):
    for steps, told in result["timeline"].items():
        sent, answered = steps.split("-")
        yield (int(sent), int(answered)), told


def admitted(told):
    return sum(times for said, times in told.items() if said.startswith("+"))


def total(tallies):
    summed = {}
    for told in tallies:
        for said, times in told.items():
            summed[said] = summed.get(said, 0) + times
    return summed
