#!/usr/bin/env bash
# Hours in minutes: does memory or the number of descriptors grow with the length of a run, and do the sums still hold?
#   scripts/soak.sh [MINUTES]                                   (20 when not given; needs python3, nothing else)
# A stand-in that misbehaves, in a process of its own; against it, at the same time, a closed load over shared
# connections and an open one. scripts/soak_watch.py watches both from /proc and judges. Loopback only.
set -euo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-20}
[[ $minutes =~ ^[0-9]+$ && $minutes -ge 1 ]] || { echo "usage: scripts/soak.sh [MINUTES], a whole number from 1"; exit 2; }
if [ -z "${OPSURGE:-}" ]; then # Another binary, to compare.
    cargo build --release --locked --quiet
    OPSURGE=$PWD/target/release/opsurge
fi
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

# Every fault below leaves an answer within the runs' timeout of 4 s, or ends the connection.
nice "$OPSURGE" mock --listen 127.0.0.1:0 --threads 1 -t "$((minutes * 60 + 120))s" \
    --fault reset-before-head=0.1% --fault reset-in-body=0.1% --fault close-in-head=0.1% --fault close-in-body=0.1% \
    --fault status-500=0.5% --fault close-idle=0.5% --fault delay=100ms:1% --fault stall=1s/20s \
    >"$work/stand-in" & pids+=($!); stand_in=$!
url=
for _ in $(seq 50); do
    url=$(grep -o 'http://[0-9.:]*' "$work/stand-in" || true)
    [ -n "$url" ] && break
    sleep 0.1
done
[ -n "$url" ] || { echo "the stand-in does not start"; exit 1; }

load() { # NAME FLAGS...
    local name=$1; shift
    nice "$OPSURGE" run mixed --host "$url" --headless --quiet --shards 1 --timeout 4s -t "${minutes}m" \
        --seed 7 --json "$work/$name.json" "$@" >"$work/$name.out" 2>&1 & pids+=($!)
}
load closed -u 60 -r 1000 --connections 20 --wait 10ms..50ms; closed=$!
load open -u 200 --rate 400 --arrivals poisson --no-spin; open=$!
echo "closed: 60 users, 20 shared connections; open: 400 iterations per second; $minutes min against $url"
python3 scripts/soak_watch.py "$work" "$((minutes * 60))" "$stand_in" "closed=$closed" "open=$open"
