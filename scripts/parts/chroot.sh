#!/usr/bin/env bash
# The static binary in an empty root: run, report and doctor with no library, no shell, no /proc beside them
#   scripts/measure chroot      half a minute; what a container image of the binary alone gives it (Dockerfile)
# A folder holds the binary and nothing else, and is the root of its process, which has no rights (user 65534): run against
# the stand-in, request, report, doctor, an HTML page. Each must end with exit code 0. Needs root, or user namespaces.
# Environment: OPSURGE (a static binary, by default that of scripts/package, or a new build for musl).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
if [ -z "${OPSURGE:-}" ]; then
    target=$(uname -m)-unknown-linux-musl
    cargo build --profile dist --features full --locked --quiet --target "$target"
    OPSURGE=${CARGO_TARGET_DIR:-$PWD/target}/$target/dist/opsurge
fi
use_release
! readelf -l "$opsurge" | grep -q INTERP || { echo "$opsurge is not static: it needs a loader that is not there"; exit 2; }

root=$work/root
mkdir "$root"
cp "$opsurge" "$root/opsurge"
chmod 755 "$work" "$root/opsurge"
chmod 777 "$root" # For the files that a run leaves behind.
chroot=$(PATH=$PATH:/usr/sbin:/sbin command -v chroot)
if [ "$(id -u)" = 0 ]; then
    inside=("$chroot" --userspec=65534:65534 "$root")
else
    inside=("$(command -v unshare)" --user --map-root-user "$chroot" "$root")
fi
checks=0
failed=0
holds() { # EXPECTED COMMAND...: exit code 0, and this text in the output
    local expected=$1 code=0
    shift
    timeout 60 env -i "${inside[@]}" /opsurge "$@" >"$work/output" 2>&1 || code=$?
    checks=$((checks + 1))
    if [ $code != 0 ] || ! grep -q -- "$expected" "$work/output"; then
        echo "FAILED: opsurge $* ended with $code, and '$expected' was expected in:"
        cat "$work/output"
        failed=1
    fi
}
holds "^opsurge 0" --version
holds "requests," run mixed --mock --headless -u 20 --wait 0 --pause 0 -t 2s --json /run.json
cat "$work/output"
# Without /proc the program's own memory is still known.
! grep -q "the program 0 B" "$work/output" || { echo "FAILED: the program's memory is not known"; failed=1; }
holds "requests," report /run.json --html /run.html
holds "requests," run --mock --headless --io epoll -u 20 --wait 0 --pause 0 -t 1s
holds "io_uring" doctor
cat "$work/output"
holds "wrote\|manual pages" man /man
[ -s "$root/run.html" ] && [ -s "$root/man/opsurge-run.1" ] || { echo "FAILED: files were not written"; failed=1; }
[ $failed = 0 ] && echo "all as it should be: $checks commands in an empty root"
exit $failed
