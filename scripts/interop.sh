#!/usr/bin/env bash
# Runs the client against servers that nobody here wrote: nginx with a static file, uvicorn with a FastAPI app that
# speaks Ops-Core's contract. What is not installed is named and skipped. Loopback only; ends what it started.
#   nginx:   apt-get install nginx-light
#   uvicorn: pip install fastapi uvicorn httptools      (PYTHON=/path/to/python chooses another interpreter)
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
work=$(mktemp -d)
pids=()
finish() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

cargo build --release --locked --quiet
opsurge=target/release/opsurge
passed=0 failed=0 skipped=0 seed=0

free_port() { "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

wait_for() { # URL: until it answers, at most 10 s
    for _ in $(seq 100); do
        "$opsurge" request --json "$1" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    echo "  $1 does not answer"; return 1
}

check() { # NAME COMMAND...
    local name=$1; shift
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1)); echo "  ok      $name"
    else
        failed=$((failed + 1)); echo "  FAILED  $name"; sed 's/^/          /' "$work/out"
    fi
}

contract_holds() { # RECORD: everything was answered, nothing failed, the three steps occurred
    "$PYTHON" - "$1" <<'PY'
import json, sys
r = json.load(open(sys.argv[1]))
assert r["totals"]["failures"] == 0 and r["totals"]["cut_off"] == 0, r["errors"]
assert r["totals"]["sent"] == r["totals"]["requests"]
found = {s["name"].rsplit("/", 1)[1]: s["statuses"] for s in r["steps"]}
assert found["notify"] == {"200": 10} and found["state"] == {"200": 20, "404": 10}, found
assert found["workflow"]["202"] == 200, found
PY
}

if command -v nginx >/dev/null; then
    echo "nginx $(nginx -v 2>&1 | sed 's,.*/,,')"
    port=$(free_port)
    mkdir -p "$work/www" "$work/tmp" && printf 'hello from nginx\n' >"$work/www/index.html"
    cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx.pid; error_log $work/error.log; worker_processes 1;
events { worker_connections 512; }
http {
  access_log off; keepalive_requests 100; root $work/www;
  client_body_temp_path $work/tmp/a; proxy_temp_path $work/tmp/b; fastcgi_temp_path $work/tmp/c;
  uwsgi_temp_path $work/tmp/d; scgi_temp_path $work/tmp/e;
  server { listen 127.0.0.1:$port; }
}
CONF
    chmod 755 "$work" "$work/www"
    nginx -c "$work/nginx.conf" & pids+=($!)
    wait_for "http://127.0.0.1:$port/"
    printf 'name = "static"\n[[task]]\nmethod = "GET"\npath = "/index.html"\n' >"$work/static.toml"
    for io in auto epoll; do
        check "request, --io $io" "$opsurge" request --json --io $io "http://127.0.0.1:$port/index.html"
        check "request HEAD, --io $io" "$opsurge" request --json -X HEAD --io $io "http://127.0.0.1:$port/"
        # Every connection is closed by the server after 100 requests: no failure of anybody.
        check "one-step scenario, 5,000 iterations, --io $io" \
            "$opsurge" run "$work/static.toml" --host "http://127.0.0.1:$port" -u 8 --iterations 5000 --io $io
    done
else
    skipped=$((skipped + 1)); echo "SKIPPED: nginx is not installed (apt-get install nginx-light)"
fi

if "$PYTHON" -c 'import fastapi, uvicorn' 2>/dev/null; then
    for parser in h11 httptools; do
        if ! "$PYTHON" -c "import $parser" 2>/dev/null; then
            skipped=$((skipped + 1)); echo "SKIPPED: uvicorn's parser $parser is not installed (pip install $parser)"
            continue
        fi
        echo "uvicorn $("$PYTHON" -c 'import uvicorn; print(uvicorn.__version__)') with $parser"
        port=$(free_port)
        "$PYTHON" -m uvicorn opscore_app:app --app-dir scripts --port "$port" --http "$parser" --log-level warning & pids+=($!)
        wait_for "http://127.0.0.1:$port/health"
        for io in auto epoll; do
            # Another seed for each run: the same one would bring the same agents, which the app knows by then.
            seed=$((seed + 1))
            check "scenario 2, 200 iterations, --io $io" "$opsurge" run --host "http://127.0.0.1:$port" -u 10 \
                --wait 0..10ms --pause 0 --iterations 200 --seed $seed --io $io --json "$work/r.json"
            check "its record, --io $io" contract_holds "$work/r.json"
        done
    done
else
    skipped=$((skipped + 1)); echo "SKIPPED: uvicorn and FastAPI are not installed (pip install fastapi uvicorn httptools)"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
