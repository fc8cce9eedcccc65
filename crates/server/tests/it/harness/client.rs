//! A WebSocket client, blocking, with a deadline on every read.

use std::{
    collections::VecDeque,
    io::ErrorKind,
    time::{Duration, Instant},
};

use bellwire_wire::frame::{Flow, Incoming, Limits, Opcode, Reader, Role, encode_masked};

use super::{DEADLINE, Transport};
use crate::contract;

/// A server may send long messages, such as snapshots.
const LIMITS: Limits =
    Limits { message_len_max: 16 << 20, fragments_max: 1, pings_per_second_max: 100 };
/// A row that cannot be, so that a command about it is refused by the writer.
const NO_ROW: u64 = 1 << 53;

/// What came from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// A close frame.
    Close(Option<(u16, String)>),
    /// The end of the stream, or a reset.
    End,
}

/// One connection.
pub struct Client {
    stream: Box<dyn Transport>,
    /// What it asked for, by which it is known what it may hear.
    target: String,
    reader: Reader,
    got: VecDeque<Got>,
    ended: bool,
    /// Whether the end was none in good order.
    broken: bool,
    fences: u32,
}

impl Client {
    /// A client on a stream that was upgraded by a request for this target; `bytes` came already.
    pub fn new(stream: impl Transport + 'static, target: &str, mut bytes: Vec<u8>) -> Client {
        let mut client = Client {
            stream: Box::new(stream),
            target: target.to_owned(),
            reader: Reader::new(Role::Client, 0),
            got: VecDeque::new(),
            ended: false,
            broken: false,
            fences: 0,
        };
        client.take_in(&mut bytes);
        client
    }

    /// Sends a text message.
    pub fn send(&mut self, message: &str) {
        self.send_bytes(&text(message));
    }

    /// Sends bytes as they are. A server that ends the connection may not take them.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Says that it sends no more, and goes on reading.
    pub fn finish_sending(&mut self) {
        self.stream.finish_sending();
    }

