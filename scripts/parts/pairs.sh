#!/usr/bin/env bash
# How often compare calls equal runs on the stand-in different, on the real clock
#   scripts/measure pairs [N] [SECONDS]      20 pairs of 12 s: about 9 minutes
# N pairs of runs of the same job against one stand-in in a process of its own; compare judges each pair. Nothing differs
# but the noise of this machine, which the intervals of single runs contain only as far as it shows within a run: 5 % of
# the pairs called different are to be expected of it, and what is above that is spread from run to run. Then the same
# runs in sets of five by turns, whose intervals contain that spread. Prints for each measure the share called different.
# Times of single runs shorter than 10 s are always "not enough data".
# Environment: OPSURGE (another binary), RATE (iterations per second, default 500), WORKERS (of the stand-in, default 1)
# and SERVICE (their time for a request, default 1ms: the stand-in is a queue at half load).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
pairs=${1:-20} seconds=${2:-12}
case $pairs$seconds in *[!0-9]*) echo "usage: scripts/measure pairs [N] [SECONDS], whole numbers" >&2; exit 2 ;; esac
use_release
printf 'name = "probe"\n[[task]]\nmethod = "GET"\npath = "/nowhere"\nexpect = { status = [404] }\n' >"$work/probe.toml"
start_server "$work/stand-in" "$opsurge" mock --listen 127.0.0.1:0 --threads 1 -t "$((pairs * (seconds + 4) * 2 + 60))s" \
    --mock-workers "${WORKERS:-1}" --mock-service-time "${SERVICE:-1ms}"
echo "$pairs pairs of ${seconds}s at ${RATE:-500}/s, Poisson arrivals: about $((pairs * (seconds + 1) * 2 / 60 + 1)) minutes"
for run in $(seq $((2 * pairs))); do
    "$opsurge" run "$work/probe.toml" --host "$url" --rate "${RATE:-500}" --arrivals poisson -u 1000 -t "${seconds}s" \
        --seed "$run" --shards 1 --headless --quiet --json "$work/$run.json" >"$work/$run.txt" 2>&1 || true
done
end_processes
python3 scripts/parts/pairs.py "$opsurge" "$work" "$pairs"
