//! Patterns of routes: which path and which query parameters become which fields.

use bellwire_services::kit::{Code, Fault, Payload};
use serde_json::Value;

/// A part of a request that becomes a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's name.
    pub name: &'static str,
    /// Whether it is a whole number; else a text.
    pub is_number: bool,
}

impl Field {
    fn parse(text: &'static str) -> Field {
        match text.strip_suffix(":int") {
            Some(name) => Field { name, is_number: true },
            None => Field { name: text, is_number: false },
        }
    }

    /// The field's value; `None` for what is no whole number where one is due.
    fn value(&self, text: &str) -> Option<Value> {
        match self.is_number {
            true => {
                let number: i64 = text.parse().ok()?;
                (number.to_string() == text).then(|| number.into())
            }
            false => Some(text.into()),
        }
    }
}

/// A pattern, taken apart; see [`Route`](bellwire_services::kit::Route).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The path as the router wants it: names in braces.
    pub path: String,
    /// What stands in braces.
    pub segments: Vec<Field>,
    /// Query parameters.
    pub parameters: Vec<Field>,
}

impl Pattern {
    /// Takes a pattern apart.
    pub fn parse(pattern: &'static str) -> Pattern {
        let (path, query) = pattern.split_once('?').unwrap_or((pattern, ""));
        let segments = path.split('/').filter_map(|segment| {
            segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')).map(Field::parse)
        });
        Pattern {
            path: path.replace(":int}", "}"),
            segments: segments.collect(),
            parameters: query
                .split('&')
                .filter(|name| !name.is_empty())
                .map(Field::parse)
                .collect(),
        }
    }

    /// Whether it shows a list rather than one thing.
    pub fn is_list(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.name == "limit")
    }

    /// Adds the fields of a path; `None` if it leads nowhere.
    pub fn add_segments<'a>(
        &self,
        found: impl Iterator<Item = (&'a str, &'a str)>,
        payload: &mut Payload,
    ) -> Option<()> {
        for (name, text) in found {
            let field = self.segments.iter().find(|field| field.name == name)?;
            if text.contains('\0') {
                return None;
            }
            payload.insert(name.to_owned(), field.value(text)?);
        }
        Some(())
    }

    /// Adds the fields of a query. Parameters that the pattern does not name are ignored.
    ///
    /// # Errors
    /// [`Code::Invalid`] for one that comes twice, or is no number where one is due.
    pub fn add_parameters(&self, query: &str, payload: &mut Payload) -> Result<(), Fault> {
        let mut seen: Vec<&str> = Vec::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let Some(field) = self.parameters.iter().find(|field| field.name == name) else {
                continue;
            };
            let wrong = |why: &str| Fault::new(Code::Invalid, format!("{}: {why}", field.name));
            if seen.contains(&field.name) {
                return Err(wrong("comes twice"));
            }
            if text.contains(['\0', '\u{fffd}']) {
                return Err(wrong("is no text"));
            }
            seen.push(field.name);
            let value = field.value(&text).ok_or_else(|| wrong("a whole number"))?;
            payload.insert(field.name.to_owned(), value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERN: &str = "/api/things/{thing_id:int}/parts/{name}?limit:int&from";

    #[test]
    fn a_pattern_is_taken_apart() {
        let pattern = Pattern::parse(PATTERN);
        assert_eq!(pattern.path, "/api/things/{thing_id}/parts/{name}");
        assert!(pattern.is_list());
        let plain = Pattern::parse("/api/things");
        assert_eq!(
            (&*plain.path, plain.segments.len(), plain.is_list()),
            ("/api/things", 0, false)
        );
    }

    #[test]
    fn fields_of_a_request() {
        let check = |segments: &[(&str, &str)], query: &str, expected: Result<&str, &str>| {
            let pattern = Pattern::parse(PATTERN);
            let mut payload = Payload::new();
            let result = match pattern.add_segments(segments.iter().copied(), &mut payload) {
                None => Err("nowhere".to_owned()),
                Some(()) => pattern
                    .add_parameters(query, &mut payload)
                    .map_err(|fault| fault.message.into_owned()),
            };
            let result = result.map(|()| Value::Object(payload).to_string());
            assert_eq!(
                result.as_deref().map_err(|error| &**error),
                expected,
                "{segments:?} {query}"
            );
        };
        check(&[], "", Ok("{}"));
        check(&[("thing_id", "7"), ("name", "a b")], "", Ok(r#"{"thing_id":7,"name":"a b"}"#));
        for nowhere in ["", "x", "7x", "07", "+7", " 7", "9223372036854775808", "1.0", "\u{661}"] {
            check(&[("thing_id", nowhere)], "", Err("nowhere"));
        }
        check(&[("thing_id", "-1")], "", Ok(r#"{"thing_id":-1}"#));
        check(&[("name", "a\0")], "", Err("nowhere"));
        check(&[], "limit=10&from=x%20y&else=1", Ok(r#"{"limit":10,"from":"x y"}"#));
        check(&[], "limit=ten", Err("limit: a whole number"));
        check(&[], "limit=", Err("limit: a whole number"));
        check(&[], "limit=1&limit=2", Err("limit: comes twice"));
        check(&[], "from=%ff", Err("from: is no text"));
        check(&[], "from=%00", Err("from: is no text"));
        check(&[], "from=1+1", Ok(r#"{"from":"1 1"}"#));
        check(&[], "limit", Err("limit: a whole number"));
        check(&[], "&&=&from", Ok(r#"{"from":""}"#));
    }
}
