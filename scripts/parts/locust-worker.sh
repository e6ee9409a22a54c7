#!/usr/bin/env bash
# opsurge as a worker of a real Locust master, beside a worker in Python: counts, changes, faults
#   scripts/measure locust-worker      about two minutes
# A master of Locust 2.47 with its web page, two opsurge workers and one in Python of the same class, against the stand-in:
# 100 users, then 40, stop, start again; the master's counts equal the stand-in's to the last request. Then a headless
# master, a worker that is killed, a master that is killed and started again, a worker that stands still: nothing hangs.
# Locust is installed from PyPI into target/locust/venv, once. Loopback only. Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
kept=$PWD/target/locust/venv
if [ ! -x "$kept/bin/locust" ]; then
    mkdir -p "$(dirname "$kept")"
    python3 -m venv "$kept" && "$kept/bin/pip" install --quiet "locust==2.47.*" || {
        rm -rf "$kept"
        echo "SKIPPED: locust cannot be installed (pip install locust); nothing was shown"
        exit 0
    }
fi
use_release
"$kept/bin/python" scripts/parts/locust_worker.py "$opsurge" "$kept/bin/locust" "$work"
