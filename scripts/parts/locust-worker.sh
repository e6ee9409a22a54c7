#!/usr/bin/env bash
# opsurge as a worker of a real Locust master, beside a worker in Python: counts, changes, faults
#   scripts/measure locust-worker      about three minutes
# A master of Locust 2.47 with its web page, two opsurge workers and one in Python of the same class, against the stand-in:
# 100 users, then 40, stop, start again; the master's counts equal the stand-in's to the last request. Then a headless
# master, a worker that is killed, a master that is killed and started again, a worker that stands still, a connection that
# is cut, one that goes silent: nothing hangs, and no request is lost from the records.
# Locust is installed from PyPI into target/locust/venv, once. Loopback only. Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
. scripts/parts/locust_install.sh
use_release --features locust
"$python" scripts/parts/locust_worker.py "$opsurge" "$locust" "$work"
