#!/usr/bin/env bash
# opsurge beside the bare ring, tokio-uring, tokio, and other load generators: interleaved, client on core 0, a canned
# responder on core 1.
#   scripts/bench.sh [ROUNDS] [CONNECTIONS...]               scenario 2's workflow request; default 5 rounds, 64 1000 8000
#   scripts/bench.sh --bodies [ROUNDS] [CONNECTIONS...]      GETs whose answers have 64 KB and 1 MB; default 64 connections
#   scripts/bench.sh --pipeline [ROUNDS] [CONNECTIONS...]    1, 4 and 16 requests at once on each; default 64 connections
#   scripts/bench.sh --tls [ROUNDS] [CONNECTIONS...]         the workflow request over TLS; default 64 1000
#   scripts/bench.sh --tls --bodies [ROUNDS] [CONNECTIONS...]       GETs of 64 KB over TLS; default 64
#   scripts/bench.sh --tls --handshakes [ROUNDS] [CONNECTIONS...]   a full handshake for each request; default 64
# With --tls, --server nginx puts nginx on core 1 instead of the responder.
# Environment: BENCH_SECONDS (default 4), the length of each measured window; BENCH_CLIENTS, the clients to run (default:
# all that are installed). Writes target/bench.md (bench-bodies.md, bench-pipeline.md, bench-tls.md, ...). Figures of one machine vary by a
# fifth from run to run: hence ratios within each round, with their spread.
set -euo pipefail
cd "$(dirname "$0")/.."
mode=requests serves=responder
while [[ ${1:-} == -* ]]; do
    case $1 in
    -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --tls) mode=tls ;;
    --bodies | --handshakes | --pipeline) [ $mode = tls ] && mode=tls-${1#--} || mode=${1#--} ;;
    --server) serves=${2:-}; shift ;;
    *) echo "$1 is unknown; scripts/bench.sh --help lists what there is"; exit 2 ;;
    esac
    shift
done
case $mode:$serves in
*:responder | tls*:nginx) ;;
*) echo "--server is responder, or nginx with --tls before it"; exit 2 ;;
esac
rounds=${1:-5}; shift || true
connections=("$@")
[ "$#" -gt 0 ] || case $mode in
requests) connections=(64 1000 8000) ;;
tls) connections=(64 1000) ;;
*) connections=(64) ;;
esac
window_s=${BENCH_SECONDS:-4}
[ "$(nproc)" -ge 2 ] || { echo "two cores are needed, one for each side"; exit 1; }
command -v python3 >/dev/null || { echo "python3 is not installed (apt-get install python3)"; exit 1; }

# The profile of the packages: joined at the end, four minutes the first time.
echo "building (the dist profile)"
built=$(cargo build --profile dist --locked --quiet --workspace --bins --message-format json)
program() {
    python3 -c 'import json, sys
for line in sys.stdin:
    artifact = json.loads(line)
    if artifact.get("executable") and artifact["target"]["name"] == sys.argv[1]: print(artifact["executable"])' "$1" <<<"$built"
}
opsurge=$(program opsurge) floor=$(program floor) yardsticks=$(program yardsticks) responder=$(program responder)

clients=(opsurge floor tokio-uring tokio)
[[ $mode != tls* ]] || clients=(opsurge opsurge-plain bare-rustls)
missing=()
# Peers: name, and the command that installs it.
while IFS='|' read -r peer install; do
    if command -v "$peer" >/dev/null; then clients+=("$peer"); else missing+=("$peer"); echo "not measured: $peer is not installed: $install"; fi
done <<'PEERS'
wrk|apt-get install wrk
h2load|apt-get install nghttp2-client
oha|cargo install oha --locked
gcannon|apt-get install liburing-dev && git clone https://github.com/MDA2AV/gcannon && make -C gcannon && cp gcannon/gcannon /usr/local/bin/
PEERS
[ -z "${BENCH_CLIENTS:-}" ] || read -ra clients <<<"$BENCH_CLIENTS"
if [ $mode = pipeline ] && ! "$opsurge" help run | grep -q -- '--pipeline'; then
    echo "SKIPPED: opsurge itself, which has no --pipeline here"
    mapfile -t clients < <(printf '%s\n' "${clients[@]}" | grep -vx opsurge)
fi

. scripts/parts/processes.sh
[[ $mode != tls* ]] || . scripts/parts/bench_tls.sh
ulimit -n "$(ulimit -Hn)"