    /// Sends bytes past TLS, if there is any.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        let _ = std::io::Write::write_all(&mut self.stream.tcp(), bytes);
    }

    /// Whether the server ended the stream in good order: over TLS, with `close_notify`.
    pub fn ended_in_order(&self) -> bool {
        self.ended && !self.broken
    }

    /// What comes next; it must come.
    #[track_caller]
    pub fn next(&mut self) -> Got {
        self.next_within(DEADLINE).expect("the server says nothing")
    }

    /// What comes next, if it comes in that time.
    pub fn next_within(&mut self, time: Duration) -> Option<Got> {
        let until = Instant::now() + time;
        loop {
            if let Some(got) = self.got.pop_front() {
                return Some(got);
            }
            if self.ended {
                return Some(Got::End);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.fill(left);
        }
    }

    /// Gives something back that is to come next.
    pub fn put_back(&mut self, got: Got) {
        self.got.push_front(got);
    }

    fn fill(&mut self, time: Duration) {
        self.stream.tcp().set_read_timeout(Some(time)).expect("a socket takes options");
        let mut buffer = vec![0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(len) => self.take_in(&mut buffer[..len]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => (self.ended, self.broken) = (true, true),
        }
    }

    fn take_in(&mut self, bytes: &mut [u8]) {
        let Client { reader, got, target, .. } = self;
        let result = reader.receive(&LIMITS, bytes, 0, &mut |incoming| {
            if let Incoming::Text(text) = &incoming {
                contract::heard(target, text);
            }
            got.extend(match incoming {
                Incoming::Text(text) => Some(Got::Text(text.to_owned())),
                Incoming::Binary(bytes) => Some(Got::Binary(bytes.to_vec())),
                Incoming::Ping(_) => None,
                Incoming::Pong(payload) => Some(Got::Pong(payload.to_vec())),
                Incoming::Close(close) => {
                    Some(Got::Close(close.map(|(code, reason)| (code, reason.to_owned()))))
                }
            });
            Flow::Continue
        });
        result.expect("a server sends frames as they should be");
    }

    /// The next message, which must be a text.
    #[track_caller]
    pub fn text(&mut self) -> String {
        match self.next() {
            Got::Text(text) => text,
            other => panic!("a text was expected, not {other:?}"),
        }
    }

    /// The next message must be this one, byte for byte.
    #[track_caller]
    pub fn hears(&mut self, expected: &str) {
        assert_eq!(self.text(), expected);
    }

    /// On `/api/ws`: hears of no event from now on, so that what it is told are answers.
    #[track_caller]
    pub fn hears_of_nothing(&mut self) {
        self.send(r#"{"type":"subscribe_entities","entity_ids":[]}"#);
        self.hears(r#"{"type":"states:snapshot","data":[]}"#);
    }

    /// Reads until it is told something with these words in it.
    #[track_caller]
    pub fn is_told(&mut self, words: &str) {
        while !self.text().contains(words) {}
    }

    /// Says something, which is a sign of life, and is answered, whatever it is told besides.
    #[track_caller]
    pub fn lives(&mut self) {
        self.send(r#"{"type":"ping"}"#);
        self.is_told(r#""type":"pong""#);
    }

    /// Sends a message and gives what is said next.
    #[track_caller]
    pub fn ask(&mut self, message: &str) -> String {
        self.send(message);
        self.text()
    }

    /// Everything that is told up to here: a command is refused by the writer, so its answer comes
    /// behind the events of all commands that were answered before, on whatever connection.
    #[track_caller]
    pub fn told(&mut self) -> Vec<String> {
        self.fences += 1;
        let id = format!("fence {}", self.fences);
        self.send(&format!(
            r#"{{"type":"states:update","state_id":{NO_ROW},"state":"","id":"{id}"}}"#
        ));
        let fence = format!(
            r#"{{"type":"states:update:response","success":false,"error":"State not found: {NO_ROW}","id":"{id}"}}"#
        );
        let mut told = Vec::new();
        loop {
            match self.text() {
                text if text == fence => return told,
                text => told.push(text),
            }
        }
    }

    /// Reads to the close frame: gives the texts before it, and its code. Answers it, and then the
    /// server must end the connection, without another word.
    #[track_caller]
    pub fn closed(&mut self) -> (Vec<String>, Option<u16>) {
        let mut texts = Vec::new();
        loop {
            match self.next() {
                Got::Text(text) => texts.push(text),
                Got::Pong(_) => {}
                Got::Close(close) => {
                    let code = close.map(|(code, _)| code);
                    let payload = code.map_or(Vec::new(), |code| code.to_be_bytes().to_vec());
                    self.send_bytes(&frame(Opcode::Close, &payload));
                    assert_eq!(self.next(), Got::End, "after close {code:?}");
                    return (texts, code);
                }
                other => panic!("a close frame was expected, not {other:?} after {texts:?}"),
            }
        }
    }

    /// The server must tell this error, close with this code, and say nothing else.
    #[track_caller]
    pub fn refused(&mut self, message: &str, code: u16) {
        let told = format!(r#"{{"type":"error","success":false,"error":"{message}"}}"#);
        assert_eq!(self.closed(), (vec![told], Some(code)));
    }
}

/// A text message as a client sends it.
pub fn text(message: &str) -> Vec<u8> {
    frame(Opcode::Text, message.as_bytes())
}

/// A whole frame as a client sends it.
pub fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_masked(opcode, payload, [0x37, 0xFA, 0x21, 0x3D], &mut bytes);
    bytes
}

/// A masked frame whose first byte (FIN, reserved bits, opcode) is at will, with a short payload.
pub fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126, "the length has one byte");
    let mut bytes = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    bytes.extend(payload.iter().zip([1, 2, 3, 4].into_iter().cycle()).map(|(a, b)| a ^ b));
    bytes
}

/// The beginning of a masked frame that announces `len` bytes, by eight bytes.
pub fn start_of_frame(first: u8, len: u64) -> Vec<u8> {
    let mut bytes = vec![first, 0xFF];
    bytes.extend(len.to_be_bytes());
    bytes.extend([0; 4]);
    bytes
}
