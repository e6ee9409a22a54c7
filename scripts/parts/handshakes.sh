#!/usr/bin/env bash
# Whether 8,000 connections shake hands in the time that run says beforehand, and the memory of each
#   scripts/measure handshakes [FEW MANY]      connections; default 1000 8000
# The responder serves TLS on core 1, the client has core 0. Every connection is opened at once and does a full handshake,
# then one request; its user waits until the run ends. Judged: all connections are open within the time that was said, and
# a connection takes 6 KB at most (resident memory with MANY less that with FEW, by their difference).
# On a machine that is not quiet the time means nothing: the verdict of each run says so.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(nproc)" -ge 2 ] || { echo "two cores are needed, one for each side"; exit 1; }
. scripts/parts/processes.sh
few=${1:-1000} many=${2:-8000}
use_release
cargo build --release --locked --quiet -p opsurge-testbed --bin responder
responder=${CARGO_TARGET_DIR:-$PWD/target}/release/responder
ulimit -n 40000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
start_server "$work/responder" taskset -c 1 "$responder" --listen 127.0.0.1:0 --tls "$work/root.pem" -t 600
https=$(grep -o 'https://[0-9.:]*' "$work/responder")

for connections in "$few" "$many"; do
    # Long enough for the handshakes, and for the memory to be looked at after them.
    taskset -c 0 "$opsurge" run --get "$https/" --cacert "$work/root.pem" --wait 60s -u "$connections" -r 1e6 \
        --shards 1 -t "$((6 + connections / 1000))s" --drain 1s --headless --watch none --report short \
        --json "$work/$connections.json" >"$work/report" 2>"$work/progress" &
    client=$!
    pids+=("$client")
    python3 scripts/parts/handshakes.py watch "$client" >"$work/$connections.rss"
    wait "$client" || { cat "$work/progress" "$work/report"; exit 1; }
    grep -h '^handshakes:' "$work/progress" || cat "$work/progress"
    grep -h 'VERDICT' "$work/report" || true
done
python3 scripts/parts/handshakes.py judge "$work" "$few" "$many"
