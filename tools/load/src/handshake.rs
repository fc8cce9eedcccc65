//! The opening handshake of RFC 6455, section 4, from both ends.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};

/// The key of every handshake: the example of RFC 6455, section 1.3. It proves to a client that
/// the other end speaks WebSocket, nothing more.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The request that opens `path` on `host`, with a bearer token if one is given.
pub fn request(host: impl std::fmt::Display, path: &str, token: Option<&str>) -> String {
    let authorization = authorization(token);
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{authorization}\r\n"
    )
}

/// The line of a request's head that shows a bearer token, if there is one.
pub fn authorization(token: Option<&str>) -> String {
    token.map_or(String::new(), |token| format!("Authorization: Bearer {token}\r\n"))
}

/// Length of the head at the start of `bytes`, its blank line included; `None` while incomplete.
pub fn head_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(end + 4)
}

/// Checks that a response head accepts [`request`].
pub fn check_response(head: &[u8]) -> Result<()> {
    let head = String::from_utf8_lossy(head);
    let status = head.lines().next().unwrap_or_default();
    ensure!(
        status.starts_with("HTTP/1.1 101"),
        "the server refused the handshake:\n{}",
        head.trim_end()
    );
    let accept = header(&head, "sec-websocket-accept").context("no Sec-WebSocket-Accept")?;
    ensure!(accept == accept_key(KEY), "a wrong Sec-WebSocket-Accept: {accept}");
    Ok(())
}

/// The path in a request head.
pub fn path(head: &[u8]) -> Option<String> {
    String::from_utf8_lossy(head).split(' ').nth(1).map(str::to_owned)
}

/// The response that accepts a request head, and the path that it asked for.
pub fn accept(head: &[u8]) -> Result<(String, String)> {
    let path = path(head).context("no path")?;
    let head = String::from_utf8_lossy(head);
    let key = header(&head, "sec-websocket-key").context("no Sec-WebSocket-Key")?;
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_key(key)
    );
    Ok((response, path))
}

/// The value of the header `name` in a head.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn accept_key(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_ends_agree() {
        let request = request("127.0.0.1:1", "/api/ws", Some("abc"));
        assert_eq!(head_len(request.as_bytes()), Some(request.len()));
        assert!(request.contains("\r\nAuthorization: Bearer abc\r\n"));
        let (response, path) = accept(request.as_bytes()).unwrap();
        assert_eq!(path, "/api/ws");
        // RFC 6455, section 1.3.
        assert!(response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        check_response(response.as_bytes()).unwrap();
    }

    #[test]
    fn a_refusal_is_shown_whole() {
        let refusal = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n\r\n";
        let error = check_response(refusal).unwrap_err().to_string();
        assert!(error.contains("429") && error.contains("Retry-After: 7"));
        assert_eq!(head_len(&refusal[..refusal.len() - 1]), None);
    }
}
