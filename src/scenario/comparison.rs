//! Comparisons with a value of JSON, as text: `> 5`, `1..100`, `!= failed`.

use std::fmt;

use serde_json::Value as Json;

use super::pointer::Found;

/// A comparison with a value of JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The value is a number, and compares so with another.
    Number(Operator, Bound),
    /// The value is a number from one to another, both included.
    Range(Bound, Bound),
    /// The value is there, and is another.
    Not(Json),
}

/// How two numbers compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// A number to compare with. It is finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound(f64);

// INVARIANT: never NaN.
impl Eq for Bound {}

impl Comparison {
    /// Reads a comparison.
    ///
    /// # Errors
    /// The reason, and what would be right.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXAMPLES: &str = "write for example \"> 5\", \"<= 0.5\", \"1..100\" or \"!= failed\"";
        let text = text.trim();
        if let Some(other) = text.strip_prefix("!=") {
            let other = other.trim();
            let json = serde_json::from_str(other);
            return Ok(Self::Not(json.unwrap_or_else(|_| other.into())));
        }
        let operators = [
            (">=", Operator::AtLeast),
            ("<=", Operator::AtMost),
            (">", Operator::Above),
            ("<", Operator::Below),
        ];
        let mut known = operators.into_iter();
        if let Some((sign, operator)) = known.find(|(sign, _)| text.starts_with(sign)) {
            return Ok(Self::Number(operator, Bound::parse(&text[sign.len()..])?));
        }
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (Bound::parse(from)?, Bound::parse(to)?);
            return match from.0 <= to.0 {
                true => Ok(Self::Range(from, to)),
                false => Err(format!(
                    "the range ends before it begins; write \"{to}..{from}\""
                )),
            };
        }
        Err(match text.trim_start_matches('=').trim() {
            "" => format!("a comparison is missing; {EXAMPLES}"),
            value => format!(
                "\"{text}\" is no comparison; {EXAMPLES}; for a value that is equal, write json = {{ \"/pointer\" = {} }}",
                serde_json::from_str(value).unwrap_or_else(|_| Json::from(value))
            ),
        })
    }

    /// A value that compares so.
    pub fn example(&self) -> Json {
        let number = match self {
            Self::Not(other) => {
                let value = ["other", "another"].map(Json::from);
                return value
                    .into_iter()
                    .find(|it| it != other)
                    .unwrap_or(Json::Null);
            }
            Self::Number(Operator::Above, bound) => bound.0.floor() + 1.0,
            Self::Number(Operator::Below, bound) => bound.0.ceil() - 1.0,
            Self::Number(_, bound) | Self::Range(bound, _) => bound.0,
        };
        Json::from(number)
    }

    /// Whether a value of JSON compares so.
    pub fn holds(&self, found: Found<'_>) -> bool {
        match self {
            Self::Not(other) => !found.is(other),
            // Only a number parses; texts begin with a quote.
            _ => found
                .raw()
                .parse()
                .is_ok_and(|number| self.holds_for(number)),
        }
    }

    /// Whether a number compares so.
    pub fn holds_for(&self, number: f64) -> bool {
        match self {
            Self::Number(Operator::Above, bound) => number > bound.0,
            Self::Number(Operator::AtLeast, bound) => number >= bound.0,
            Self::Number(Operator::Below, bound) => number < bound.0,
            Self::Number(Operator::AtMost, bound) => number <= bound.0,
            Self::Range(from, to) => (from.0..=to.0).contains(&number),
            Self::Not(other) => other.as_f64() != Some(number),
        }
    }
}

impl Bound {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Self(number)),
            _ => Err(format!("\"{text}\" is not a number")),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self {
            Self::Number(Operator::Above, bound) => (">", bound),
            Self::Number(Operator::AtLeast, bound) => (">=", bound),
            Self::Number(Operator::Below, bound) => ("<", bound),
            Self::Number(Operator::AtMost, bound) => ("<=", bound),
            Self::Range(from, to) => return write!(f, "{from}..{to}"),
            Self::Not(other) => return write!(f, "!= {other}"),
        };
        write!(f, "{sign} {bound}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, yes: &[&'static str], no: &[&'static str]) {
        let comparison = Comparison::parse(text).expect(text);
        for json in yes {
            assert!(comparison.holds(Found::new(json)), "{json} {text}");
        }
        for json in no {
            assert!(!comparison.holds(Found::new(json)), "{json} {text}");
        }
        assert_eq!(Comparison::parse(&comparison.to_string()), Ok(comparison));
    }

    #[test]
    fn numbers_compare_as_numbers_and_nothing_else_does() {
        check(
            "> 5",
            &["6", "5.1", "1e3"],
            &["5", "-6", "\"6\"", "null", "[6]", "true"],
        );
        check(">=5", &["5", "5.0"], &["4.99"]);
        check("<0.5", &["0.4", "-1"], &["0.5", "\"a\""]);
        check("<= -1", &["-1", "-2e2"], &["0"]);
        check("1..100", &["1", "100", "7.5"], &["0", "100.5", "\"7\""]);
        check("!= failed", &["\"done\"", "7", "null"], &["\"failed\""]);
        check("!= 7", &["8", "\"7\""], &["7", "7.0"]);
        check("!= null", &["0"], &["null"]);
    }

    #[test]
    fn what_is_no_comparison_is_refused_with_the_cure() {
        let refused = |text| Comparison::parse(text).expect_err(text);
        assert!(refused("= done").contains(r#"json = { "/pointer" = "done" }"#));
        assert!(refused("5").contains(r#"json = { "/pointer" = 5 }"#));
        assert!(refused("").contains("is missing"));
        assert!(refused("> many").contains("\"many\" is not a number"));
        assert!(refused("> NaN").contains("not a number"));
        assert!(refused("9..1").contains("\"1..9\""));
    }
}
