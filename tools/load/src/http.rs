//! The little of HTTP/1.1 that long-polling needs: requests, and responses with a length.

use anyhow::{Context as _, Result, ensure};

use crate::handshake;

/// The longest response: no payload here comes near it.
const RESPONSE_LEN_MAX: usize = 256 * 1024;

/// The heads of the responses that are no refusals.
const TAKEN: [&str; 2] = ["HTTP/1.1 200", "HTTP/1.1 201"];

/// A whole response, borrowed from the bytes that it was read from.
#[derive(Debug, PartialEq)]
pub struct Response<'a> {
    /// Its content.
    pub body: &'a [u8],
    /// Bytes on the wire, head included.
    pub len: usize,
}

/// A GET on a connection that stays open.
pub fn get(host: impl std::fmt::Display, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes()
}

/// A POST of text on a connection that stays open.
pub fn post(host: impl std::fmt::Display, target: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain;charset=UTF-8\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A request of JSON with a method, a target and perhaps a bearer token, on a connection that stays
/// open.
pub fn json(
    host: impl std::fmt::Display,
    method_and_target: &str,
    token: Option<&str>,
    body: &str,
) -> Vec<u8> {
    format!(
        "{method_and_target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n{}\r\n{body}",
        body.len(),
        handshake::authorization(token)
    )
    .into_bytes()
}

/// A response as the bare loop gives it: the head that a client cannot do without.
pub fn response(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Reads the response at the start of `bytes`; `None` while it is incomplete. Anything but a 200 or
/// a 201 with a length is an error.
pub fn read_response(bytes: &[u8]) -> Result<Option<Response<'_>>> {
    ensure!(bytes.len() <= RESPONSE_LEN_MAX, "a response without an end");
    let Some(head_len) = handshake::head_len(bytes) else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&bytes[..head_len]);
    let body_len: usize = handshake::header(&head, "content-length")
        .and_then(|len| len.parse().ok())
        .with_context(|| format!("a response without a length:\n{}", head.trim_end()))?;
    ensure!(body_len <= RESPONSE_LEN_MAX, "a response of {body_len} bytes");
    let len = head_len + body_len;
    let Some(body) = bytes.get(head_len..len) else {
        return Ok(None);
    };
    ensure!(
        TAKEN.iter().any(|taken| head.starts_with(taken)),
        "the server refused:\n{}{}",
        head,
        String::from_utf8_lossy(body)
    );
    Ok(Some(Response { body, len }))
}

/// The text under `key` in an object of JSON: codes, ids and tokens have nothing in them that is
/// escaped.
pub fn text_of(json: &[u8], key: &str) -> Result<String> {
    let json = std::str::from_utf8(json).context("a response that is no text")?;
    let found = json
        .split_once(&format!(r#""{key}":""#))
        .and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()));
    found.with_context(|| format!("no {key} in a response"))
}

/// The whole number under `key` in an object of JSON.
pub fn number_of(json: &[u8], key: &str) -> Result<u64> {
    let numbers = numbers_of(json, key)?;
    numbers.first().copied().with_context(|| format!("no {key} in a response"))
}

/// All whole numbers under `key` in JSON, in their order.
pub fn numbers_of(json: &[u8], key: &str) -> Result<Vec<u64>> {
    let json = std::str::from_utf8(json).context("a response that is no text")?;
    let key_before = format!(r#""{key}":"#);
    let behind = json.split(&key_before).skip(1);
    let number = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().with_context(|| format!("{key} is no whole number"))
    };
    behind.map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers_are_found_by_their_key() {
        let json = br#"{"deviceCode":"d-1","userCode":"WDJB-MJHT","id":7,"items":[{"count":2},{"count":30}]}"#;
        for (key, text) in
            [("deviceCode", Some("d-1")), ("userCode", Some("WDJB-MJHT")), ("token", None)]
        {
            assert_eq!(text_of(json, key).ok().as_deref(), text, "{key}");
        }
        assert!(text_of(json, "id").is_err(), "a number");
        assert_eq!(number_of(json, "id").unwrap(), 7);
        assert!(number_of(json, "userCode").is_err(), "a text");
        assert!(number_of(json, "none").is_err());
        assert_eq!(numbers_of(json, "count").unwrap(), [2, 30]);
    }

    #[test]
    fn a_response_is_read_once_it_is_whole() {
        let bytes = response(b"42[]");
        for cut in 0..bytes.len() {
            assert_eq!(read_response(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let whole = Response { body: b"42[]", len: bytes.len() };
        assert_eq!(read_response(&bytes).unwrap(), Some(whole));
    }

    #[test]
    fn a_refusal_is_shown_whole() {
        let refusal = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad";
        let error = read_response(refusal).unwrap_err().to_string();
        assert!(error.contains("400") && error.contains("bad"), "{error}");
        assert!(read_response(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "without a length");
    }

    #[test]
    fn requests_have_a_length_if_they_have_a_body() {
        let post = String::from_utf8(post("h", "/p", "3")).unwrap();
        assert!(post.starts_with("POST /p HTTP/1.1\r\n"));
        assert!(post.ends_with("\r\nContent-Length: 1\r\n\r\n3"));
        assert_eq!(get("h", "/p"), b"GET /p HTTP/1.1\r\nHost: h\r\n\r\n");
        let json = String::from_utf8(json("h", "PATCH /p", Some("t"), "{}")).unwrap();
        assert!(json.starts_with("PATCH /p HTTP/1.1\r\nHost: h\r\n"));
        assert!(json.ends_with("\r\nContent-Length: 2\r\nAuthorization: Bearer t\r\n\r\n{}"));
    }
}
