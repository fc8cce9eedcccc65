//! How one connection of a fleet speaks, once it is open: which bytes are a message, which a
//! heartbeat, and what has to be sent so that more can come.

use std::net::TcpStream;

use anyhow::{Result, bail, ensure};

use crate::fleet::{Heard, send};
use crate::socketio::{self, PING, PONG};
use crate::{frame, http};

/// How a connection speaks.
pub enum Speech {
    /// WebSocket: a message is a frame.
    WebSocket,
    /// Engine.IO over WebSocket: heartbeats are messages, too.
    Engine,
    /// Engine.IO over long-polling. Boxed, as most connections are not this.
    Polling(Box<Polling>),
}

/// One receiver that polls: it has always asked for something, and asks again for more as soon as
/// it is answered, on the same connection.
pub struct Polling {
    /// The request that asks for packets.
    poll: Vec<u8>,
    /// The request that answers a heartbeat; the bare loop has none.
    pong: Option<Vec<u8>>,
    /// Whether the request that is outstanding is that.
    is_ponging: bool,
}

impl Polling {
    /// A receiver that has just sent `poll`.
    pub fn new(poll: Vec<u8>, pong: Option<Vec<u8>>) -> Self {
        Self { poll, pong, is_ponging: false }
    }
}

impl Speech {
    /// Handles every whole message in `input` that came to connection `index`; returns how many
    /// bytes they were and how many were heartbeats.
    pub fn hear(
        &mut self,
        index: usize,
        stream: &TcpStream,
        input: &[u8],
        heard: &mut impl FnMut(Heard<'_>) -> Result<()>,
    ) -> Result<(usize, u64)> {
        match self {
            Self::WebSocket => frames(index, stream, input, false, heard),
            Self::Engine => frames(index, stream, input, true, heard),
            Self::Polling(polling) => polling.responses(index, stream, input, heard),
        }
    }
}

fn frames(
    index: usize,
    stream: &TcpStream,
    input: &[u8],
    is_engine: bool,
    heard: &mut impl FnMut(Heard<'_>) -> Result<()>,
) -> Result<(usize, u64)> {
    let mut used = 0;
    let mut pings = 0;
    while let Some(frame) = frame::read_server(&input[used..])? {
        used += frame.len;
        match frame.opcode {
            frame::TEXT if is_engine && frame.payload == PING => {
                pings += 1;
                send(stream, &frame::encode_client(frame::TEXT, PONG))?;
            }
            frame::TEXT => heard(Heard { index, text: frame.payload, stream })?,
            frame::PING => {
                pings += 1;
                send(stream, &frame::encode_client(frame::PONG, frame.payload))?;
            }
            frame::CLOSE => bail!("the server closed: {}", close_reason(frame.payload)),
            _ => {}
        }
    }
    Ok((used, pings))
}

fn close_reason(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason))
        }
        _ => "without a code".to_owned(),
    }
}

impl Polling {
    fn responses(
        &mut self,
        index: usize,
        stream: &TcpStream,
        input: &[u8],
        heard: &mut impl FnMut(Heard<'_>) -> Result<()>,
    ) -> Result<(usize, u64)> {
        let mut used = 0;
        let mut pings = 0;
        while let Some(response) = http::read_response(&input[used..])? {
            used += response.len;
            let mut was_pinged = false;
            if std::mem::take(&mut self.is_ponging) {
                ensure!(response.body == b"ok", "a pong was not taken");
            } else {
                for packet in socketio::packets(response.body) {
                    match packet {
                        PING => was_pinged = true,
                        b"1" => bail!("the server closed the session"),
                        text => heard(Heard { index, text, stream })?,
                    }
                }
            }
            match &self.pong {
                Some(pong) if was_pinged => {
                    pings += 1;
                    self.is_ponging = true;
                    send(stream, pong)?;
                }
                _ => send(stream, &self.poll)?,
            }
        }
        Ok((used, pings))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    /// What `speech` hears in `input`, and what it sends because of it.
    fn check(speech: &mut Speech, input: &[u8], texts: &[&str], pings: u64, sent: &[u8]) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut other = listener.accept().unwrap().0;
        let mut heard = Vec::new();
        let mut note = |message: Heard<'_>| {
            heard.push(String::from_utf8(message.text.to_vec()).unwrap());
            Ok(())
        };
        assert_eq!(speech.hear(0, &stream, input, &mut note).unwrap(), (input.len(), pings));
        assert_eq!(heard, texts);
        drop(stream);
        let mut received = Vec::new();
        other.read_to_end(&mut received).unwrap();
        assert_eq!(received, sent);
    }

    #[test]
    fn a_two_is_a_heartbeat_in_engine_io_only() {
        let two = frame::encode_server(frame::TEXT, b"2");
        check(&mut Speech::WebSocket, &two, &["2"], 0, b"");
        let three = frame::encode_client(frame::TEXT, b"3");
        check(&mut Speech::Engine, &two, &[], 1, &three);
    }

    #[test]
    fn a_poller_answers_a_heartbeat_and_polls_again() {
        let polling = Polling::new(b"GET".to_vec(), Some(b"POST".to_vec()));
        let mut speech = Speech::Polling(Box::new(polling));
        check(&mut speech, &http::response(b"4a\x1e4b"), &["4a", "4b"], 0, b"GET");
        check(&mut speech, &http::response(b"4c\x1e2"), &["4c"], 1, b"POST");
        check(&mut speech, &http::response(b"ok"), &[], 0, b"GET");
    }
}
