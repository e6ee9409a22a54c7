#!/usr/bin/env bash
# Measured times beside those that arithmetic gives for a server that stalls or is slow, on the real clock
#   scripts/measure truth      about 3 minutes
# Each row has the expected time (../shared/measurement.md, ../shared/co_ground_truth.json), the measured one and the
# tolerance. The generator runs on core 0, the stand-in on the last core. tests/it/load/open.rs checks the same on the
# virtual clock, to the nanosecond.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
use_release
[ "$(nproc)" -ge 2 ] || echo "note: one core only: generator and stand-in disturb each other"
server_core=$(($(nproc) - 1))
printf 'name = "probe"\n[[task]]\nmethod = "GET"\npath = "/nowhere"\nexpect = { status = [404] }\n' >"$work/probe.toml"

measure() { # NAME RATE USERS SECONDS FLAGS_OF_THE_STAND_IN...: one run, its record in $work/NAME.json
    local name=$1 rate=$2 users=$3 seconds=$4
    shift 4
    start_server "$work/$name.stand-in" \
        taskset -c "$server_core" "$opsurge" mock --listen 127.0.0.1:0 --threads 1 -t "$((seconds + 20))s" "$@"
    taskset -c 0 "$opsurge" run "$work/probe.toml" --host "$url" --rate "$rate" -u "$users" \
        -t "${seconds}s" --headless --json "$work/$name.json" >"$work/$name.txt" 2>&1 || true
    end_processes
}

echo "measuring: about 3 minutes"
for delay in 1 10 100; do
    measure "delay$delay" 500 500 5 --mock-workers 10000 --mock-service-time "${delay}ms"
done
measure lateness 5000 100 20
measure stall 1000 2000 25 --fault stall=1s/5s
measure E1 1000 10 60 --fault stall=1s/10s --mock-workers 10000 --mock-service-time 1ms
measure E2 1000 2000 60 --fault stall=1s/10s --mock-workers 10000 --mock-service-time 1ms
measure E5 5000 64 12 --fault stall=100ms/2s --mock-workers 10000 --mock-service-time 2ms
python3 scripts/parts/truth.py "$work"
