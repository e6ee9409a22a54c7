#!/usr/bin/env bash
# A real Locust master's web page in Chromium, two opsurge workers and one in Python: start, change, stop, start again, CSV
#   scripts/measure locust-page [FOLDER]      about a minute; screenshots and CSV files go to FOLDER, by default target/locust/page
# The browser fills in the form for 100 users, changes them to 40, stops, starts again with 30 and downloads the CSV files.
# The page's users are those of its workers, and its requests those of the stand-in, to the last one. Needs Debian's
# chromium, node and npm, which fetches playwright-core; Locust comes from PyPI into target/locust/venv, once.
# Loopback only. Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
shots=$(realpath -m "${1:-$PWD/target/locust/page}")
parts=$PWD/scripts/parts
mkdir -p "$shots"
. scripts/parts/processes.sh
. scripts/parts/browser.sh
find_browser || exit 0
. scripts/parts/locust_install.sh
use_release --features locust
cp "$parts/locust-page.mjs" "$kept/locust-page.mjs" # Beside its node_modules, where node looks for them.
"$python" "$parts/locust_page.py" "$opsurge" "$locust" "$browser" "$kept/locust-page.mjs" "$shots" "$work"