start_responder() { # [ANSWER_BYTES]
    start_server "$work/responder" \
        taskset -c 1 "$responder" --listen 127.0.0.1:0 -t 7200 ${1:+--answer-bytes "$1"}
    address=${url#http://}
    write_requests
}
# Where clients send to, and what opsurge and oha get besides: with TLS, the certificate that they trust.
trust=()

# The request in the form that each client reads. Its bytes are those that `opsurge run` sends; only the agent is fixed.
write_requests() {
    local agent=workflow-agent-0f5e4f0e-2a53-4a0e-9d0f-6d2b8c9a1e77
    path=/v1/opscore/agent/$agent/workflow
    printf '{"agentId":"%s","workflowDefinitionId":"sample_workflow_id","context":{"load_test":true,"user":"user-%s","scenario":2}}' \
        "$agent" "$agent" >"$work/body"
    if [[ $mode == *bodies || $mode == *handshakes ]]; then
        path=/body
        printf 'GET /body HTTP/1.1\r\nHost: %s\r\nUser-Agent: opsurge/0.1.0\r\n\r\n' "$address" >"$work/request"
        return
    fi
    {
        printf 'POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: opsurge/0.1.0\r\nContent-Type: application/json\r\n' "$path" "$address"
        printf 'Authorization: Bearer test-api-key\r\nContent-Length: %s\r\n\r\n' "$(wc -c <"$work/body")"
        cat "$work/body"
    } >"$work/request"
    # Without a `request` function wrk builds the request once and sends the same bytes each time.
    cat >"$work/post.lua" <<LUA
wrk.method = "POST"
wrk.body = '$(cat "$work/body")'
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer test-api-key"
wrk.headers["User-Agent"] = "opsurge/0.1.0"
LUA
    # For a pipeline wrk needs the text of all requests at once.
    cp "$work/post.lua" "$work/pipeline.lua"
    cat >>"$work/pipeline.lua" <<'LUA'
init = function(args)
    local one = wrk.format()
    local all = string.rep(one, tonumber(args[1]))
    request = function() return all end
end
request = function() return "" end
LUA
}

# Sets `command` to a client's command line for $c connections, $level and $run_s seconds; false if it has no such mode.
command_of() {
    local to=${https:-$url}
    local post=(-H "Content-Type: application/json" -H "Authorization: Bearer test-api-key" -H "User-Agent: opsurge/0.1.0")
    case $mode:$1 in
    requests:opsurge | tls:opsurge) command=("$opsurge" run workflow --host "$to" "${trust[@]}" -u "$c" -r 1e6 --wait 0 --pause 0 -t "${run_s}s" --json "$work/record.json" --quiet) ;;
    tls:opsurge-plain) command=("$opsurge" run workflow --host "$url" -u "$c" -r 1e6 --wait 0 --pause 0 -t "${run_s}s" --json "$work/record.json" --quiet) ;;
    tls-handshakes:opsurge) command=("$opsurge" run --get "$to$path" "${trust[@]}" --new-connections --tls-resume off -u "$c" -r 1e6 -t "${run_s}s" --json "$work/record.json" --quiet) ;;
    bodies:opsurge | tls-bodies:opsurge) command=("$opsurge" run --get "$to$path" "${trust[@]}" -u "$c" -r 1e6 -t "${run_s}s" --json "$work/record.json" --quiet) ;;
    pipeline:opsurge) command=("$opsurge" run workflow --host "$url" -u "$((c * level))" -r 1e6 --wait 0 --pause 0 -t "${run_s}s" --json "$work/record.json" --quiet --connections "$c" --pipeline "$level") ;;
    requests:floor | bodies:floor) command=("$floor" --addr "$address" --request "$work/request" --connections "$c" --seconds "$run_s") ;;
    tls:bare-rustls | tls-bodies:bare-rustls) command=("$floor" --tls --addr "${to#https://}" --request "$work/request" --connections "$c" --seconds "$run_s") ;;
    pipeline:floor) command=("$floor" --addr "$address" --request "$work/request" --connections "$c" --seconds "$run_s" --pipeline "$level") ;;
    requests:tokio*) command=("$yardsticks" --driver "$1" --addr "$address" --request "$work/request" --connections "$c" --seconds "$run_s") ;;
    requests:wrk | tls:wrk) command=(wrk -t1 -c "$c" -d "${run_s}s" -s "$work/post.lua" "$to$path") ;;
    bodies:wrk | tls-bodies:wrk) command=(wrk -t1 -c "$c" -d "${run_s}s" "$to$path") ;;
    pipeline:wrk) command=(wrk -t1 -c "$c" -d "${run_s}s" -s "$work/pipeline.lua" "$url$path" -- "$level") ;;
    requests:h2load | tls:h2load) command=(h2load --h1 -t1 -c "$c" -D "$run_s" -d "$work/body" "${post[@]}" "$to$path") ;;
    bodies:h2load | tls-bodies:h2load) command=(h2load --h1 -t1 -c "$c" -D "$run_s" "$to$path") ;;
    requests:oha | tls:oha) command=(oha --no-tui --output-format json "${trust[@]}" -z "${run_s}s" -c "$c" -m POST -D "$work/body" "${post[@]}" "$to$path") ;;
    bodies:oha | tls-bodies:oha) command=(oha --no-tui --output-format json "${trust[@]}" -z "${run_s}s" -c "$c" "$to$path") ;;
    tls-handshakes:oha) command=(oha --no-tui --output-format json "${trust[@]}" --disable-keepalive -z "${run_s}s" -c "$c" "$to$path") ;;
    requests:gcannon) command=(gcannon "$url" --raw "$work/request" -s 202 -t 1 -c "$c" -d "${run_s}s" --json) ;;
    bodies:gcannon) command=(gcannon "$url$path" -t 1 -c "$c" -d "${run_s}s" --json) ;;
    pipeline:gcannon) command=(gcannon "$url" --raw "$work/request" -s 202 -t 1 -c "$c" -d "${run_s}s" --json -p "$level") ;;
    *) return 1 ;;
    esac
}

