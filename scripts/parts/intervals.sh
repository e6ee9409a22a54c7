#!/usr/bin/env bash
# Intervals and goals against simulated queues whose percentiles are known
#   scripts/measure intervals [RUNS]      200 runs by default: some minutes
# Prints how often statements about percentiles are false (at most 9 % of 400 runs), how often the interval at which
# --until stops holds the truth (at least 90 %), and how much the warm-up rule cuts of runs that are the same throughout.
set -euo pipefail
cd "$(dirname "$0")/../.."
OPSURGE_RUNS=${1:-200} cargo test --locked --release --quiet --lib -- --nocapture \
    analysis::confidence analysis::precision analysis::warm_up | grep -E 'M/M/1|AR\(1\)|slow start|test result'
