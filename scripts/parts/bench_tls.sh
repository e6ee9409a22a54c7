# Sourced by bench.sh for --tls: the servers, and what the table says about them.
# The responder serves both ports from one thread; nginx likewise, from one process. Requests are counted on the plain one.

start_tls_server() { # [ANSWER_BYTES]
    case $serves in
    responder)
        local tickets=()
        [ $mode != tls-handshakes ] || tickets=(--no-tickets)
        start_server "$work/responder" taskset -c 1 "$responder" --listen 127.0.0.1:0 -t 7200 \
            --tls "$work/root.pem" "${tickets[@]}" ${1:+--answer-bytes "$1"}
        https=$(grep -o 'https://[0-9.:]*' "$work/responder")
        ;;
    nginx) start_nginx "${1:-15}" ;;
    esac
    address=${url#http://}
    trust=(--cacert "$work/root.pem")
    write_requests
}

# One process on two ports, with a P-256 certificate. The answers are the responder's.
start_nginx() { # ANSWER_BYTES
    command -v nginx >/dev/null || { echo "nginx is not installed (apt-get install nginx-light)"; exit 1; }
    local plain secure tickets=on
    [ $mode != tls-handshakes ] || tickets=off
    read -r plain secure < <(python3 -c 'import socket
both = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*[one.getsockname()[1] for one in both])')
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/key.pem" -out "$work/root.pem" \
        -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -addext basicConstraints=critical,CA:FALSE 2>/dev/null
    head -c "$1" /dev/zero | tr '\0' x >"$work/answer"
    cat >"$work/nginx.conf" <<CONF
daemon off; master_process off; worker_processes 1; pid $work/nginx.pid; error_log $work/nginx.log;
worker_rlimit_nofile $(ulimit -n);
events { worker_connections 20000; }
http {
    access_log off; default_type application/json;
    keepalive_timeout 7200s; keepalive_requests 1000000000; tcp_nodelay on; sendfile on;
    client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
    ssl_certificate $work/root.pem; ssl_certificate_key $work/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off; ssl_session_tickets $tickets;
    server {
        listen 127.0.0.1:$plain backlog=16384; listen 127.0.0.1:$secure ssl backlog=16384;
        location = /answered { stub_status; }
        location = /body { alias $work/answer; open_file_cache max=10; }
        location ~ /notify\$ { return 200 '{"status":"success","message":"Agent registered successfully."}'; }
        location ~ /state\$ { return 200 '{"agentId":"a","state":"UNKNOWN","details":{"reason":"Initial registration"},"timestamp":"2026-11-23T21:03:45.023768Z"}'; }
        location ~ /workflow\$ { return 202 '{"sessionId":"d96aaa22-a187-4972-a633-b41aa48fa1a6","workflowId":"sample_workflow_id","message":"Workflow triggered successfully"}'; }
    }
}
CONF
    taskset -c 1 nginx -e "$work/nginx.log" -c "$work/nginx.conf" &
    server=$!
    pids+=("$server")
    url=http://127.0.0.1:$plain https=https://127.0.0.1:$secure
    for _ in $(seq 100); do
        ! curl -s -o /dev/null "$url/answered" || return 0
        sleep 0.1
    done
    echo "nginx did not start: $(cat "$work/nginx.log")"
    exit 1
}

tls_notes() { # NOTES
    local of="a canned responder with rustls (testbed/src/bin/responder --tls)"
    [ $serves = responder ] || of="nginx, one process"
    echo "${1//the responder on another/the server on another: $of}"
    echo "P-256 certificate; opsurge and oha verify it, wrk, h2load and the bare loop do not (handshakes lie before the window). \
The server's own encryption can be the limit of requests/s: see \"responder busy\"; CPU per request is the client's alone."
    [ $mode != tls-handshakes ] || echo "The server gives out no ticket and keeps no session, so that every handshake is a full one, opsurge's and oha's, \
which has no flag for it. Each connection carries one request and is closed. oha verifies the certificate chain in each handshake, opsurge once a \
second, and both the server's signature in each."
}
