#!/usr/bin/env bash
# Nanoseconds of our own per request, by part: measures them and writes the table into docs/comparison.md.
#   scripts/budget.sh            all of it, about five minutes on a quiet machine
#   scripts/budget.sh --table    the table alone, from what was measured last
# The parts are measured by themselves, the whole is a shard over a driver that answers at once (benches/hot_path.rs);
# what is left when the parts are taken from the whole is shown as it is, whatever its sign.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "${1:-}" = --table ] || cargo bench --locked --bench hot_path
python3 - "${CARGO_TARGET_DIR:-target}/criterion" docs/comparison.md <<'PY'
import datetime, json, os, pathlib, platform, sys
folder, page = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
ns, low, high = {}, {}, {}
for about in folder.glob("**/new/benchmark.json"):
    name = json.loads(about.read_text())["full_id"]
    slope = json.loads((about.parent / "estimates.json").read_text())
    slope = slope.get("slope") or slope["mean"]
    ns[name] = slope["point_estimate"]
    low[name] = slope["confidence_interval"]["lower_bound"]
    high[name] = slope["confidence_interval"]["upper_bound"]
WHOLE, MANY = "whole/a request of one of 64 users", "whole/a request of one of 10,000 users"
# All 64 users of the whole wake in one turn and are answered in the next: that many turns for a request.
TURNS = 2 / 64
# (what, benchmark, how often for a request)
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
BESIDE = [
    ("a request of one of 10,000 users, whole: caches miss", MANY),
    ("decode alone, of the above", "decode its answer"),
    ("the same answer in two chunks", "decode its answer in two chunks"),
    ("an answer of 64 KiB", "decode an answer of 64 KiB in pieces of 4 KiB"),
    ("an answer of 64 KiB, chunked", "decode an answer of 64 KiB in chunks of 1 KiB"),
    ("a poll's rule, `not-null`", "check what a poll's answer is"),
    ("render a state update, time and choice made anew", "render a state update (time and choice made anew)"),
    ("of it the time and the choice", "make a state update's time and choice"),
    ("render an inline workflow", "render an inline workflow"),
    ("a user's pass of `mixed`", "a user's pass of mixed"),
    ("a shared connection instead of a user's own", "take a shared connection and give it back"),
    ("a timer among 100,000 sleepers", "set and fire a timer among 100,000"),
    ("a random number", "draw a number"),
    ("a uuid", "draw a uuid"),
    ("a look at the clock", "read the clock"),
    ("a no-op on the ring, the kernel's part included, 64 at a time", "submit and reap a no-op on the ring"),
]
wanted = [WHOLE] + [part[1] for part in PARTS] + [beside[1] for beside in BESIDE]
missing = [name for name in wanted if name not in ns]
if missing:
    sys.exit("not measured yet: " + "; ".join(missing))
def again(name):
    return f"`cargo bench --bench hot_path -- \"{name}\"`"
whole, parts = ns[WHOLE], sum(ns[name] * times for _, name, times in PARTS)
lines = ["| part | ns/request | share | again |", "|---|---|---|---|"]
for what, name, times in PARTS:
    lines.append(f"| {what} | {ns[name] * times:.1f} | {100 * ns[name] * times / whole:.0f} % | {again(name)} |")
lines.append(f"| the loop itself: what is left | {whole - parts:.1f} | {100 * (whole - parts) / whole:.0f} % | the whole less the lines above |")
lines.append(f"| **the whole** | **{whole:.1f}** ({low[WHOLE]:.0f} to {high[WHOLE]:.0f}) | 100 % | {again(WHOLE)} |")
lines += ["", "Beside it, not in the sum:", "", "| | ns | again |", "|---|---|---|"]
lines += [f"| {what} | {ns[name]:.1f} | {again(name)} |" for what, name in BESIDE]
cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
load = os.getloadavg()[0]
lines += ["", f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}, {datetime.date.today()}; load when the table was written: {load:.1f}."]
begin, end = "<!-- budget: written by scripts/budget.sh -->", "<!-- end of budget -->"
text = page.read_text()
head, rest = text.split(begin)
page.write_text(head + begin + "\n" + "\n".join(lines) + "\n" + end + rest.split(end)[1])
print("\n".join(lines))
PY
