#!/usr/bin/env bash
# Simulates so many whole runs, each drawn from a seed: scripts/simulate.sh 10000 [FIRST_SEED]
# Prints what was sent, what failed and which faults fired how often; a failing seed comes with the line that replays it.
# A debug build on purpose: its assertions look at every turn, and a run of half a minute takes about 10 ms in it.
set -euo pipefail
cd "$(dirname "$0")/.."

seeds=${1:?"how many seeds?"}
first=${2:-0}
RUST_BACKTRACE=0 OPSURGE_SEEDS=$seeds OPSURGE_SEED=$first \
    cargo test --quiet --test it survival::runs_survive -j2 -- --nocapture
