//! What is written on stderr besides the plain lines at the start: text for people, or one JSON
//! object a line for programs. Secrets never stand in it: [`redact`] sees to what clients send.

use std::io::IsTerminal as _;

use bellwire_services::{areas, kit::Principal};

use crate::config::{Format, Logging};

/// Begins to log, for the whole process. To be called once.
pub fn start(logging: &Logging) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(logging.level)
        .with_writer(std::io::stderr)
        .with_target(false)
        // Where stderr is gone, there is nowhere to say so either: that must not panic.
        .log_internal_errors(false);
    let is_terminal = std::io::stderr().is_terminal();
    match logging.format {
        Format::Auto if !is_terminal => builder.json().flatten_event(true).init(),
        Format::Json => builder.json().flatten_event(true).init(),
        Format::Auto | Format::Text => builder.with_ansi(is_terminal).init(),
    }
}

/// Whether the log has a line for what a paired client is told.
pub fn says_what_is_told() -> bool {
    tracing::enabled!(tracing::Level::DEBUG)
}

/// A session is told an event: that line, if there is one, in the words of document 001.
pub fn telling(event: &str, principal: &Principal) {
    if says_what_is_told()
        && let Some(client) = areas::rights::caller(principal)
    {
        tracing::debug!("[WebSocket] Emitting '{event}' to client {client}");
    }
}

/// The query parameters that carry secrets, or would if they were taken for those of a body: `code` and
/// `userCode` are what a screen shows that waits to be paired, `deviceCode` is its own.
const SECRET_PARAMETERS: [&str; 6] = ["token", "ticket", "auth", "code", "userCode", "deviceCode"];
/// What stands in a path before such a code.
const BEFORE_CODE: &str = "pairing";
/// What may stand there instead, and is no secret.
const NO_CODE: [&str; 2] = ["", "token"];
/// What stands for a secret.
const REDACTED: &str = "***";

/// A request's target without secrets: the values of the parameters that carry them, however these are spelt, the
/// code in a path that is about a pairing, and whatever has the shape of a signed token (RFC 7519), wherever it
/// stands, become `***`.
pub fn redact(uri: &str) -> String {
    let (path, query) = match uri.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (uri, None),
    };
    let mut before = String::new();
    let segments = path.split('/').map(|segment| {
        let this = decode(segment);
        let is_code = before.eq_ignore_ascii_case(BEFORE_CODE) && !NO_CODE.contains(&this.as_str());
        // A slash too many hides nothing.
        if !this.is_empty() {
            before = this;
        }
        if is_code { REDACTED } else { unsigned(segment) }
    });
    let mut redacted = segments.collect::<Vec<_>>().join("/");
    if let Some(query) = query {
        let pairs: Vec<_> = query.split('&').map(redact_pair).collect();
        redacted.push('?');
        redacted += &pairs.join("&");
    }
    redacted
}

fn redact_pair(pair: &str) -> String {
    let Some((name, value)) = pair.split_once('=') else { return unsigned(pair).to_owned() };
    let decoded = decode(name);
    let is_secret = SECRET_PARAMETERS.iter().any(|secret| decoded.eq_ignore_ascii_case(secret));
    format!("{}={}", unsigned(name), if is_secret { REDACTED } else { unsigned(value) })
}

/// The text, unless there is a signed token in it: an object in base64url begins with `eyJ`.
fn unsigned(text: &str) -> &str {
    let decoded = decode(text);
    let is_token = |at: usize| decoded[at..].split('.').filter(|part| part.len() > 1).count() > 2;
    let has_token = decoded.match_indices("eyJ").any(|(at, _)| is_token(at));
    if has_token { REDACTED } else { text }
}

/// Percent-decoded; what is no good escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let escaped = (first == b'%').then(|| after.get(..2)).flatten();
        let byte = escaped
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Lets a line through once in a while, and counts those that it does not: for what goes wrong
/// thousands of times a second once it goes wrong.
#[derive(Debug)]
pub struct Throttle {
    interval_ms: u64,
    last_ms: Option<u64>,
    left_out: u64,
}

impl Throttle {
    /// One line per so many milliseconds.
    pub const fn new(interval_ms: u64) -> Throttle {
        Throttle { interval_ms, last_ms: None, left_out: 0 }
    }

