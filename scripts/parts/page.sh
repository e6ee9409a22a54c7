#!/usr/bin/env bash
# The HTML report in a real browser: errors, requests, crosshair, widths, both themes; size and time of long runs
#   scripts/measure page [FOLDER]      about 2 minutes; screenshots go to FOLDER, by default target/page/shots
# Makes pages of a run with failures, of a search, of two runs over each other and of runs of 18 minutes and an hour (the
# seconds of a short one, repeated), and opens them in Chromium (scripts/parts/page.mjs). Needs Debian's chromium, node and
# npm, which fetches playwright-core; without them, only size and time are checked, and that is said.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
shots=$(realpath -m "${1:-$PWD/target/page/shots}")
parts=$PWD/scripts/parts
mkdir -p "$shots"
. scripts/parts/processes.sh
. scripts/parts/browser.sh
use_release

# ---------------------------------------------------------------- the pages

echo "measuring: about a minute"
flags=(--mock --headless --quiet --wait 20ms..100ms)
"$opsurge" run mixed "${flags[@]}" --mock-published-500 --fail-if 'p99>1us' -t 25s \
    --stage 5:5s --stage 40:5s --stage 40:10s --stage 10:5s --json "$work/run.json" >/dev/null 2>&1 || true
"$opsurge" run mixed "${flags[@]}" -u 40 -t 20s --json "$work/other.json" >/dev/null 2>&1 || true
"$opsurge" search mixed --mock --headless --quiet --mock-workers 2 --mock-service-time 5ms --wait 0 --pause 0 \
    -u 64 -t 40s --window 3s --settle 1s --stop-when 'p99>50ms' --json "$work/search.json" >/dev/null 2>&1 || true
python3 "$parts/page_records.py" "$work/run.json" "$work/minutes.json" 1080
python3 "$parts/page_records.py" "$work/run.json" "$work/hour.json" 3600

page() { # NAME RECORD...: the page, its size and how long it took
    local name=$1 start end
    shift
    start=$(date +%s%N)
    "$opsurge" report "$@" --html "$work/$name.html" >/dev/null || true
    end=$(date +%s%N)
    took_ms=$(((end - start) / 1000000))
    size=$(stat -c %s "$work/$name.html")
    printf '%-10s %7d bytes, made in %5d ms\n' "$name" "$size" "$took_ms"
}
failed=0
page run "$work/run.json"
page both "$work/run.json" "$work/other.json"
page search "$work/search.json"
page minutes "$work/minutes.json"
[ "$size" -lt 500000 ] || { echo "FAILED: a page of 18 minutes is larger than 500 kB"; failed=1; }
page hour "$work/hour.json"
[ "$took_ms" -lt 2000 ] || { echo "FAILED: the page of an hour took more than 2 s"; failed=1; }

# ---------------------------------------------------------------- the browser

if find_browser; then
    cp "$parts/page.mjs" "$kept/page.mjs" # Beside its node_modules, where node looks for them.
    node "$kept/page.mjs" "$browser" "$work" "$shots" run both search minutes hour || failed=1
    "$opsurge" report "$work/saved-run" --quiet >/dev/null || [ $? -lt 2 ] ||
        { echo "FAILED: the record that the page saves is no record"; failed=1; }
    echo "screenshots: $shots"
fi
[ $failed = 0 ] && echo "all as it should be"
exit $failed
