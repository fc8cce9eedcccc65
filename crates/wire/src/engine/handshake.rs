//! How a session begins, and how a request is answered that has no session or may not have one.

use serde::Serialize;

use super::{PING_INTERVAL_MS, PING_TIMEOUT_MS};

/// When the server pings, and how long it waits. Both ends count with the same figures: the client
/// gives up after the sum of the two without a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// From one ping to the next, in milliseconds.
    pub ping_interval_ms: u64,
    /// How long a ping may stay unanswered, in milliseconds.
    pub ping_timeout_ms: u64,
}

impl Default for Timing {
    fn default() -> Timing {
        Timing { ping_interval_ms: PING_INTERVAL_MS, ping_timeout_ms: PING_TIMEOUT_MS }
    }
}

/// The text of the open packet, a session's first. `upgrades` are the transports that the client
/// may change to; `payload_len_max` is in bytes.
pub fn open(sid: &str, upgrades: &[&str], timing: &Timing, payload_len_max: usize) -> String {
    /// Its keys are all that a client expects, in the order in which the official server has them.
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Handshake<'a> {
        sid: &'a str,
        upgrades: &'a [&'a str],
        ping_interval: u64,
        ping_timeout: u64,
        max_payload: usize,
    }

    let handshake = Handshake {
        sid,
        upgrades,
        ping_interval: timing.ping_interval_ms,
        ping_timeout: timing.ping_timeout_ms,
        max_payload: payload_len_max,
    };
    let json = serde_json::to_string(&handshake).expect("texts and numbers have a form in JSON");
    format!("0{json}")
}

/// Why a request is refused, in the order of the codes that clients know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 0: `transport` is none that the server has.
    UnknownTransport,
    /// 1: there is no session of that id, or not any more.
    UnknownSid,
    /// 2: a session begins with GET.
    BadHandshakeMethod,
    /// 3: the session is on another transport, or the request makes no sense.
    BadRequest,
    /// 4: the caller may not.
    Forbidden,
    /// 5: `EIO` is not 4.
    UnsupportedVersion,
}

impl Refusal {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Refusal::Forbidden => 403,
            _ => 400,
        }
    }

    /// The answer's body, JSON in the official server's words.
    pub fn body(self) -> &'static str {
        match self {
            Refusal::UnknownTransport => r#"{"code":0,"message":"Transport unknown"}"#,
            Refusal::UnknownSid => r#"{"code":1,"message":"Session ID unknown"}"#,
            Refusal::BadHandshakeMethod => r#"{"code":2,"message":"Bad handshake method"}"#,
            Refusal::BadRequest => r#"{"code":3,"message":"Bad request"}"#,
            Refusal::Forbidden => r#"{"code":4,"message":"Forbidden"}"#,
            Refusal::UnsupportedVersion => r#"{"code":5,"message":"Unsupported protocol version"}"#,
        }
    }
}
