#!/usr/bin/env bash
# Memory, descriptors and sums of two long runs against a server with faults
#   scripts/measure soak [MINUTES]      default 20; in a run below 10, memory still grows to its final size and fails
# The stand-in, a process of its own, commits eight kinds of faults. Against it run, at the same time, a closed load
# over shared connections and an open one. scripts/parts/soak.py samples all three from /proc and judges them.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:-20}
[[ $minutes =~ ^[0-9]+$ && $minutes -ge 1 ]] || { scripts/measure help soak; exit 2; }
. scripts/parts/processes.sh
use_release

# Every fault below leaves an answer within the runs' timeout of 4 s, or ends the connection.
start_server "$work/stand-in" \
    nice "$opsurge" mock --listen 127.0.0.1:0 --threads 1 -t "$((minutes * 60 + 120))s" \
    --fault reset-before-head=0.1% --fault reset-in-body=0.1% --fault close-in-head=0.1% --fault close-in-body=0.1% \
    --fault status-500=0.5% --fault close-idle=0.5% --fault delay=100ms:1% --fault stall=1s/20s

load() { # NAME FLAGS...
    local name=$1
    shift
    nice "$opsurge" run mixed --host "$url" --headless --quiet --shards 1 --timeout 4s -t "${minutes}m" \
        --seed 7 --json "$work/$name.json" "$@" >"$work/$name.out" 2>&1 &
    pids+=($!)
}
load closed -u 60 -r 1000 --connections 20 --wait 10ms..50ms
closed=$!
load open -u 200 --rate 400 --arrivals poisson --no-spin
open=$!
echo "closed: 60 users, 20 shared connections; open: 400 iterations per second; $minutes min against $url"
python3 scripts/parts/soak.py "$work" "$((minutes * 60))" "$server" "closed=$closed" "open=$open"
