# Sourced by scripts/parts/interop.sh: the same servers' TLS, each with every version and kind of key.
# Uses its helpers (has_command, has_python, start, free_port, skip) and its $opsurge, $work, $here.

ca=$work/ca.pem
versions="1.2 1.3"
keys="rsa p256"

# ---------------------------------------------------------------- a small authority

make_authority() { # ca.pem, and a certificate with its key for localhost: rsa.pem rsa.key p256.pem p256.key both.pem
    command -v openssl >/dev/null || { echo "this needs openssl: apt-get install openssl"; exit 2; }
    local key
    (
        cd "$work"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=opsurge interop authority" \
            -keyout ca.key -out ca.pem
        openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
        openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.key
        printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >names
        for key in $keys; do
            openssl req -new -key $key.key -subj /CN=localhost -out $key.csr
            openssl x509 -req -in $key.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out $key.pem
            cat $key.pem $key.key >$key-both.pem
        done
        chmod a+r ./*.pem ./*.key
    ) >"$work/openssl" 2>&1 || { cat "$work/openssl"; exit 2; }
}

# ---------------------------------------------------------------- checks

tls_run() { # CONDITION FLAGS...: a run over the present server, then the condition on its record
    local condition=$1; shift
    # A server that ends connections after their answer says so later than the answer: that is no failure.
    local agreed="tls['version'] == 'TLS $version' and tls['cipher'].startswith('$cipher') and not tls['insecure']"
    agreed+=" and tls['resume'] == ('$resume' == 'on')"
    agreed+=" and tls['full_us']['count'] + tls['resumed_us']['count'] == connections_opened"
    [ "$resume" = on ] || agreed+=" and tls['resumed_us']['count'] == 0"
    runs "failures == cut_off == 0 and $condition and $agreed" --cacert "$ca" --tls-resume "$resume" --get "$url" "$@"
}

as_the_server_saw() { # the handshakes of the last run against the lines that the server has written since
    local ours theirs="" _
    ours=$(python3 "$here/check.py" handshakes "$work/r.json")
    for _ in $(seq 30); do # The line of the last request may come after its answer.
        theirs="$(grep -c -- "$full_line" "$work/seen") $(grep -c -- "$resumed_line" "$work/seen")" || true
        [ "$ours" = "$theirs" ] && return 0
        sleep 0.1
    done
    echo "full and resumed handshakes: $ours in the record, $theirs at the server"; tail -3 "$work/seen"
    return 1
}

server_hits() { # openssl s_server counts on the page that it serves
    "$opsurge" request --cacert "$ca" --tls-resume off "$url" | sed -n 's/^ *\([0-9]*\) session cache hits$/\1/p'
}

checks_of_cell() { # with $url $version $cipher $resume $io, and whether the server keeps connections open
    local requests=300 least=0 hits
    # A ticket of TLS 1.3 is used once. Node gives two for a full handshake and none for a resumed one.
    [ "$resume" = off ] || least=58
    [ "$resume$version$renews" = on1.3no ] && least=38
    : >"$work/seen"
    if [ "$keeps" = yes ]; then
        check "keep-alive, TLS $version, resumption $resume" \
            tls_run "requests == $requests and connections_opened < $requests" -u 4 --iterations "$requests"
        [ -z "$full_line" ] || check "keep-alive handshakes at the server" as_the_server_saw
        : >"$work/seen"
    fi
    [ -n "$full_line" ] || hits=$(server_hits)
    check "60 connections, TLS $version, resumption $resume" \
        tls_run "requests == connections_opened == 60 and $least <= tls['resumed_us']['count'] <= 59" \
        -u 2 --iterations 60 --new-connections
    read -r full resumed <<<"$(python3 "$here/check.py" handshakes "$work/r.json" 2>/dev/null || echo "- -")"
    if [ -n "$full_line" ]; then
        check "60 handshakes at the server" as_the_server_saw
    else
        check "60 handshakes at the server" [ $((hits + resumed)) = "$(server_hits)" ]
    fi
    counts+=" $full/$resumed"
}

ciphers_of() { # VERSION KEY: two that are asked for by name
    local kind=ECDSA
    [ "$2" = rsa ] && kind=RSA
    case $1 in
    1.2) echo "TLS_ECDHE_${kind}_WITH_AES_128_GCM_SHA256 TLS_ECDHE_${kind}_WITH_CHACHA20_POLY1305_SHA256" ;;
    *) echo "TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256" ;;
    esac
}

cells() { # SERVER SERVER_VERSION KEY: the present server with this version and key, over both drivers
    local server=$1 server_version=$2 key=$3 cipher=TLS_ resume io one counts="" row_passed=0 row_failed=0 tries=0
    [ "$version" = 1.3 ] || { cipher=TLS_ECDHE_ECDSA_; [ "$key" = p256 ] || cipher=TLS_ECDHE_RSA_; }
    until "$opsurge" request --json --cacert "$ca" "$url" 2>/dev/null | grep -q '"status":200'; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "  $url does not answer:"; tail -5 "$work/server" | sed 's/^/    /'; row_failed=1; break; }
        sleep 0.1
    done
    if [ $row_failed -eq 0 ]; then
        for io in auto epoll; do
            for resume in on off; do checks_of_cell; done
        done
        io=auto resume=on
        for one in $(ciphers_of "$version" "$key"); do
            cipher=$one check "$one" tls_run "requests == 10" -u 1 --iterations 10 --ciphers "$one"
        done
    fi
    rows+=("$server|$server_version|$version|$key|$row_passed|$row_failed|$counts")
    passed=$((passed + row_passed)) failed=$((failed + row_failed))
    end_processes
}

# ---------------------------------------------------------------- servers

each_cell() { # SERVER SERVER_VERSION START: START is called with $port $version $key, $cert and $private set
    local version key cert private port url
    echo "$1 $2"
    for version in $versions; do
        for key in $keys; do
            cert=$work/$key.pem private=$work/$key.key
            port=$(free_port) url=https://localhost:$port/index.html
            : >"$work/seen"; chmod a+rw "$work/seen"
            "$3"
            cells "$1" "$2" "$key"
        done
    done
}

start_nginx() {
    cat >"$work/nginx.conf" <<CONF
daemon off; pid $work/nginx.pid; error_log $work/error.log; worker_processes 1;
events { worker_connections 512; }
http {
  log_format seen '\$connection_requests \$ssl_session_reused';
  access_log $work/seen seen; keepalive_requests 100; root $work/www;
  client_body_temp_path $work/tmp/a; proxy_temp_path $work/tmp/b; fastcgi_temp_path $work/tmp/c;
  uwsgi_temp_path $work/tmp/d; scgi_temp_path $work/tmp/e;
  server {
    listen 127.0.0.1:$port ssl;
    ssl_certificate $cert; ssl_certificate_key $private; ssl_protocols TLSv$version; ssl_session_cache shared:one:1m;
  }
}
CONF
    start nginx -c "$work/nginx.conf"
}

tls_nginx() {
    has_command nginx nginx-light nginx || return 0
    files
    local keeps=yes renews=yes full_line='^1 \.$' resumed_line='^1 r$'
    each_cell nginx "$(nginx -v 2>&1 | sed 's,.*/,,;s, .*,,')" start_nginx
}

start_haproxy() {
    local only="ssl-min-ver TLSv$version ssl-max-ver TLSv$version"
    cat >"$work/haproxy.conf" <<CONF
global
  log stdout format raw local0
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  log global
  log-format "seen %[http_first_req] %[ssl_fc_is_resumed]"
frontend app
  bind 127.0.0.1:$port ssl crt $work/$key-both.pem alpn http/1.1 $only
  http-request return status 200 content-type text/plain string "hello"
CONF
    haproxy -db -f "$work/haproxy.conf" >>"$work/seen" 2>"$work/server" & pids+=($!)
}

tls_haproxy() {
    has_command haproxy haproxy haproxy || return 0
    local keeps=yes renews=yes full_line='^seen 1 0$' resumed_line='^seen 1 1$'
    each_cell HAProxy "$(haproxy -v | sed -n '1s/HAProxy version \([0-9.]*\).*/\1/p')" start_haproxy
}

start_apache() {
    apache_conf "LoadModule socache_shmcb_module /usr/lib/apache2/modules/mod_socache_shmcb.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
SSLEngine on
SSLProtocol -all +TLSv$version
SSLSessionCache shmcb:$work/sessions(512000)
SSLCertificateFile $cert
SSLCertificateKeyFile $private
LogFormat \"%k %{SSL_SESSION_RESUMED}x\" seen
CustomLog $work/seen seen" >"$work/httpd.conf"
    start apache2 -f "$work/httpd.conf" -DFOREGROUND
}

tls_apache() {
    has_command apache2 apache2 apache || return 0
    files
    local keeps=yes renews=yes full_line='^0 Initial$' resumed_line='^0 Resumed$'
    each_cell Apache "$(apache2 -v | sed -n 's,.*Apache/\([0-9.]*\).*,\1,p')" start_apache
}

start_node() { start node "$here/tls_server.mjs" "$port" "$version" "$cert" "$private" "$work/seen"; }

tls_node() {
    has_command node nodejs node || return 0
    local keeps=yes renews=no full_line='^full$' resumed_line='^resumed$'
    each_cell "Node, https" "$(node --version)" start_node
}

start_uvicorn() { start "$python" "$here/tls_uvicorn.py" "$port" "$version" "$cert" "$private" "$work/seen"; }

tls_uvicorn() {
    has_python uvicorn uvicorn httptools || return 0
    local keeps=yes renews=yes full_line='^full$' resumed_line='^resumed$'
    each_cell uvicorn "$("$python" -c 'import uvicorn; print(uvicorn.__version__)')" start_uvicorn
}

start_openssl() {
    # It answers every request with a page of statistics, by HTTP/1.0, and ends the connection.
    start openssl s_server -accept "127.0.0.1:$port" -cert "$cert" -key "$private" "-tls${version/./_}" -www -quiet
}

tls_openssl() {
    has_command openssl openssl openssl || return 0
    local keeps=no renews=yes full_line="" resumed_line=""
    each_cell "openssl s_server -www" "$(openssl version | cut -d' ' -f2)" start_openssl
}

tls_all() { # SERVERS
    local server row name server_version tls key row_passed row_failed counts
    make_authority
    for server in $1; do
        declare -F "tls_$server" >/dev/null || { echo "no server is called $server here"; exit 2; }
        "tls_$server"
        end_processes
    done
    printf '\nhandshakes: full/resumed of 60 connections, with resumption on and off, io_uring then epoll\n'
    printf '%-22s %-10s %-4s %-5s %6s %6s  %s\n' server version TLS key passed failed handshakes
    for row in "${rows[@]}"; do
        IFS='|' read -r name server_version tls key row_passed row_failed counts <<<"$row"
        if [ -z "$server_version" ]; then
            printf '%-22s %s\n' "$name" "$tls"
        else
            printf '%-22s %-10s %-4s %-5s %6s %6s %s\n' "$name" "$server_version" "$tls" "$key" "$row_passed" "$row_failed" "$counts"
        fi
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
