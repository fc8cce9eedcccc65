//! The numbers by which clients know things, and how they are spelled.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{Code, Fault, Tx};

/// The number by which clients know a thing, e.g. a sensor or a station: 1 to JavaScript's `Number.MAX_SAFE_INTEGER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Number(#[schemars(range(min = 1, max = Self::MAX))] i64);

impl Number {
    /// The largest.
    pub const MAX: i64 = (1 << 53) - 1;

    /// This number, if it is one.
    pub fn new(number: i64) -> Option<Number> {
        (1..=Self::MAX).contains(&number).then_some(Number(number))
    }

    /// The next of a sequence.
    ///
    /// # Errors
    /// [`Code::Internal`] after the largest; the store's.
    pub fn next(tx: &mut Tx<'_>, sequence: &str) -> Result<Number, Fault> {
        let number = Number::new(tx.next_id(sequence)?);
        number.ok_or_else(|| Fault::new(Code::Internal, "no number is left"))
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Number::new(i64::deserialize(from)?)
            .ok_or_else(|| D::Error::custom("a whole number from 1 on"))
    }
}

/// The number of a thing, from 1 on, that is written so: digits without a leading zero. So a thing has one spelling.
/// It goes beyond [`Number::MAX`], for ids that clients get as text, such as users'.
pub fn number(digits: &str) -> Option<i64> {
    let number: i64 = digits.parse().ok()?;
    (number >= 1 && number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (digits, expected) in [
            ("1", Some(1)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("0", None),
            ("-1", None),
            ("+1", None),
            ("01", None),
            (" 1", None),
            ("1.0", None),
            ("\u{661}", None),
            ("", None),
        ] {
            assert_eq!(number(digits), expected, "{digits:?}");
        }
    }

    #[test]
    fn numbers_are_those_that_clients_count_to() {
        for (text, is_one) in [
            ("1", true),
            ("9007199254740991", true),
            ("9007199254740992", false),
            ("0", false),
            ("-1", false),
            ("1.0", false),
            ("\"1\"", false),
            ("null", false),
        ] {
            assert_eq!(serde_json::from_str::<Number>(text).is_ok(), is_one, "{text}");
        }
    }
}
