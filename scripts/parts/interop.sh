#!/usr/bin/env bash
# Runs against 14 servers and proxies written by others, over io_uring and epoll
#   scripts/measure interop [--tls] [--install] [SERVER...]
# Servers: nginx apache uvicorn gunicorn node go java hyper haproxy caddy; scripts/parts/interop/README.md says what
# they serve. With --tls: nginx haproxy apache node uvicorn openssl, each with TLS 1.2 and 1.3, keys of RSA and P-256 of
# a small authority, resumption on and off; handshakes are compared with what the server has seen.
# A server that is not installed is skipped, with the command that installs it. --install installs it: Debian's packages
# as root, PyPI's into target/interop. Loopback only.
# Environment: OPSURGE (another binary).
set -euo pipefail
cd "$(dirname "$0")/../.."
install=no tls=no
while [[ ${1:-} = --* ]]; do
    case $1 in --tls) tls=yes ;; --install) install=yes ;; *) scripts/measure help interop; exit 2 ;; esac
    shift
done
wanted=${*:-nginx apache uvicorn gunicorn node go java hyper haproxy caddy}
[ $tls = no ] || wanted=${*:-nginx haproxy apache node uvicorn openssl}
here=$PWD/scripts/parts/interop
PATH=$PATH:/usr/sbin # Debian's folder of servers, which is not in the path of other users than root.
kept=$PWD/target/interop # Kept across runs: the virtual environment, the builds of Go and hyper.
mkdir -p "$kept"
. scripts/parts/processes.sh
chmod 755 "$work" # For servers that change their user.
use_release
python=python3
passed=0 failed=0 skipped=0 seed=0
rows=()

# ---------------------------------------------------------------- what is installed

skip() { # SERVER REMEDY
    skipped=$((skipped + 1))
    rows+=("$1||skipped: $2|||")
    echo "SKIPPED: $1 ($2)"
}

has_command() { # COMMAND DEBIAN_PACKAGE SERVER
    command -v "$1" >/dev/null && return 0
    if [ $install = yes ]; then
        echo "installing $2"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >"$work/install" 2>&1 || tail -3 "$work/install"
    fi
    command -v "$1" >/dev/null || { skip "$3" "apt-get install $2"; return 1; }
}

has_python() { # SERVER MODULES...: in the environment in target/interop, or in python3's own
    local server=$1 module list; shift
    list=$(printf '%s, ' "$@"); list=${list%, }
    for python in "$kept/venv/bin/python" python3; do
        "$python" -c "import $list" 2>/dev/null && return 0
    done
    if [ $install = yes ]; then
        echo "installing ${*//_/-}"
        [ -x "$kept/venv/bin/pip" ] || python3 -m venv "$kept/venv" || true
        "$kept/venv/bin/pip" install --quiet "${@//_/-}" || true
        python=$kept/venv/bin/python
        "$python" -c "import $list" 2>/dev/null && return 0
    fi
    module=$*
    skip "$server" "pip install ${module//_/-}"
    return 1
}

# ---------------------------------------------------------------- servers up and down

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

start() { # COMMAND...: in the background, its output in a file
    "$@" >"$work/server" 2>&1 & pids+=($!)
}

wait_for() { # URL: until it answers, at most 20 s
    for _ in $(seq 200); do
        "$opsurge" request --json "$1" 2>/dev/null | grep -q '"status":[234]' && return 0
        sleep 0.1
    done
    echo "  $1 does not answer:"; tail -5 "$work/server" | sed 's/^/    /'
    return 1
}

# ---------------------------------------------------------------- checks

check() { # NAME COMMAND...: counted in the row of this server and driver
    local name=$1; shift
    if "$@" >"$work/out" 2>&1; then
        row_passed=$((row_passed + 1))
    else
        row_failed=$((row_failed + 1)); echo "  FAILED  $name, --io $io"; tail -12 "$work/out" | sed 's/^/          /'
    fi
}

answers() { # CONDITION FLAGS... URL: one request
    local condition=$1; shift
    "$opsurge" request --json --timeout 10s --io "$io" "$@" >"$work/answer" || true
    python3 "$here/check.py" answer "$condition" <"$work/answer"
}

