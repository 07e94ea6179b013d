"""What was measured as docs/peers.md: figures, ratios to Faregate, where it loses.

    table.py peers.json
"""

import json
import sys

REFERENCE = "faregate"
POLICIES = {"limit": "active key, one limit", "full": "key, day and budget"}


def section(found):
    peers = {name: peer for name, peer in found["peers"].items() if "error" not in peer}
    machine = found["machine"]
    lines = [
        "# Beside what people would use instead", "",
        f"`just peers` ([tests/peers](../tests/peers)), {found['date']}, {found['seconds']:g} seconds per figure, on "
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, Linux {machine['kernel']}; load "
        f"average at the start {machine['load_average']:.1f}. Callers, peer and store share the machine.", "",
        *speed(peers), *ratios(peers), *resources(peers), *guarantees(peers), *told(peers), *losses(peers), *versions(peers),
    ]
    missing = [f"{peer['name']}: {peer['error']}" for peer in found["peers"].values() if "error" in peer]
    return "\n".join([*lines, *(["", "Not measured: " + "; ".join(missing)] if missing else [])]) + "\n"


def grid(heads, rows):
    line = lambda cells: "| " + " | ".join(cells) + " |"
    return [line(heads), "|---|" + "---:|" * (len(heads) - 1), *map(line, rows), ""]


def cell_of(peer, policy, keys, callers):
    for cell in peer.get("cells", []):
        if (cell["policy"], cell["keys"], cell["callers"]) == (policy, keys, callers):
            return cell
    return None


def speed(peers):
    lines = ["**Decisions a second, and milliseconds to the answer (p50 / p99 / p99.9).**", ""]
    for policy, meaning in POLICIES.items():
        rows = []
        for keys in (1, 1000):
            for peer in peers.values():
                cells = [cell_of(peer, policy, keys, callers) for callers in (1, 8, 64)]
                rows.append([f"{peer['name']}, {keys} key{'s' * (keys > 1)}", *map(rate_text, cells)])
        lines += grid([meaning, "1 caller", "8 callers", "64 callers"], rows)
    return lines


def rate_text(cell):
    if cell is None:
        return "—"
    refused = sum(times for said, times in cell["told"].items() if not said.startswith("+"))
    times = " / ".join(f"{cell[name] / 1000:.1f}" for name in ("p50_us", "p99_us", "p999_us"))
    return f"{cell['per_second']:.0f} ({times})" + (f", {refused} not admitted" if refused else "")


def ratios(peers):
    if REFERENCE not in peers:
        return []
    lines = ["**As ratios to Faregate's gate**, 64 callers, 1,000 keys; above 1 it is more than Faregate's. The store's CPU is in "
             "the second and not in the third.", ""]
    for policy, meaning in POLICIES.items():
        ours = cell_of(peers[REFERENCE], policy, 1000, 64)
        rows = []
        for name, peer in peers.items():
            cell = cell_of(peer, policy, 1000, 64)
            if cell is None:
                rows.append([peer["name"], "—", "—", "—", "—"])
                continue
            both = lambda of: of["peer_cpu_us"] + of["store_cpu_us"]
            pairs = [(cell["per_second"], ours["per_second"]), (both(ours), both(cell)),
                     (ours["peer_cpu_us"], cell["peer_cpu_us"]), (cell["p99_us"], ours["p99_us"])]
            rows.append([peer["name"], *(f"{a / b:.2f}" if b else "—" for a, b in pairs)])
        lines += grid([meaning, "decisions a second", "decisions per CPU second", "… the store's left out", "p99"], rows)
    return lines


def resources(peers):
    rows = []
    for peer in peers.values():
        cell = cell_of(peer, "limit", 1000, 64)
        if cell is None:
            continue
        calls = sum(each["calls"] for each in peer["cells"])
        growth = max(0, peer["peak_mb"] - peer["idle_mb"]) / calls * 1e6
        rows.append([
            peer["name"], f"{cell['peer_cpu_us']:.0f}", f"{cell['store_cpu_us']:.0f}" if peer.get("store_peak_mb") else "—",
            f"{peer['idle_mb']:.0f}", f"{peer['peak_mb']:.0f}", f"{growth:.0f}",
            *(calls_text(peer, policy) for policy in POLICIES),
        ])
    return ["**What a decision takes**: CPU seconds per million decisions of the peer and of its store's process (64 callers, 1,000 keys, one "
            "limit), extrapolated; memory of the peer in MB at its start and at most, and growth per million decisions, extrapolated; "
            "calls to the store for each decision.", "",
            *grid(["", "CPU s", "store's CPU s", "MB at start", "MB at most", "MB more per million", "calls, one limit",
                   "calls, budget too"], rows)]


