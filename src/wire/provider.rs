//! The cryptography of TLS: ring's, or that of AWS-LC in a program that was built with `--features aws-lc-rs`.

#[cfg(feature = "aws-lc-rs")]
pub(super) use rustls::crypto::aws_lc_rs::default_provider;
#[cfg(not(feature = "aws-lc-rs"))]
pub(super) use rustls::crypto::ring::default_provider;

/// Its name in records.
pub const PROVIDER: &str = if cfg!(feature = "aws-lc-rs") {
    "aws-lc-rs"
} else {
    "ring"
};