runs() { # CONDITION FLAGS...: a run, then the condition on its record's totals and kinds of failure
    local condition=$1; shift
    rm -f "$work/r.json"
    "$opsurge" run --quiet --headless --timeout 10s --io "$io" --json "$work/r.json" "$@" || true
    python3 "$here/check.py" record "$work/r.json" "$condition"
}

workflow() { # BASE: scenario 2, accelerated
    # A new seed for each run: with the same one the agents would be registered already.
    seed=$((seed + 1))
    "$opsurge" run --quiet --headless --host "$1" -u 10 --wait 0..10ms --pause 0 --iterations 200 --seed "$seed$$" \
        --io "$io" --json "$work/r.json"
    python3 "$here/check.py" contract "$work/r.json"
}

head -c 1000000 /dev/zero | tr '\0' x >"$work/large"

static_checks() { # BASE: a server of files
    check "GET" answers 'outcome == "ok" and status == 200 and body_bytes == 17' "$1/index.html"
    check "HEAD" answers 'outcome == "ok" and status == 200 and body_bytes == 0 and reusable' -X HEAD "$1/index.html"
    check "1 MB answer" answers 'outcome == "ok" and body_bytes == 1000000' "$1/large"
    check "404" answers 'status == 404' "$1/nothing"
    # The server closes each connection after 100 requests: that is no failure.
    check "5,000 GETs, 100 per connection" runs 'failures == 0 and requests == 5000 and connections_opened >= 50' \
        --get "$1/index.html" -u 8 --iterations 5000
    check "idle longer than the server waits" runs 'failures == 0 and connections_opened >= 4' \
        --get "$1/index.html" -u 2 --iterations 4 --wait 1300ms
    # nginx refuses the request without reading its body, Apache sends the file.
    check "1 MB to a file" answers 'status in (200, 405)' --body @"$work/large" "$1/index.html"
}

contract_checks() { # BASE: a server of the contract
    connection_checks "$1" 100
}

passed_on_checks() { # BASE: the same for proxies and gunicorn, which set `Connection` themselves
    connection_checks "$1" 1
}

connection_checks() { # BASE CONNECTIONS: the least number that 100 answers with Connection: close take
    check "GET" answers 'outcome == "ok" and status == 200' "$1/health"
    check "HEAD" answers 'outcome == "ok" and status == 200 and body_bytes == 0' -X HEAD "$1/health"
    check "404" answers 'status == 404' "$1/nothing"
    check "scenario 2, 200 iterations" workflow "$1"
    check "chunked" runs 'failures == 0 and requests == 200' --get "$1/chunked" -u 4 --iterations 200
    check "its length" answers 'body_bytes == 100000' "$1/chunked"
    check "1 MB answer" answers 'outcome == "ok" and body_bytes == 1000000' "$1/large"
    check "20 bodies of 1 MB" runs 'failures == 0 and requests == 20' --url "$1/upload" --body @"$work/large" -u 2 --iterations 20
    check "Connection: close" runs 'failures == 0 and requests == 100 and connections_opened >= '"$2" \
        --get "$1/close" -u 4 --iterations 100
    # The server may end the connection while the body is still being sent: opsurge must report 413 and nothing else.
    check "early 413" answers 'status == 413' --body small "$1/early"
    check "early 413, 40 bodies of 1 MB" runs 'failures == requests == 40 and kinds == {"status": 40}' \
        --url "$1/early" --body @"$work/large" -u 4 --iterations 40
    check "2,000 GETs" runs 'failures == 0 and requests == 2000' --get "$1/health" -u 8 --iterations 2000
    # Servers end a connection that idles for 1 s, sometimes while a request is being sent: a GET is sent once more.
    check "idle about as long as the server waits" runs 'failures == 0 and requests == 60' \
        --get "$1/health" -u 20 --iterations 60 --wait 900ms..1300ms
}

