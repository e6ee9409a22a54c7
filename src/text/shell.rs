//! A command line as a person would type it: words with signs that a shell obeys stand in single quotes (POSIX.1-2017,
//! section 2.2.2).

/// The words in one line.
pub fn line(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    words.join(" ")
}

fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@,+%…".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        let words = ["run", "mixed", "--fail-if", "p99>50ms", "it's", ""].map(str::to_owned);
        assert_eq!(line(&words), r"run mixed --fail-if 'p99>50ms' 'it'\''s' ''");
    }
}