def calls_text(peer, policy):
    found = peer["trials"].get("store_calls", {}).get(policy)
    if found is None:
        return "—"
    return f"{sum(found.values()):.2f}" + (f" ({', '.join(f'{name} {share:.2f}' for name, share in found.items())})"
                                           if len(found) > 1 else "") if found else "0"


def guarantees(peers):
    rows = []
    for peer in peers.values():
        trial = peer["trials"]
        race = lambda name, member="over": f"{trial[name][member]} of {trial[name]['most']}" if name in trial else "—"
        revoked, spent, out = trial.get("revoke"), trial.get("spend"), trial.get("outage")
        rows.append([
            peer["name"], race("limit"), race("limit", "unused"), race("budget"), race("budget", "unused"), race("burst"),
            race("burst", "unused"), spend_text(spent), revoke_text(revoked), outage_text(out),
        ])
    return ["**What holds**, with 64 callers at once. In the first four the peer is killed and started again in the middle: what was admitted "
            "beyond the limit or the budget, and what nobody got of it. Then a burst on a budget of 50 calls; calls estimated at 1 "
            "unit that cost 5, on a budget of 20: units spent beyond it by 64 callers at once, and by one in turn; from the answer to a revocation "
            "to the last call that was admitted; calls admitted while the store is out for a second.", "",
            *grid(["", "over the limit", "not used", "over the budget", "not used", "burst: over", "not used", "dearer calls: at once, in turn",
                   "revoked after", "admitted in an outage"], rows)]


def spend_text(spent):
    if spent is None:
        return "—"
    return f"{spent['at_once']['over_cost']}, {spent['in_turn']['over_cost']}"


def revoke_text(revoked):
    if revoked is None:
        return "—"
    return f"{revoked['ms']:.0f} ms" if revoked["is_refused"] else f"not in {revoked['watched_ms'] / 1000:.1f} s"


def outage_text(out):
    if out is None:
        return "—"
    return f"{out['admitted']}" + (", and its process ended" if out["ended"] else "")


def told(peers):
    rows = []
    for peer in peers.values():
        cells = []
        for name in ("limit", "budget", "revoke", "outage"):
            trial = peer["trials"].get(name)
            said = trial["told"] if trial else {}
            refused = {word: times for word, times in said.items() if not word.startswith("+")}
            words = "<br>".join(f"{word}: {times}" for word, times in sorted(refused.items(), key=lambda each: -each[1]))
            cells.append(words or ("all waited" if name == "outage" and trial else "—"))
        rows.append([peer["name"], *cells])
    return ["**What the others were told**: status and code, with how many times; `broken` and `unreachable` are the crash itself; where all waited, nobody was answered until the store was back.", "",
            *grid(["", "limit used up", "budget used up", "key revoked", "store out"], rows)]


def losses(peers):
    """Where a peer with limits and a store of its own does better than the gate, in figures of this run."""
    if REFERENCE not in peers:
        return []
    ours, lines = peers[REFERENCE], []
    for name, peer in peers.items():
        if name.startswith(REFERENCE):
            continue
        for policy in POLICIES:
            a, b = cell_of(ours, policy, 1000, 64), cell_of(peer, policy, 1000, 64)
            if not (a and b):
                continue
            lost = [word for word, theirs, mine in [
                ("decisions a second", b["per_second"], a["per_second"]),
                ("the peer's own CPU", 1 / b["peer_cpu_us"], 1 / a["peer_cpu_us"]),
                ("CPU with the store's", 1 / (b["peer_cpu_us"] + b["store_cpu_us"]), 1 / (a["peer_cpu_us"] + a["store_cpu_us"])),
                ("p99", 1 / b["p99_us"], 1 / a["p99_us"]),
            ] if theirs > mine]
            if lost:
                lines.append(f"- {peer['name']} is ahead with {POLICIES[policy]} in {', '.join(lost)}.")
    return ["**Where Faregate loses**, 64 callers, 1,000 keys ([why, and what it would take](../tests/peers/README.md)):", "",
            *(lines or ["- nowhere in these figures."]), ""]


def versions(peers):
    each = [f"{peer['name']}: " + ", ".join(f"{name} {version}" for name, version in peer["versions"].items())
            for peer in peers.values()]
    return ["Versions: " + "; ".join(each) + "."]


if __name__ == "__main__":
    print(section(json.load(open(sys.argv[1]))), end="")
