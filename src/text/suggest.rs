//! "Did you mean": the known name that is nearest to an unknown one.

/// A beginning of a name from this length on is one edit away from the name, however much is missing.
const PREFIX_CHARS_MIN: usize = 3;

/// The known name that is nearest to a text, as a question to append to an error: `; did you mean "weight"?`. Empty when
/// no name is near: when more than half of the longer one's letters differ. Upper and lower case are the same.
pub fn did_you_mean<'n>(text: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    match nearest(text, known) {
        Some((distance, name)) if 2 * distance <= name.len().max(text.len()) => {
            format!("; did you mean \"{name}\"?")
        }
        _ => String::new(),
    }
}

/// The known name with the fewest edits (Damerau-Levenshtein) between it and a text, and their number.
pub(super) fn nearest<'n>(
    text: &str,
    known: impl IntoIterator<Item = &'n str>,
) -> Option<(usize, &'n str)> {
    let lower = text.to_lowercase();
    let distance = |name: &str| {
        let name = name.to_lowercase();
        match name.starts_with(&lower) && lower.len() >= PREFIX_CHARS_MIN && name != lower {
            true => 1,
            false => strsim::damerau_levenshtein(&name, &lower),
        }
    };
    let known = known.into_iter();
    known.map(|name| (distance(name), name)).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested_unless_none_is_near() {
        let suggested = |text| did_you_mean(text, ["weight", "exponential", "GET"]);
        assert_eq!(suggested("wieght"), "; did you mean \"weight\"?");
        assert_eq!(suggested("exp"), "; did you mean \"exponential\"?");
        assert_eq!(suggested("get"), "; did you mean \"GET\"?");
        assert_eq!(suggested("name"), "");
        assert_eq!(did_you_mean("name", []), "");
    }
}
