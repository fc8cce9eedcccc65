//! The few packets of Engine.IO v4 and Socket.IO v5 that a witness needs, as text.
//!
//! Written apart from the server's own codec, as [`crate::frame`] is.

use anyhow::{Context as _, Result, bail, ensure};

/// Opens an Engine.IO session over WebSocket.
pub const WEBSOCKET_PATH: &str = "/socket.io/?EIO=4&transport=websocket";
/// Opens an Engine.IO session over long-polling; with `&sid=` it polls, or sends.
pub const POLLING_PATH: &str = "/socket.io/?EIO=4&transport=polling";
/// The server's heartbeat, and what it is answered with.
pub const PING: &[u8] = b"2";
/// The answer to [`PING`].
pub const PONG: &[u8] = b"3";

/// What stands between the packets of one polling payload.
const SEPARATOR: u8 = 0x1E;

/// The packet that connects to `namespace`, with `auth.token` if a token is given, and to hear of
/// `topic` alone if one is given as well.
pub fn connect(namespace: &str, token: Option<&str>, topic: Option<&str>) -> String {
    let topics = topic.map_or(String::new(), |topic| format!(r#","topics":["{topic}"]"#));
    let auth = token.map_or(String::new(), |token| format!(r#"{{"token":"{token}"{topics}}}"#));
    format!("40{}{auth}", prefix(namespace))
}

/// Whether `packet` says that [`connect`] was accepted; that it was refused is an error.
pub fn is_connected(packet: &[u8], namespace: &str) -> Result<bool> {
    ensure!(
        !packet.starts_with(b"44") && !packet.starts_with(b"41"),
        "the server refused the namespace: {}",
        String::from_utf8_lossy(packet)
    );
    Ok(packet.starts_with(format!("40{}{{", prefix(namespace)).as_bytes()))
}

/// The session id in an Engine.IO open packet.
pub fn session_id(open: &[u8]) -> Result<String> {
    let open = std::str::from_utf8(open).context("an open packet that is no text")?;
    let sid = open
        .strip_prefix("0{")
        .and_then(|rest| rest.split_once(r#""sid":""#)?.1.split_once('"'))
        .map(|(sid, _)| sid.to_owned());
    match sid {
        Some(sid) => Ok(sid),
        None => bail!("not an open packet: {open}"),
    }
}

/// A request with one text argument that wants an ack; the ack id is always the same, as every
/// caller has one request outstanding.
pub fn ack_request(argument: &str) -> String {
    format!(r#"{ACK_REQUEST_START}"{argument}"]"#)
}

/// The ack that [`ack_request`] has to be answered with: the same argument.
pub fn ack_answer(request: &str) -> Result<String> {
    let argument = request.strip_prefix(ACK_REQUEST_START).context("not a request for an ack")?;
    Ok(format!("431[{argument}"))
}

/// Whether `packet` is an ack on the namespace `/`.
pub fn is_ack(packet: &[u8]) -> bool {
    packet.starts_with(b"43")
}

/// The packets of one polling payload.
pub fn packets(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    payload.split(|byte| *byte == SEPARATOR)
}

/// Events as the payload of one poll.
pub fn payload(event: &[u8], copies: usize) -> Vec<u8> {
    vec![event; copies].join(&SEPARATOR)
}

const ACK_REQUEST_START: &str = r#"421["message-with-ack","#;

/// How a packet names its namespace.
fn prefix(namespace: &str) -> String {
    match namespace {
        "/" => String::new(),
        _ => format!("{namespace},"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_connected_refused_or_not_meant() {
        assert_eq!(connect("/states", Some("t"), None), r#"40/states,{"token":"t"}"#);
        assert_eq!(connect("/", Some("t"), Some("a")), r#"40{"token":"t","topics":["a"]}"#);
        assert_eq!(connect("/", None, None), "40");
        for (packet, namespace, connected) in [
            (r#"40/states,{"sid":"a"}"#, "/states", true),
            (r#"40{"sid":"a"}"#, "/states", false),
            (r#"40{"sid":"a"}"#, "/", true),
            (r#"42["auth",{}]"#, "/", false),
        ] {
            assert_eq!(is_connected(packet.as_bytes(), namespace).unwrap(), connected, "{packet}");
        }
        assert!(is_connected(br#"44/states,{"message":"no"}"#, "/states").is_err());
    }

    #[test]
    fn a_session_id_is_found_wherever_it_stands() {
        for open in [r#"0{"sid":"a-b","upgrades":[]}"#, r#"0{"pingInterval":1,"sid":"a-b"}"#] {
            assert_eq!(session_id(open.as_bytes()).unwrap(), "a-b");
        }
        assert!(session_id(br#"{"code":1,"message":"Session ID unknown"}"#).is_err());
    }

    #[test]
    fn an_ack_repeats_the_argument() {
        let request = ack_request("mm");
        assert_eq!(request, r#"421["message-with-ack","mm"]"#);
        assert_eq!(ack_answer(&request).unwrap(), r#"431["mm"]"#);
    }

    #[test]
    fn payloads_are_split_as_they_were_joined() {
        let payload = payload(b"4x", 3);
        assert_eq!(payload, b"4x\x1e4x\x1e4x");
        assert_eq!(packets(&payload).collect::<Vec<_>>(), [b"4x"; 3]);
    }
}
