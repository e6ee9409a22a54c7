# Sourced by the other scripts: the release binary, processes in the background, and one end for all of them.
# Sets $work, a temporary folder. At exit all processes are terminated and waited for, and the folder is removed.

work=$(mktemp -d)
pids=()
end_processes() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    pids=()
}
trap 'end_processes; rm -rf "$work"' EXIT

# Sets $opsurge to a release build of this source, with cargo's flags. OPSURGE=PATH names another binary, and nothing is built.
use_release() { # [FLAG...]
    opsurge=${OPSURGE:-}
    [ -z "$opsurge" ] || return 0
    cargo build --release --locked --quiet "$@"
    opsurge=${CARGO_TARGET_DIR:-$PWD/target}/release/opsurge
}

# Starts a server that prints its URL once it listens; sets $url and $server, its process.
start_server() { # OUTPUT COMMAND...
    local output=$1
    shift
    : >"$output"
    "$@" >"$output" &
    server=$!
    pids+=("$server")
    for _ in $(seq 100); do
        url=$(grep -o 'http://[0-9.:]*' "$output" || true)
        [ -z "$url" ] || return 0
        sleep 0.1
    done
    echo "$1 did not start"
    exit 1
}
