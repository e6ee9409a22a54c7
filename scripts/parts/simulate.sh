#!/usr/bin/env bash
# Whole simulated runs under faults, each drawn from a seed
#   scripts/measure simulate SEEDS [FIRST_SEED]      10000 take some minutes
# Prints what was sent, what failed and how often each fault occurred. A failing seed is printed with the command that
# replays it. A debug build on purpose: its assertions check every turn. A run of half a minute takes about 10 ms in it.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -n "${1:-}" ] || { scripts/measure help simulate; exit 2; }
RUST_BACKTRACE=0 OPSURGE_SEEDS=$1 OPSURGE_SEED=${2:-0} \
    cargo test --locked --quiet --test it survival::runs_survive -j2 -- --nocapture
