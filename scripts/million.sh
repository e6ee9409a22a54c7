#!/usr/bin/env bash
# A million users on one shard, and 16,000 real connections: memory, rates and client time against their bounds.
#   scripts/million.sh [users|connections|workflow]      default: users, then connections
# `users` spawns 100,000 a second; each waits 30 to 60 s between calls, 22,000 requests/s in all over 1,000 connections.
# Client time is judged over the steady step alone: while they come, each user's first call is a step of its own.
# `workflow` is scenario 2 itself, spawned at 10,000 a second, since each user registers and polls as it comes.
# The stand-in has core 1 and the client core 0. Both must be quiet for the client time to mean anything: the script
# prints what others took of the client's core.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(nproc)" -ge 2 ] || { echo "two cores are needed, one for each side"; exit 1; }
ulimit -n 40000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
[ -n "${NO_BUILD:-}" ] || cargo build --release --locked --quiet
opsurge=$PWD/target/release/opsurge
users=${USERS:-1000000} run_time=${RUN_TIME:-150s} connections=${CONNECTIONS:-16000}
work=$(mktemp -d)
taskset -c 1 "$opsurge" mock --listen 127.0.0.1:0 --threads 1 -t 60m >"$work/mock" & mock=$!
trap 'kill -INT $mock 2>/dev/null || true; wait $mock 2>/dev/null || true; rm -rf "$work"' EXIT
url=
for _ in $(seq 50); do
    url=$(grep -o 'http://[0-9.:]*' "$work/mock" || true)
    [ -n "$url" ] && break
    sleep 0.1
done
cat >"$work/million.toml" <<'TOML'
name = "million"
wait = "30s..60s"
[variables]
agent_id = "workflow-agent-{{uuid}}"
[headers]
X-Agent = "{{agent_id}}"
[[start]]
name = "first"
method = "GET"
path = "/health"
pause = "30s..60s"
[[task]]
name = "steady"
method = "GET"
path = "/health"
TOML
printf 'name = "health"\nwait = "5s"\n[[task]]\nmethod = "GET"\npath = "/health"\n' >"$work/health.toml"

run() { # record, then arguments
    local record=$1; shift
    taskset -c 0 "$opsurge" run "$@" --host "$url" --shards 1 --headless --report full --json "$record" >"$work/report" 2>"$work/said" || true
    grep -h "^memory:" "$work/said" || cat "$work/said"
    sed -n '/^VERDICT/,/ requests, /p' "$work/report"
}

million() { # name, then arguments
    local name=$1; shift
    run "$work/$name.json" "$@" -u "$users" --connections 1000 -t "$run_time"
    python3 - "$work/$name.json" "$users" "$name" <<'PY'
import json, sys
r, users, name = json.load(open(sys.argv[1])), int(sys.argv[2]), sys.argv[3]
g, series = r["generator"], r["series"]
bad = False
def line(what, value, ok=None):
    global bad
    bad |= ok is False
    print(f"  {what:<44} {value:<24} {'' if ok is None else 'PASS' if ok else 'FAIL'}")
rss = g["rss_max_bytes"] / 1e6
line("peak memory of the client, bound 200 MB", f"{rss:.0f} MB, {rss * 1e6 / users:.0f} B/user", rss <= 200)
there = next((s for s in series if s["users"] >= 0.999 * users), None)
if name == "users":
    came = there and there["t_s"] + there["length_s"]
    line("all users there, 100,000 a second", f"after {came} s", came is not None and came <= users / 1e5 + 1.1)
for step in r["steps"]:
    c = step["client_us"]
    judged = name == "users" and step["name"] == "steady"
    line(f"client time of {step['name'][-24:]}", f"p50 {c['p50']:.0f} p99 {c['p99']:.0f} max {c['max']:.0f} us", c["p99"] < 1000 if judged else None)
half = [s for s in series if s["t_s"] > series[-1]["t_s"] * 0.6]
rate = sum(q["requests"] for s in half for q in s["steps"]) / max(1e-9, sum(s["length_s"] for s in half))
line("requests/s, last part of the run", f"{rate:,.0f}", rate >= 0.95 * users / 45 * 0.99 if name == "users" else None)
line("longest turn", f"{g['turn_us']['max']:.0f} us (p99 {g['turn_us']['p99']:.0f})")
line("failures", f"{r['totals']['failures']:,} of {r['totals']['requests']:,}", r["totals"]["failures"] == 0)
sys.exit(bad)
PY
}

sockets() {
    run "$work/one.json" "$work/health.toml" -u 1 -t 12s
    run "$work/many.json" "$work/health.toml" -u "$connections" -r 4000 -t 20s
    python3 - "$work/one.json" "$work/many.json" "$connections" <<'PY'
import json, sys
one, many = (json.load(open(p)) for p in sys.argv[1:3])
above = (many["generator"]["rss_max_bytes"] - one["generator"]["rss_max_bytes"]) / 1e6
opened = many["generator"]["connect_us"]["count"]
ok = above <= 40 and opened >= int(sys.argv[3])
print(f"  {opened:,} connections opened: {above:.1f} MB above the base, bound 40 MB   {'PASS' if ok else 'FAIL'}")
sys.exit(not ok)
PY
}

failed=0
case ${1:-all} in
users) million users "$work/million.toml" -r 100000 || failed=1 ;;
workflow) million workflow workflow -r 10000 || failed=1 ;;
connections) sockets || failed=1 ;;
all) million users "$work/million.toml" -r 100000 || failed=1; sockets || failed=1 ;;
*) sed -n 2,9p "$0"; exit 2 ;;
esac
exit $failed
