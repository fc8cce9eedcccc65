//! Names that people give to things.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// 1 to `CHARS_MAX` characters, none of them a control character or blank at an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Label<const CHARS_MAX: usize>(String);

impl<const CHARS_MAX: usize> Label<CHARS_MAX> {
    /// The name, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        is_label(text, CHARS_MAX).then(|| Label(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is a name of at most so many characters: see [`Label`].
pub fn is_label(text: &str, chars_max: usize) -> bool {
    (1..=chars_max).contains(&text.chars().count())
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

impl<'de, const CHARS_MAX: usize> Deserialize<'de> for Label<CHARS_MAX> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Label::parse(&String::deserialize(from)?).ok_or_else(|| {
            D::Error::custom(format!(
                "1 to {CHARS_MAX} characters, none of them a control character or blank at an end"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_s_things() {
        let longest = "\u{e4}".repeat(8);
        for name in ["a", "Kitchen (Updated)", "\u{5d0}\u{5d1}", "a\u{200b}b", "<b>&", &longest] {
            assert!(Label::<8>::parse(name).is_some() == (name.chars().count() <= 8), "{name:?}");
        }
        for other in ["", " ", " a", "a ", "a\n", "\u{0}", "a\u{85}b", &format!("{longest}x")] {
            assert!(Label::<8>::parse(other).is_none(), "{other:?}");
        }
    }
}
