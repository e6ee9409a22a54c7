"""Writes the table of scripts/measure budget into a page, from what criterion measured. Standard library only.

Run: budget.py CRITERION_FOLDER PAGE
"""
import datetime
import json
import os
import pathlib
import platform
import sys

BEGIN, END = "<!-- budget: written by scripts/measure budget -->", "<!-- end of budget -->"
WHOLE, MANY = "whole/a request of one of 64 users", "whole/a request of one of 10,000 users"
# All 64 users of the whole wake in one turn and are answered in the next: 64 requests cost two turns.
TURNS = 2 / 64
# Part, its benchmark, how often a request needs it.
PARTS = [
    ("wake: its timer set, found, taken", "set and fire a timer among 64", 1),
    ("user machine: a pass of `workflow`, two moves", "a user's pass of workflow", 1),
    ("pool: connection taken and given back", "take a user's own connection and give it back", 1),
    ("render: values and template", "render the workflow request", 1),
    ("connection and decoder: request noted, answer read", "read its answer on a connection", 1),
    ("expectation: status and rules", "check what a workflow's answer is", 1),
    ("record: begun, submitted, answered", "record its outcome", 1),
    ("turn: orders, deadlines, three clock reads; 2 for 64 requests", "whole/a turn with nothing in it", TURNS),
    ("this driver: entry queued, event taken", "whole/the canned driver's part of a request", 1),
]
OTHERS = [
    ("a request of one of 10,000 users, whole: caches miss", MANY),
    ("decode alone, of the above", "decode its answer"),
    ("the same answer in two chunks", "decode its answer in two chunks"),
    ("an answer of 64 KiB", "decode an answer of 64 KiB in pieces of 4 KiB"),
    ("an answer of 64 KiB, chunked", "decode an answer of 64 KiB in chunks of 1 KiB"),
    ("a poll's rule, `not-null`", "check what a poll's answer is"),
    ("render a state update, time and choice made anew", "render a state update (time and choice made anew)"),
    ("the time and the choice in it", "make a state update's time and choice"),
    ("render an inline workflow", "render an inline workflow"),
    ("a user's pass of `mixed`", "a user's pass of mixed"),
    ("a shared connection instead of a user's own", "take a shared connection and give it back"),
    ("a timer among 100,000 sleepers", "set and fire a timer among 100,000"),
    ("a random number", "draw a number"),
    ("a uuid", "draw a uuid"),
    ("a look at the clock", "read the clock"),
    ("a no-op on the ring, the kernel's part included, 64 at a time", "submit and reap a no-op on the ring"),
]


def estimates(folder):
    """Nanoseconds per iteration by benchmark: estimate, and the ends of its 95 % interval."""
    found = {}
    for about in folder.glob("**/new/benchmark.json"):
        name = json.loads(about.read_text())["full_id"]
        estimate = json.loads((about.parent / "estimates.json").read_text())
        estimate = estimate.get("slope") or estimate["mean"]
        interval = estimate["confidence_interval"]
        found[name] = estimate["point_estimate"], interval["lower_bound"], interval["upper_bound"]
    return found


def command(name):
    return f'`cargo bench --bench hot_path -- "{name}"`'


def table(found):
    ns = {name: estimate for name, (estimate, _, _) in found.items()}
    whole, low, high = found[WHOLE]
    parts = sum(ns[name] * times for _, name, times in PARTS)
    yield from ["| part | ns/request | share | command |", "|---|---|---|---|"]
    for what, name, times in PARTS:
        yield f"| {what} | {ns[name] * times:.1f} | {100 * ns[name] * times / whole:.0f} % | {command(name)} |"
    rest = whole - parts
    yield f"| the loop itself: the rest | {rest:.1f} | {100 * rest / whole:.0f} % | the whole less the lines above |"
    yield f"| **the whole** | **{whole:.1f}** ({low:.0f} to {high:.0f}) | 100 % | {command(WHOLE)} |"
    yield from ["", "Not in the sum:", "", "| | ns | command |", "|---|---|---|"]
    for what, name in OTHERS:
        yield f"| {what} | {ns[name]:.1f} | {command(name)} |"
    with open("/proc/cpuinfo") as file:
        cpu = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    yield ""
    yield (
        f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}, {datetime.date.today()}; "
        f"load when the table was written: {os.getloadavg()[0]:.1f}."
    )


def main():
    folder, page = map(pathlib.Path, sys.argv[1:])
    found = estimates(folder)
    wanted = [WHOLE, *(name for _, name, _ in PARTS), *(name for _, name in OTHERS)]
    if missing := [name for name in wanted if name not in found]:
        sys.exit("not measured yet: " + "; ".join(missing))
    lines = "\n".join(table(found))
    head, rest = page.read_text().split(BEGIN)
    page.write_text(f"{head}{BEGIN}\n{lines}\n{END}{rest.split(END)[1]}")
    print(lines)


main()
