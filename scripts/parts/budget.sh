#!/usr/bin/env bash
# Nanoseconds of opsurge's own code per request, by part; written into docs/comparison.md
#   scripts/measure budget            all of it, about five minutes on a quiet machine
#   scripts/measure budget --table    the table alone, from what was measured last
# Each part is measured by itself. The whole is a shard over a driver that answers at once (benches/hot_path.rs). The
# difference between the whole and its parts is shown as it is, whatever its sign.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "${1:-}" = --table ] || cargo bench --locked --bench hot_path
exec python3 scripts/parts/budget.py "${CARGO_TARGET_DIR:-target}/criterion" docs/comparison.md
