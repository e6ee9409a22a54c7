//! Whether cargo itself is calling: `cargo bench` and `cargo test` start every benchmark, with arguments of their own.

/// Whether `required`, which every call of ours has, is missing.
pub fn is_called_by_cargo(required: &str) -> bool {
    !std::env::args().any(|argument| argument.starts_with(required))
}