measure() { # SERVER VERSION KIND PORT: waits for the server, runs its checks over both drivers, ends it
    local server=$1 version=$2 kind=$3 base=http://127.0.0.1:$4 path=/health row_passed row_failed
    [ "$kind" = static ] && path=/index.html
    echo "$server $version"
    for io in auto epoll; do
        row_passed=0 row_failed=0
        if wait_for "$base$path"; then "${kind}_checks" "$base"; else row_failed=1; fi
        rows+=("$server|$version|$io|$row_passed|$row_failed|")
        passed=$((passed + row_passed)) failed=$((failed + row_failed))
    done
    end_processes
}

# ---------------------------------------------------------------- configurations

port=0 backend=0
with_uvicorn() { # SERVER: a backend for a proxy
    has_python "$1" fastapi uvicorn httptools || return 1
    port=$(free_port) backend=$(free_port)
    start "$python" -m uvicorn opscore_app:app --app-dir "$here" --port "$backend" --http httptools --log-level warning
    wait_for "http://127.0.0.1:$backend/health"
}

files() { mkdir -p "$work/www" "$work/tmp" && printf 'hello from a file' >"$work/www/index.html" && cp "$work/large" "$work/www/" && chmod -R a+rX "$work/www"; }

nginx_conf() { # LOCATION
    cat <<CONF
daemon off; pid $work/nginx.pid; error_log $work/error.log; worker_processes 1;
events { worker_connections 512; }
http {
  access_log off; keepalive_requests 100; keepalive_timeout 1s; root $work/www; client_max_body_size 2m;
  client_body_temp_path $work/tmp/a; proxy_temp_path $work/tmp/b; fastcgi_temp_path $work/tmp/c;
  uwsgi_temp_path $work/tmp/d; scgi_temp_path $work/tmp/e;
  upstream app { server 127.0.0.1:$backend; keepalive 8; }
  server { listen 127.0.0.1:$port; $1 }
}
CONF
}

serve_nginx() {
    has_command nginx nginx-light nginx || return 0
    local version; version=$(nginx -v 2>&1 | sed 's,.*/,,')
    files
    port=$(free_port) backend=9
    nginx_conf "" >"$work/nginx.conf"
    start nginx -c "$work/nginx.conf"
    measure "nginx, files" "$version" static "$port"
    with_uvicorn "nginx before uvicorn" || return 0
    nginx_conf 'location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; }' >"$work/nginx.conf"
    start nginx -c "$work/nginx.conf"
    measure "nginx before uvicorn" "$version" passed_on "$port"
}

apache_conf() { # MORE
    cat <<CONF
ServerRoot $work
ServerName localhost
PidFile $work/httpd.pid
ErrorLog $work/error.log
Listen 127.0.0.1:$port
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
User www-data
Group www-data
DocumentRoot $work/www
KeepAlive On
MaxKeepAliveRequests 100
KeepAliveTimeout 1
$1
CONF
}

serve_apache() {
    has_command apache2 apache2 apache || return 0
    local version; version=$(apache2 -v | sed -n 's,.*Apache/\([0-9.]*\).*,\1,p')
    files
    port=$(free_port)
    apache_conf "" >"$work/httpd.conf"
    start apache2 -f "$work/httpd.conf" -DFOREGROUND
    measure "Apache, files" "$version" static "$port"
    with_uvicorn "Apache before uvicorn" || return 0
    apache_conf "ProxyPass / http://127.0.0.1:$backend/" >"$work/httpd.conf"
    start apache2 -f "$work/httpd.conf" -DFOREGROUND
    measure "Apache before uvicorn" "$version" passed_on "$port"
}

serve_uvicorn() {
    local parser version
    for parser in h11 httptools; do
        has_python "uvicorn, $parser" fastapi uvicorn "$parser" || continue
        version=$("$python" -c 'import uvicorn; print(uvicorn.__version__)')
        port=$(free_port)
        start "$python" -m uvicorn opscore_app:app --app-dir "$here" --port "$port" --http "$parser" \
            --timeout-keep-alive 1 --log-level warning
        measure "uvicorn, $parser" "$version" contract "$port"
    done
}

