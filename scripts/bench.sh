#!/usr/bin/env bash
# Requests per second and CPU per request beside wrk, interleaved, one client core, the stand-in on another.
#   scripts/bench.sh [ROUNDS] [CONNECTIONS...]        (wrk: apt-get install wrk)
# Both send GET /health over keep-alive connections, each waiting for its answer: what wrk can do. Figures of one
# machine vary by a fifth from run to run: the table gives medians, and ratios round by round with their spread.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}; shift || true
connections=("${@:-64}"); [ "$#" -gt 0 ] || connections=(64 1000)
command -v wrk >/dev/null || { echo "wrk is not installed (apt-get install wrk)"; exit 1; }
[ "$(nproc)" -ge 2 ] || { echo "two cores are needed, one for each side"; exit 1; }
cargo build --release --locked --quiet
opsurge=$PWD/target/release/opsurge
work=$(mktemp -d)
ulimit -n 20000 2>/dev/null || true
taskset -c 1 "$opsurge" mock --listen 127.0.0.1:0 --threads 1 -t 30m >"$work/mock" & mock=$!
trap 'kill -INT $mock 2>/dev/null || true; wait $mock 2>/dev/null || true; rm -rf "$work"' EXIT
url=
for _ in $(seq 50); do
    url=$(grep -o 'http://[0-9.:]*' "$work/mock" || true)
    [ -n "$url" ] && break
    sleep 0.1
done
printf 'name = "health"\n[[task]]\nmethod = "GET"\npath = "/health"\n' >"$work/health.toml"
for c in "${connections[@]}"; do
    for round in $(seq "$rounds"); do
        TIMEFORMAT='%U %S'
        { time taskset -c 0 wrk -t1 -c"$c" -d4s "$url/health" >"$work/wrk"; } 2>"$work/cpu"
        echo "wrk $c $round $(awk '/requests in/ {print $1}' "$work/wrk") 4 $(cat "$work/cpu")"
        { time taskset -c 0 "$opsurge" run "$work/health.toml" --host "$url" -u "$c" -r 1e6 -t 4s --json "$work/r.json" >/dev/null 2>&1; } 2>"$work/cpu"
        echo "opsurge $c $round $(grep -m1 '"requests"' "$work/r.json" | tr -dc 0-9) 4 $(tail -1 "$work/cpu")"
    done
done | tee "$work/rows" | sed 's/^/  /'
python3 - "$work/rows" <<'PY'
import statistics as st, sys
rows = {}
for line in open(sys.argv[1]):
    tool, c, rnd, n, s, user, system = line.split()
    rows[(tool, int(c), int(rnd))] = (int(n) / float(s), 1e6 * (float(user) + float(system)) / int(n), 1e6 * float(user) / int(n))
for c in sorted({k[1] for k in rows}):
    print(f"\n{c} connections      requests/s   CPU us/request (user)")
    for tool in ("wrk", "opsurge"):
        mine = [v for k, v in rows.items() if k[0] == tool and k[1] == c]
        med = [st.median(column) for column in zip(*mine)]
        print(f"  {tool:<16} {med[0]:12,.0f}   {med[1]:6.2f} ({med[2]:.2f})")
    rounds = sorted({k[2] for k in rows if k[1] == c})
    for what, i in (("requests/s", 0), ("CPU per request", 1)):
        ratios = [rows[("opsurge", c, r)][i] / rows[("wrk", c, r)][i] for r in rounds]
        print(f"  opsurge / wrk, {what}: {st.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
PY
