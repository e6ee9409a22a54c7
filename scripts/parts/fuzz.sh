#!/usr/bin/env bash
# Coverage-guided fuzzing of one byte parser
#   scripts/measure fuzz decoder|scenario|record|rules|wire SECONDS
# cargo-fuzz needs a nightly compiler. The stable one has the same passes behind RUSTC_BOOTSTRAP, and libfuzzer-sys
# brings libFuzzer along: Rust and a C++ compiler are enough. AddressSanitizer watches unless SANITIZER=none.
# The corpus stays in fuzz/corpus/TARGET, findings in fuzz/artifacts/TARGET: add each finding to FINDINGS in
# tests/it/fuzzed.rs.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -n "${2:-}" ] || { scripts/measure help fuzz; exit 2; }
target=$1 seconds=$2
host=$(rustc -vV | sed -n 's/^host: //p')
corpus=fuzz/corpus/$target
artifacts=fuzz/artifacts/$target
mkdir -p "$corpus" "$artifacts"

flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
flags+=" -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
flags+=" -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
[ "${SANITIZER:-address}" = none ] || flags+=" -Zsanitizer=${SANITIZER:-address}"

# --target keeps the flags away from build scripts and procedural macros.
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" \
    cargo build --manifest-path fuzz/Cargo.toml --release --target "$host" --bin "$target" -j2

# The first corpus: the examples of the seeded tests.
OPSURGE_EXAMPLES=$corpus \
    cargo test --locked --quiet --test it fuzzed::examples_are_written_where_they_are_wanted >/dev/null

exec "fuzz/target/$host/release/$target" "$corpus" -artifact_prefix="$artifacts/" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1
