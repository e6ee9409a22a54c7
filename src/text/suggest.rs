//! "Did you mean": the known name that is nearest to an unknown one.

/// The known name that is most like a text, put as a question.
pub fn did_you_mean<'n>(text: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    let near = known
        .into_iter()
        .map(|name| match name.starts_with(text) && text.len() > 2 {
            true => (1, name),
            false => (strsim::damerau_levenshtein(name, text), name),
        })
        .min();
    match near {
        Some((distance, name)) if 2 * distance <= name.len().max(text.len()) => {
            format!("; did you mean \"{name}\"?")
        }
        _ => String::new(),
    }
}