serve_gunicorn() {
    local version common
    has_python gunicorn gunicorn || return 0
    version=$("$python" -c 'import gunicorn; print(gunicorn.__version__)')
    common=(--chdir "$here" --workers 1 --keep-alive 1 --worker-tmp-dir "$work" --log-level error)
    port=$(free_port)
    start "$python" -m gunicorn "${common[@]}" --worker-class gthread --threads 16 --bind "127.0.0.1:$port" opscore_wsgi:app
    measure "gunicorn, threads" "$version" passed_on "$port"
    has_python "gunicorn, uvicorn's worker" gunicorn fastapi uvicorn_worker || return 0
    port=$(free_port)
    start "$python" -m gunicorn "${common[@]}" --worker-class uvicorn_worker.UvicornWorker --bind "127.0.0.1:$port" opscore_app:app
    measure "gunicorn, uvicorn's worker" "$version" contract "$port"
}

serve_node() {
    has_command node nodejs node || return 0
    port=$(free_port)
    start node "$here/opscore.mjs" "$port"
    measure "Node, http" "$(node --version)" contract "$port"
}

serve_go() {
    has_command go golang-go go || return 0
    GOCACHE=$kept/go-cache GO111MODULE=off go build -o "$kept/opscore-go" "$here/opscore.go"
    port=$(free_port)
    start "$kept/opscore-go" "$port"
    measure "Go, net/http" "$(go version | sed 's/.*go\([0-9.]*\) .*/\1/')" contract "$port"
}

serve_java() {
    has_command java default-jdk-headless java || return 0
    port=$(free_port)
    # Without nodelay a reset may discard the body of an early 413 that waits for the head to be acknowledged.
    start java -Dsun.net.httpserver.idleInterval=1 -Dsun.net.httpserver.nodelay=true "$here/OpsCore.java" "$port"
    measure "Java, com.sun.net.httpserver" "$(java -version 2>&1 | sed -n '1s/.*"\(.*\)".*/\1/p')" contract "$port"
}

serve_hyper() {
    local version
    if ! CARGO_TARGET_DIR=$kept/hyper nice cargo build --quiet -j2 --manifest-path "$here/hyper/Cargo.toml" >"$work/build" 2>&1; then
        tail -5 "$work/build"; skip hyper "cargo needs crates.io"; return 0
    fi
    version=$(grep -A1 '^name = "hyper"$' "$here/hyper/Cargo.lock" | sed -n 's/version = "\(.*\)"/\1/p')
    port=$(free_port)
    start "$kept/hyper/debug/opscore-hyper" "$port"
    measure hyper "$version" contract "$port"
}

serve_haproxy() {
    has_command haproxy haproxy haproxy || return 0
    with_uvicorn "HAProxy before uvicorn" || return 0
    cat >"$work/haproxy.conf" <<CONF
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 1s
listen app
  bind 127.0.0.1:$port
  server one 127.0.0.1:$backend
CONF
    start haproxy -db -f "$work/haproxy.conf"
    measure "HAProxy before uvicorn" "$(haproxy -v | sed -n '1s/HAProxy version \([0-9.]*\).*/\1/p')" passed_on "$port"
}

serve_caddy() {
    has_command caddy caddy caddy || return 0
    with_uvicorn "Caddy before uvicorn" || return 0
    cat >"$work/Caddyfile" <<CONF
{
  admin off
  auto_https off
  servers {
    timeouts {
      idle 1s
    }
  }
}
http://127.0.0.1:$port {
  reverse_proxy 127.0.0.1:$backend
}
CONF
    start env XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" caddy run --adapter caddyfile --config "$work/Caddyfile"
    measure "Caddy before uvicorn" "$(caddy version | cut -d' ' -f1)" passed_on "$port"
}

if [ $tls = yes ]; then
    . "$here/tls.sh"
    tls_all "$wanted"
    exit
fi
for server in $wanted; do
    declare -F "serve_$server" >/dev/null || { echo "no server is called $server here"; exit 2; }
    "serve_$server"
    end_processes
done

printf '\n%-30s %-14s %-6s %6s %6s\n' server version --io passed failed
for row in "${rows[@]}"; do
    IFS='|' read -r server version io row_passed row_failed _ <<<"$row"
    if [ -z "$version" ]; then
        printf '%-30s %s\n' "$server" "$io"
    else
        printf '%-30s %-14s %-6s %6s %6s\n' "$server" "$version" "$io" "$row_passed" "$row_failed"
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
