#!/usr/bin/env bash
# The CSV files of opsurge beside those of a Locust run: columns, types, rows, and one analysis of both
#   scripts/measure locust-csv      about a minute
# Both run for some seconds against the stand-in. pandas reads the files of both; scripts/parts/locust_csv.py compares
# them. Locust and pandas are installed from PyPI into target/locust-csv, once. Loopback only.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
use_release
kept=$PWD/target/locust-csv
mkdir -p "$kept"
if [ ! -x "$kept/bin/locust" ]; then
    python3 -m venv "$kept"
    "$kept/bin/pip" install --quiet "locust==2.47.*" "pandas==2.*" || {
        rm -rf "$kept"
        echo "SKIPPED: locust and pandas cannot be installed (pip install locust pandas)"
        exit 0
    }
fi
python3 scripts/parts/locust_probe.py "$work"
start_server "$work/stand-in" "$opsurge" mock --listen 127.0.0.1:0 --threads 1 -t 120s
"$kept/bin/locust" -f "$work/locustfile.py" --headless --host "$url" -u 5 -r 5 -t 8s --csv "$work/locust" \
    --csv-full-history --reset-stats --exit-code-on-error 0 --loglevel ERROR >"$work/locust.txt" 2>&1 ||
    { tail -20 "$work/locust.txt"; exit 1; }
"$opsurge" run "$work/probe.toml" --host "$url" -u 5 -r 5 -t 8s --headless --watch none --csv "$work/opsurge" \
    --csv-full-history --exit-code-on-error 0 >"$work/opsurge.txt" 2>&1 || { cat "$work/opsurge.txt"; exit 1; }
end_processes
"$kept/bin/python" scripts/parts/locust_csv.py "$work/locust" "$work/opsurge"
