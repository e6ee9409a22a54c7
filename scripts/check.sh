#!/usr/bin/env bash
# Everything that CI checks: format, lints, tests, docs, scripts. Needs Rust only; names what it had to skip.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

for component in rustfmt clippy; do
    if ! cargo "${component/rust/}" --version >/dev/null 2>&1; then
        step "installing $component"
        rustup component add "$component" || echo "SKIPPED: $component is not available"
    fi
done

if cargo fmt --version >/dev/null 2>&1; then
    step "format"
    cargo fmt --all --check
else
    echo "SKIPPED: cargo fmt is missing"
fi
if cargo clippy --version >/dev/null 2>&1; then
    step "lints"
    cargo clippy --locked --workspace --all-targets -- -D warnings
else
    echo "SKIPPED: cargo clippy is missing"
fi
step "tests"
cargo test --locked
step "docs"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
step "scripts"
for script in scripts/*.sh scripts/{measure,package,screenshots} scripts/parts/{,interop/}*.sh; do bash -n "$script"; done
[ -d ../shared ] || echo "SKIPPED: tests on outside cases need ../shared, which is not here"
step "all checks passed"
