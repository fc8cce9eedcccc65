//! JSON read strictly (RFC 8259, with the choices of RFC 7493, I-JSON): a text has one meaning or
//! is refused.
//!
//! Refused are syntax errors, a byte order mark, lone surrogates, more than [`DEPTH_MAX`] levels,
//! a key twice in one object at any level (compared after unescaping), `\u0000` in any string or
//! key (not every database can store it), and a top level that is no object. Keys keep their
//! order, 64-bit integers are exact, floats round trip.
//!
//! A number that is well-formed but larger than any `f64`, such as `1e400`, is no syntax error: it
//! is a bad *field*, and [`Malformed::Number`] says which, so that the answer can name it.
//!
//! The hot path is one pass of `serde_json` into values. Only a text that fails there, and not by
//! our own rules, is read again to see whether numbers were all that was wrong; that costs two more
//! passes, whatever the text.
//!
//! For those who write JSON there is `escaped`, and no more: they put texts together.
//!
//! Not here: which keys a message may have, and what unknown ones mean.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{Number, Value};

/// An object, its keys in the order of the text.
pub type Object = serde_json::Map<String, Value>;

/// Most levels of objects and arrays; the top-level object is the first.
pub const DEPTH_MAX: usize = 32;

/// Why a text was refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Malformed {
    /// It is not JSON as this module defines it. The words say what and where, and never repeat
    /// the text.
    Syntax(String),
    /// It is, but a number is too large for any `f64`.
    Number {
        /// The top-level key whose value is or contains that number; the first, if there are more.
        field: String,
        /// All top-level fields without such a number, so that the caller can still name the
        /// operation and echo the request's id.
        rest: Object,
    },
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Syntax(words) => f.write_str(words),
            Malformed::Number { field, .. } => write!(f, "number out of range in {field:?}"),
        }
    }
}

impl std::error::Error for Malformed {}

/// Reads a text that must be one JSON object.
///
/// # Errors
///
/// See [`Malformed`].
pub fn object(text: &str) -> Result<Object, Malformed> {
    strict(text).map_err(|error| {
        // Our own rules raise data errors, numbers out of range are syntax errors to `serde_json`.
        match error.is_syntax().then(|| overflowing(text)).flatten() {
            Some((field, rest)) => Malformed::Number { field, rest },
            // What `serde_json` says of a value that is no object repeats it, whatever its length.
            None if error.is_data() && !text.trim_ascii_start().starts_with('{') => {
                Malformed::Syntax("expected a JSON object".to_owned())
            }
            None => Malformed::Syntax(error.to_string()),
        }
    })
}

/// `text` as it stands between the quotes of a JSON string (RFC 8259 section 7).
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        return Cow::Borrowed(text);
    }
    let quoted = Value::from(text).to_string();
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

/// Reads `text` as an object to its end.
fn strict(text: &str) -> serde_json::Result<Object> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let object = (&mut deserializer).deserialize_map(Fields { depth: 1 })?;
    deserializer.end()?;
    Ok(object)
}

/// What [`Malformed::Number`] holds, if numbers out of range are all that is wrong with `text`.
fn overflowing(text: &str) -> Option<(String, Object)> {
    let (without, members) = without_overflows(text);
    let mut members = members.into_iter().peekable();
    let first = *members.peek()?;
    let fields = strict(&without).ok()?;

    // No key is there twice, so the fields are the members, one by one.
    let field = fields.keys().nth(first)?.clone();
    let rest = fields.into_iter().enumerate();
    let rest = rest.filter(|(member, _)| members.next_if_eq(member).is_none());
    let rest = rest.map(|(_, field)| field).collect();
    Some((field, rest))
}

/// `text` with null for each number out of range, and which members of the top level had one, in
/// order. It knows just enough of JSON for that: where strings, numbers and levels begin and end.
/// Other texts come out as wrong as they are, since null stands for nothing but a whole number.
fn without_overflows(text: &str) -> (String, Vec<usize>) {
    let bytes = text.as_bytes();
    let (mut out, mut members) = (String::with_capacity(text.len()), Vec::new());
    let (mut at, mut copied) = (0, 0);
    let (mut depth, mut member) = (0_usize, 0);
    while at < bytes.len() {
        let start = at;
        at += 1;
        match bytes[start] {
            b'"' => at += string_len(&bytes[at..]),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => member += 1,
            b'-' | b'0'..=b'9' => {
                let in_number =
                    |byte: &&u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                at += bytes[at..].iter().take_while(in_number).count();
                if is_overflow(&text[start..at]) {
                    out.push_str(&text[copied..start]);
                    out.push_str("null");
                    copied = at;
                    if members.last() != Some(&member) {
                        members.push(member);
                    }
                }
            }
            _ => {}
        }
    }
    out.push_str(&text[copied..]);
    (out, members)
}

/// How much of `bytes` belongs to the string that begins before them, its closing quote included.
pub(crate) fn string_len(bytes: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = bytes.iter().position(|&byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(bytes.len(), |quote| quote + 1)
}

/// Whether this is a number by JSON's grammar, and larger than any `f64`.
fn is_overflow(number: &str) -> bool {
    number.parse().is_ok_and(f64::is_infinite) && serde_json::from_str::<IgnoredAny>(number).is_ok()
}

/// Reads one value at this depth (of the object or array around it).
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Strict {
    /// What the values inside are read with, unless that is too deep.
    fn nested<E: serde::de::Error>(self) -> Result<Strict, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom(format_args!("nested over {DEPTH_MAX} levels")));
        }
        Ok(Strict { depth: self.depth + 1 })
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned())) // as in `Text`
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        Text.visit_str(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let nested = self.nested()?;
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(nested)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        let Strict { depth } = self.nested()?;
        Fields { depth }.visit_map(map).map(Value::Object)
    }
}

/// Reads an object that is itself at this depth.
struct Fields {
    depth: usize,
}

impl<'de> Visitor<'de> for Fields {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut object = Object::new();
        while let Some(key) = map.next_key_seed(Text)? {
            let value = map.next_value_seed(Strict { depth: self.depth })?;
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("duplicate key"));
            }
        }
        Ok(object)
    }
}

/// Reads a string or a key.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    /// A string that stands in the text as it is has no escapes, hence no control characters.
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<String, E> {
        Ok(value.to_owned())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<String, E> {
        if value.as_bytes().contains(&0) {
            return Err(E::custom("\\u0000 in a string"));
        }
        Ok(value.to_owned())
    }
}
