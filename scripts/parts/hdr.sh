#!/usr/bin/env bash
# The record's histograms and the interval log read by another HdrHistogram library, to the same counts
#   scripts/measure hdr [--install]      about 10 seconds
# Python's hdrhistogram (PyPI) decodes every histogram of a record and every line of its interval log. The counts have to be
# the record's own, and percentiles and maximum too. Without it the measurement is skipped; --install puts it into
# target/interop/venv. tests/it/report/interval_log.rs reads other tools' logs (../shared/hdr) with opsurge's own reader.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
venv=${CARGO_TARGET_DIR:-$PWD/target}/interop/venv
if [ "${1:-}" = --install ] && ! "$venv/bin/python" -c "import hdrh" 2>/dev/null; then
    [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet hdrhistogram
fi
python=
for candidate in "$venv/bin/python" python3; do
    [ -n "$python" ] || ! "$candidate" -c "import hdrh" 2>/dev/null || python=$candidate
done
[ -n "$python" ] || { echo "SKIPPED: Python's hdrhistogram is not installed; scripts/measure hdr --install"; exit 0; }
use_release
"$opsurge" run mixed --mock --headless -u 20 --wait 0 --pause 0 -t 4s --fault status-500=1% --exit-code-on-error 0 \
    --json "$work/run.json" --hdr "$work/run.hlog" >"$work/run.txt" 2>&1
"$python" scripts/parts/hdr.py "$work/run.json" "$work/run.hlog"
