#!/usr/bin/env bash
# The live page in a real browser, its metrics in a real Prometheus and its Python parser, and what 200 readers cost
#   scripts/measure web [FOLDER]      about 2 minutes; screenshots go to FOLDER, by default target/web/shots
# Opens the page of a run in Chromium (scripts/parts/web.mjs): figures that grow, a change of users, a drain, console
# errors. Has Prometheus scrape a run and compares what it has with the record. Runs the same load with and without 200
# readers, in turns. Needs Debian's chromium, node and npm, prometheus, and python3 with prometheus_client; what is missing
# is left out, and that is said.
# Environment: OPSURGE (another binary), PROMETHEUS (another program), PYTHON (another interpreter).
set -euo pipefail
cd "$(dirname "$0")/../.."
shots=$(realpath -m "${1:-$PWD/target/web/shots}")
parts=$PWD/scripts/parts
mkdir -p "$shots"
. scripts/parts/processes.sh
. scripts/parts/browser.sh
use_release
failed=0
python=${PYTHON:-python3}

# Starts a run with its page; sets $url, $token and $run, its process.
start_run() { # NAME FLAGS...
    local name=$1
    shift
    "$opsurge" run workflow --mock --headless --quiet --pause 0 --web 127.0.0.1:0 --json "$work/$name.json" "$@" \
        >"$work/$name.out" 2>"$work/$name.err" &
    run=$!
    pids+=("$run")
    for _ in $(seq 100); do
        url=$(sed -n 's#^live page: \(http://[0-9.:]*/\).*#\1#p' "$work/$name.err")
        token=$(sed -n 's/^live page: .*#token=//p' "$work/$name.err")
        [ -z "$url" ] || return 0
        sleep 0.1
    done
    cat "$work/$name.err"
    exit 1
}

# ---------------------------------------------------------------- the browser

if find_browser; then
    cp "$parts/web.mjs" "$kept/web.mjs" # Beside its node_modules, where node looks for them.
    start_run browser -u 20 --wait 20ms -t 90s --web-control --web-linger 10s --mock-published-500
    node "$kept/web.mjs" "$browser" "$url#token=$token" "$shots" || failed=1
    wait "$run" || true
    grep -q '"by": *"web"' "$work/browser.json" || { echo "FAILED: the order is not in the record"; failed=1; }
    echo "screenshots: $shots"
fi

# ---------------------------------------------------------------- Prometheus

if "$python" -c 'import prometheus_client' 2>/dev/null; then
    start_run parsed -u 20 --wait 20ms -t 4s --web-linger 30s
    "$python" "$parts/web.py" parse "$url" "$work/parsed.json" || failed=1
    kill -INT "$run" && wait "$run" || { echo "FAILED: Ctrl-C after the run changed its exit code"; failed=1; }
else
    echo "SKIPPED: no parser read the metrics (pip install prometheus_client)"
fi
prometheus=$(command -v "${PROMETHEUS:-prometheus}" || true)
if [ -n "$prometheus" ]; then
    start_run scraped -u 20 --wait 20ms -t 12s --web-linger 30s
    "$python" "$parts/web.py" scrape "$url" "$work/scraped.json" "$prometheus" "$work" || failed=1
    kill -INT "$run" 2>/dev/null && wait "$run" || true
else
    echo "SKIPPED: no Prometheus scraped the metrics (apt-get install prometheus)"
fi

# ---------------------------------------------------------------- readers

"$python" "$parts/web.py" readers "$opsurge" "$work" || failed=1
[ $failed = 0 ] && echo "all as it should be"
exit $failed
