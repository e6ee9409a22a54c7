#!/usr/bin/env bash
# Eight opsurge workers on one real Locust master, up to 50,000 requests/s: what a report costs the master, by rate
#   scripts/measure locust-scale [WORKERS [SECONDS]]      default: 8 workers, windows of 20 s; about two minutes
# Windows without a test and at 500, 5,000 and 50,000 requests/s: messages, their bytes and the CPU time that the master
# takes to decode and handle each (noted by its own locustfile), its CPU in all, the longest gap between heartbeats. No
# worker may be missing, and the requests on the master's page, in the workers' records and at the stand-in must be equal.
# Master, workers and stand-in share this machine: on two cores, `measured` stays behind 50,000.
# Locust is installed from PyPI into target/locust/venv, once. Loopback only. Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
. scripts/parts/locust_install.sh
use_release --features locust
"$python" scripts/parts/locust_scale.py "$opsurge" "$locust" "${1:-8}" "${2:-20}" "$work"
