//! What `--version` prints: the version, and how this program was built (see `build.rs`).

/// Four lines, each within 60 columns: version (commit, profile); target, compiler; crates; features. The commit is
/// missing in a debug build and outside git; a plus sign after it says that the source differed from it.
pub(super) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (",
    env!("OPSURGE_ORIGIN"),
    ")\n",
    env!("OPSURGE_BUILD"),
    "\n",
    env!("OPSURGE_CRATES"),
    "\n",
    env!("OPSURGE_FEATURES")
);

/// The error of a command that this build has no code for.
#[cfg(not(feature = "locust"))]
pub(super) fn left_out(what: &str, feature: &str) -> anyhow::Result<crate::session::exit::Exit> {
    anyhow::bail!(
        "this build has not {what}; take a package, which has everything, or build with `cargo build --release --features \
         {feature}`"
    )
}
