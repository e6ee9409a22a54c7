#!/usr/bin/env bash
# The Dockerfile built by docker, podman or buildah, and the image run: its files, its user, a run against the stand-in
#   scripts/measure image      as long as a build with full optimisation: some minutes; needs one of the three, and root
# The image must hold the binary and trusted roots, nothing else, and run as user 65534. The base image rust:1-bookworm is
# pulled from Docker Hub, unless it is there already. Where that is out of reach, buildah gets one in its place, of
# debootstrap's system and this machine's Rust and trusted roots; without debootstrap nothing is shown, and that is said.
# Environment: IMAGE_STORE (a folder for buildah's layers, by default a temporary one).
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/parts/processes.sh
tag=opsurge-measured
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
base=$(sed -n 's/^FROM \(.*\) AS build$/\1/p' Dockerfile)

if command -v docker >/dev/null && docker info >/dev/null 2>&1; then
    engine=(docker)
elif command -v podman >/dev/null; then
    engine=(podman)
elif command -v buildah >/dev/null; then
    store=${IMAGE_STORE:-$work/store}
    mkdir -p "$store"
    # No overlay and no namespaces: it also works inside a container.
    engine=(buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs)
    export BUILDAH_ISOLATION=chroot
else
    echo "SKIPPED: no docker with a daemon, no podman, no buildah (apt-get install buildah); nothing was shown"
    exit 0
fi
echo "building with ${engine[0]}"
has_base() { "${engine[@]}" "$@" "$base" >/dev/null 2>"$work/pull"; }

# A system with the compiler of this machine, under the name of the base image. It needs rustup, with the musl target.
make_base() {
    local from root rustup=usr/local/rustup cargo=usr/local/cargo toolchain program
    toolchain=$(rustup show active-toolchain | cut -d' ' -f1)
    rustup target add "$(uname -m)-unknown-linux-musl"
    from=$("${engine[@]}" from scratch)
    root=$("${engine[@]}" mount "$from")
    echo "no $base to pull: made from debootstrap and $toolchain"
    debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev "${base##*-}" "$root" >"$work/debootstrap"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    mkdir -p "$root/$rustup/toolchains/$toolchain" "$root/$cargo/bin"
    tar -C "$(rustc --print sysroot)" --exclude=share/doc -c . | tar -C "$root/$rustup/toolchains/$toolchain" -x
    printf 'version = "12"\ndefault_toolchain = "%s"\n' "$toolchain" >"$root/$rustup/settings.toml"
    cp -L "$(command -v rustup)" "$root/$cargo/bin/rustup"
    for program in cargo rustc; do ln -s rustup "$root/$cargo/bin/$program"; done
    "${engine[@]}" config --env "RUSTUP_HOME=/$rustup" --env "CARGO_HOME=/$cargo" \
        --env "PATH=/$cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "$from"
    "${engine[@]}" umount "$from" >/dev/null
    "${engine[@]}" commit --rm "$from" "docker.io/library/$base" >/dev/null 2>&1
}

if [ "${engine[0]}" = buildah ]; then
    has_base inspect --type image || has_base pull || { command -v debootstrap >/dev/null && make_base; } || missing=1
else
    has_base image inspect || has_base pull || missing=1
fi
[ -z "${missing:-}" ] || { echo "SKIPPED: $base cannot be pulled: $(tail -n 1 "$work/pull")"; exit 0; }

build=(build --build-arg "OPSURGE_COMMIT=$commit" -t "$tag" .)
[ "${engine[0]}" != buildah ] || build=(build --pull-never "${build[@]:1}")
began=$SECONDS
"${engine[@]}" "${build[@]}" >"$work/build" 2>&1 || { tail -n 30 "$work/build"; echo "FAILED: the image is not built"; exit 1; }
echo "built after $((SECONDS - began)) s"

# ---------------------------------------------------------------- the image

failed=0
fail() { echo "FAILED: $*"; failed=1; }
if [ "${engine[0]}" = buildah ]; then
    container=$("${engine[@]}" from --pull-never "localhost/$tag")
    root=$("${engine[@]}" mount "$container")
    user=$("${engine[@]}" inspect --format '{{.OCIv1.Config.User}}' "$container")
    list() { (cd "$root" && find . -type f | sort); }
    # buildah runs programs of an image for its builds only: the root and the user are set by chroot.
    run() { env -i "$(PATH=$PATH:/usr/sbin command -v chroot)" --userspec="$user" "$root" /opsurge "$@"; }
else
    container=$("${engine[@]}" create "$tag")
    user=$("${engine[@]}" inspect --format '{{.Config.User}}' "$container")
    list() { "${engine[@]}" export "$container" | tar -t | grep -v '/$' | sed 's#^#./#' | sort; }
    run() { "${engine[@]}" run --rm --network host --security-opt seccomp=unconfined "$tag" "$@"; }
fi
echo "user $user; files:"
list | tee "$work/files"
[ "$user" = 65534:65534 ] || fail "it runs as '$user'"
grep -qx ./opsurge "$work/files" && grep -qx ./etc/ssl/certs/ca-certificates.crt "$work/files" || fail "files are missing"
# An engine puts its own files beside them: resolv.conf, hosts, .dockerenv.
! grep -vE '^\./(opsurge|etc/ssl/certs/ca-certificates.crt|etc/(hosts|hostname|resolv.conf|mtab)|\.dockerenv|dev/.*|proc/.*|sys/.*|run/.*)$' \
    "$work/files" || fail "the image holds more than the program and trusted roots"
run --version | tee "$work/version"
[ -z "$commit" ] || grep -q "$commit" "$work/version" || fail "--version does not name commit $commit"
run run mixed --mock --headless -u 20 --wait 0 --pause 0 -t 1s >"$work/output" 2>&1 || fail "a run ended with $?"
cat "$work/output"
grep -q "requests," "$work/output" || fail "the run printed no report"
"${engine[@]}" rm "$container" >/dev/null
[ $failed = 0 ] && echo "all as it should be: the image holds the program and trusted roots, and runs as $user"
exit $failed