    /// Whether a line may be written now: then, how many were left out since the last one.
    pub fn admit(&mut self, now_ms: u64) -> Option<u64> {
        if self.last_ms.is_some_and(|last_ms| now_ms < last_ms + self.interval_ms) {
            self.left_out += 1;
            return None;
        }
        self.last_ms = Some(now_ms);
        Some(std::mem::take(&mut self.left_out))
    }
}

/// How often a full disk is told of, in milliseconds.
pub const DISK_FULL_INTERVAL_MS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_redacted_and_nothing_else_is() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJ0b2tfMSJ9.c2ln-bmF0_dXJl";
        let rows = [
            ("/", "/"),
            ("", ""),
            ("/api/ws?since=e.7", "/api/ws?since=e.7"),
            ("/api/ws?token=x", "/api/ws?token=***"),
            ("/api/ws?a=1&token=x&b=2", "/api/ws?a=1&token=***&b=2"),
            ("/api/ws?token=x&token=y", "/api/ws?token=***&token=***"),
            ("/api/ws?TOKEN=x&Ticket=y&aUth=z", "/api/ws?TOKEN=***&Ticket=***&aUth=***"),
            ("/api/ws?%74oken=x&tick%65%74=y", "/api/ws?%74oken=***&tick%65%74=***"),
            ("/api/ws?%74%4F%4b%45%4E=x", "/api/ws?%74%4F%4b%45%4E=***"),
            ("/api/ws?token=x=y?z", "/api/ws?token=***"),
            ("/api/ws?token=", "/api/ws?token=***"),
            ("/api/ws?token", "/api/ws?token"),
            ("/api/ws?tokens=x&my_token=y&authority=z", "/api/ws?tokens=x&my_token=y&authority=z"),
            ("/100%?%=1&%7=2&%zz=3&%+1=4", "/100%?%=1&%7=2&%zz=3&%+1=4"),
            ("?&&=&token=x", "?&&=&token=***"),
            ("/eyJ.a.b/light.kitchen", "/eyJ.a.b/light.kitchen"),
            ("/a.b.c.d?x=1.2.3", "/a.b.c.d?x=1.2.3"),
            ("/api/pairing", "/api/pairing"),
            ("/api/pairing?limit=1", "/api/pairing?limit=1"),
            ("/api/pairing/token", "/api/pairing/token"),
            ("/api/pairing/token/", "/api/pairing/token/"),
            ("/api/pairing/WDJB-MJHT/approve", "/api/pairing/***/approve"),
            ("/api/pairing/wdjbmjht/deny/", "/api/pairing/***/deny/"),
            ("/api/pairing/%57DJBMJHT/deny?x=1", "/api/pairing/***/deny?x=1"),
            ("/api/pairing//WDJB-MJHT", "/api/pairing//***"),
            ("/api/p%61iring/WDJB-MJHT", "/api/p%61iring/***"),
            ("/API/Pairing/WDJB-MJHT", "/API/Pairing/***"),
            ("/api/pairing/Token", "/api/pairing/***"),
            ("/pair?code=WDJB-MJHT", "/pair?code=***"),
            ("/pair?Cod%65=WDJB-MJHT&x", "/pair?Cod%65=***&x"),
            ("/pair?codes=x", "/pair?codes=x"),
            ("/x?deviceCode=a&usercode=b", "/x?deviceCode=***&usercode=***"),
        ];
        for (uri, expected) in rows {
            assert_eq!(redact(uri), expected, "{uri}");
        }
        for (uri, expected) in [
            ("JWT", "***"),
            ("/api/JWT/x", "/api/***/x"),
            ("/api/ws?JWT", "/api/ws?***"),
            ("/api/ws?tokn=JWT&a=b", "/api/ws?tokn=***&a=b"),
            ("/api/ws?JWT=x", "/api/ws?***=x"),
            ("/api/ws?x=Bearer%20JWT", "/api/ws?x=***"),
            ("/api/%65yJWT".replace("JWT", &jwt[2..]).as_str(), "/api/***"),
        ] {
            assert_eq!(redact(&uri.replace("JWT", jwt)), expected, "{uri}");
        }
    }

    #[test]
    fn one_line_an_interval_and_a_count_of_the_others() {
        let mut throttle = Throttle::new(10);
        let times = [5, 5, 14, 15, 15, 40, 41, 49, 50];
        let admitted = times.map(|now_ms| throttle.admit(now_ms));
        let left_out = [Some(0), None, None, Some(2), None, Some(1), None, None, Some(2)];
        assert_eq!(admitted, left_out);
    }
}
