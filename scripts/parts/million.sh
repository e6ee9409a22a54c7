#!/usr/bin/env bash
# Memory, rate and client time of a million users on one shard; memory of 16,000 connections
#   scripts/measure million [users|connections|workflow]      default: users, then connections
# `users` spawns 100,000 users a second. Each waits 30 to 60 s between calls: 22,000 requests/s in all, over 1,000
# connections. Client time is judged by the step `steady` alone; each user's first call, made while users are still
# being spawned, is a step of its own.
# `workflow` is Ops-Core's scenario 2, spawned at 10,000 users a second, because each registers and polls first.
# The stand-in runs on core 1 and the client on core 0. Client time means nothing unless both are quiet: the verdict
# says how much of the client's core other programs took.
# Environment: USERS (1000000), RUN_TIME (150s), CONNECTIONS (16000), OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
[ "$(nproc)" -ge 2 ] || { echo "two cores are needed, one for each side"; exit 1; }
. scripts/parts/processes.sh
case ${1:-all} in all | users | workflow | connections) ;; *) exec scripts/measure help million ;; esac
use_release
users=${USERS:-1000000} run_time=${RUN_TIME:-150s} connections=${CONNECTIONS:-16000}
ulimit -n 40000 2>/dev/null || ulimit -n "$(ulimit -Hn)"
start_server "$work/stand-in" taskset -c 1 "$opsurge" mock --listen 127.0.0.1:0 --threads 1 -t 60m
cat >"$work/million.toml" <<'TOML'
name = "million"
wait = "30s..60s"
[variables]
agent_id = "workflow-agent-{{uuid}}"
[headers]
X-Agent = "{{agent_id}}"
[[start]]
name = "first"
method = "GET"
path = "/health"
pause = "30s..60s"
[[task]]
name = "steady"
method = "GET"
path = "/health"
TOML
printf 'name = "health"\nwait = "5s"\n[[task]]\nmethod = "GET"\npath = "/health"\n' >"$work/health.toml"

run() { # RECORD FLAGS...
    local record=$1
    shift
    taskset -c 0 "$opsurge" run "$@" --host "$url" --shards 1 --headless --report full --json "$record" >"$work/report" 2>"$work/progress" || true
    grep -h "^memory:" "$work/progress" || cat "$work/progress"
    sed -n '/^VERDICT/,/ requests, /p' "$work/report"
}

spawn_users() { # NAME FLAGS...
    local name=$1
    shift
    run "$work/$name.json" "$@" -u "$users" --connections 1000 -t "$run_time"
    python3 scripts/parts/million.py "$name" "$work/$name.json" "$users"
}

open_connections() {
    run "$work/one.json" "$work/health.toml" -u 1 -t 12s
    run "$work/many.json" "$work/health.toml" -u "$connections" -r 4000 -t 20s
    python3 scripts/parts/million.py connections "$work/one.json" "$work/many.json" "$connections"
}

failed=0
case ${1:-all} in all | users) spawn_users users "$work/million.toml" -r 100000 || failed=1 ;; esac
case ${1:-all} in workflow) spawn_users workflow workflow -r 10000 || failed=1 ;; esac
case ${1:-all} in all | connections) open_connections || failed=1 ;; esac
exit $failed
