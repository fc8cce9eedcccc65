//! Versions of what a GET shows (RFC 9110 section 8.8.3), and requests that name them.

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

/// The version of a representation: a strong tag, from a digest of its text.
pub fn etag(json: &str) -> String {
    let digest = Sha256::digest(json);
    let digits: String = digest[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

/// The versions that a header `If-Match` or `If-None-Match` lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tags {
    /// `*`: any that is there.
    Any,
    /// One of these, quotes included.
    Listed(Vec<String>),
}

impl Tags {
    /// Reads a header; `None` if it is absent. One that is not well-formed lists nothing, so `If-Match`
    /// fails and `If-None-Match` does nothing.
    pub fn of(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<Tags> {
        let mut values = headers.get_all(name).iter().peekable();
        values.peek()?;
        let text: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
        let tags = text.iter().flat_map(|text| text.split(',')).map(str::trim);
        let tags: Vec<String> = tags.filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        Some(if tags == ["*"] { Tags::Any } else { Tags::Listed(tags) })
    }

    /// Whether the representation is one of these; with weak tags only where `weak` says that those
    /// count (section 8.8.3.2).
    fn has(&self, json: &str, weak: bool) -> bool {
        matches!(self, Tags::Any) || self.lists(&etag(json), weak)
    }

    fn lists(&self, own: &str, weak: bool) -> bool {
        let Tags::Listed(tags) = self else { return true };
        tags.iter().any(|tag| tag == own || (weak && tag.strip_prefix("W/") == Some(own)))
    }

    /// Whether `If-Match` lets a change of this representation through.
    pub fn admits(&self, json: &str) -> bool {
        self.has(json, false)
    }

    /// Whether `If-None-Match` says that the client has this representation.
    pub fn is_known(&self, json: &str) -> bool {
        self.has(json, true)
    }

    /// The same, of a representation whose tag is known.
    pub fn is_named(&self, tag: &str) -> bool {
        self.lists(tag, true)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::IF_MATCH;

    use super::*;

    #[test]
    fn lists_of_tags() {
        let own = etag("{}");
        assert!(own.len() == 26 && own != etag("{} "), "{own}");
        let check = |lines: &[String], admitted: bool, known: bool| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(IF_MATCH, line.parse().expect("a value"));
            }
            let tags = Tags::of(&headers, IF_MATCH).expect("it is there");
            assert_eq!((tags.admits("{}"), tags.is_known("{}")), (admitted, known), "{lines:?}");
        };
        check(&["*".into()], true, true);
        check(std::slice::from_ref(&own), true, true);
        check(&[format!("\"x\", {own}")], true, true);
        check(&["\"x\"".into(), own.clone()], true, true);
        check(&[format!("W/{own}")], false, true);
        check(&["\"x\"".into()], false, false);
        check(&["".into()], false, false);
        check(&[own.trim_matches('"').into()], false, false);
        check(&[format!("*, {own}x")], false, false);
        assert_eq!(Tags::of(&HeaderMap::new(), IF_MATCH), None);
    }
}