failed=()
measure_all() { # LEVEL: the tables are grouped by it
    level=$1
    warm_s=1
    # The run time of some clients starts before they connect, and many connections take longer.
    run_s=$((warm_s + window_s + 1 + c / 2000))
    for round in $(seq "$rounds"); do
        order=("${clients[@]}")
        # Every other round runs backwards: no client always follows the same one.
        ((round % 2)) || mapfile -t order < <(printf '%s\n' "${clients[@]}" | tac)
        for client in "${order[@]}"; do
            command_of "$client" || continue
            if row=$(python3 scripts/parts/bench_window.py "$client" "$c" "$round" "$server" "$address" "$work" "$warm_s" "$window_s" "${command[@]}"); then
                echo "${row%\}}, \"level\": $level}" | tee -a "$work/rows" | sed 's/^/  /'
            else
                failed+=("$client ($level)")
            fi
        done
    done
}

touch "$work/rows"
case $mode in
requests)
    start_responder
    for c in "${connections[@]}"; do measure_all "$c"; done
    ;;
bodies)
    for bytes in 65536 1048576; do
        start_responder "$bytes"
        for c in "${connections[@]}"; do measure_all "$bytes"; done
        end_processes
    done
    ;;
tls | tls-handshakes)
    start_tls_server
    for c in "${connections[@]}"; do measure_all "$c"; done
    ;;
tls-bodies)
    start_tls_server 65536
    for c in "${connections[@]}"; do measure_all 65536; done
    ;;
pipeline)
    start_responder
    for c in "${connections[@]}"; do for depth in 1 4 16; do measure_all "$depth"; done; done
    ;;
esac

notes="Median of $rounds rounds (least–most), windows of $window_s s in the middle of each run, one client core, the responder on another; Linux $(uname -r),$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2). Requests by the responder's count, CPU by the kernel's, of client processes only; ratios within each round. \
Start, registration and polling lie before the window. opsurge runs its full engine (scenario, checks, three clocks, an identity per user); the others send one fixed request. A client that is not busy waits for the responder. Kept waiting: share of the time in which client or responder wanted its core and other programs had it, in the worst round; above some percent the row is worth little."
[[ $mode != tls* ]] || notes=$(tls_notes "$notes")
[[ $mode != *bodies ]] || notes+=" Bodies are GETs; an answer counts when it begins to be sent."
[ ${#missing[@]} -eq 0 ] || notes+=" Not installed here: ${missing[*]}."
[ ${#failed[@]} -eq 0 ] || notes+=" FAILED: $(printf '%s; ' "${failed[@]}")"
mkdir -p target
result=target/bench$([ $mode = requests ] || echo "-$mode")$([ $serves = responder ] || echo "-$serves").md
python3 scripts/parts/bench_table.py "$work/rows" $mode "$notes" | tee "$result"
echo "written to $result"
case " ${failed[*]:-} " in
*" opsurge "*) echo "FAILED: opsurge's own run was not all successes; see above"; exit 1 ;;
esac
