#!/usr/bin/env bash
# Four parts under mpirun, merged, against one process: the same requests, step by step
#   scripts/measure mpi      about 20 seconds; needs Open MPI (apt-get install openmpi-bin)
# The same load of 2,003 iterations and one seed: first one process, then four ranks with --part env and a common start,
# against one stand-in. The merged record must have the same requests, statuses and failures for each step, and its report
# must say when all four had their load. Then one rank is left out, and the merged verdict must say so.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v mpirun >/dev/null || { echo "SKIPPED: mpirun is not here (apt-get install openmpi-bin)"; exit 0; }
. scripts/parts/processes.sh
use_release
export opsurge work

start_server "$work/server" "$opsurge" mock --listen 127.0.0.1:0
load="mixed --headless --quiet -u 40 --iterations 2003 --wait 0 --pause 0 --seed 7 --shards 1 --host $url"
export load
# shellcheck disable=SC2086 # The flags are words.
"$opsurge" run $load --json "$work/whole.json" >"$work/one"
mpirun --allow-run-as-root --oversubscribe -n 4 \
    sh -c '"$opsurge" run $load --part env --start-at +2s --json "$work/part$OMPI_COMM_WORLD_RANK.json"' </dev/null >"$work/ranks"
"$opsurge" merge "$work"/part?.json -o "$work/merged.json" >"$work/report"
grep "PARTS: 4 parts; all had their load from" "$work/report" || { echo "FAILED: the report does not name its parts"; exit 1; }
"$opsurge" merge "$work"/part[012].json -o "$work/three.json" >"$work/missing"
grep -q "part 4 of 4 is missing" "$work/missing" || { echo "FAILED: a missing part is not in the verdict"; cat "$work/missing"; exit 1; }

python3 scripts/parts/same_requests.py "$work/whole.json" "$work/merged.json" "four ranks"
