//! A connection that may end at any time, in either dialect.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bellwire_wire::frame::Opcode;
use rustls::ClientConfig;
use serde_json::Value;

use crate::harness::{Ask, Client, Dial, Got, frame};

/// How long people wait for a word before they take a connection for dead.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How people come to the server, or to what stands before it.
#[derive(Debug, Clone, Copy)]
pub struct Way<'a> {
    pub address: SocketAddr,
    /// Whom they trust, if they speak TLS.
    pub tls: Option<&'a Arc<ClientConfig>>,
}

impl Way<'_> {
    /// Begins a request of REST.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        let ask = Ask::new(self.address, method, path);
        self.tls.iter().fold(ask, |ask, config| ask.tls(config))
    }

    fn dial(&self, path: &str) -> Dial {
        let dial = Dial::new(self.address, path);
        self.tls.iter().fold(dial, |dial, config| dial.tls(config))
    }
}

/// How an endpoint is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A plain WebSocket.
    Plain,
    /// Socket.IO over WebSocket.
    SocketIo,
}

impl Dialect {
    /// Both.
    pub const BOTH: [Dialect; 2] = [Dialect::Plain, Dialect::SocketIo];

    /// The other one.
    pub fn other(self) -> Dialect {
        match self {
            Dialect::Plain => Dialect::SocketIo,
            Dialect::SocketIo => Dialect::Plain,
        }
    }
}

/// What came over a link.
pub enum Came {
    /// A message of a plain connection, or a packet of Socket.IO behind the `4` of a message.
    Text(String),
    /// Nothing in the time that was given.
    Nothing,
    /// The end, however it came.
    End,
}

/// A connection.
pub struct Link {
    client: Client,
    dialect: Dialect,
    spoke_at: Instant,
}

impl Link {
    /// A plain connection to this path; none, if that does not come about.
    pub fn plain(way: Way<'_>, path: &str, token: &str) -> Option<Link> {
        let client = way.dial(path).bearer(token).open_within(PATIENCE)?;
        Some(Link { client, dialect: Dialect::Plain, spoke_at: Instant::now() })
    }

    /// A session of Socket.IO in which this packet of CONNECT was sent; gives what it was answered.
    pub fn socket_io(way: Way<'_>, connect: &str) -> Option<(Link, String)> {
        let path = "/socket.io/?EIO=4&transport=websocket";
        let client = way.dial(path).open_within(PATIENCE)?;
        let mut link = Link { client, dialect: Dialect::SocketIo, spoke_at: Instant::now() };
        let open = link.word()?;
        assert!(open.starts_with("0{"), "{open}");
        link.client.send(&format!("40{connect}"));
        let answer = link.word()?;
        Some((link, answer))
    }

    /// The next text, if one comes in time; as it is, pings aside.
    fn word(&mut self) -> Option<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.client.next_within(until.saturating_duration_since(Instant::now()))? {
                Got::Text(text) if text == "2" => self.client.send("3"),
                Got::Text(text) => return Some(text),
                _ => return None,
            }
        }
    }

    /// Sends a message of a plain connection, or what follows the `4` of a message.
    pub fn send(&mut self, text: &str) {
        match self.dialect {
            Dialect::Plain => self.client.send(text),
            Dialect::SocketIo => self.client.send(&format!("4{text}")),
        }
    }

    /// What comes next in this time; a server that says nothing at all for long counts as gone.
    pub fn next(&mut self, time: Duration) -> Came {
        match self.client.next_within(time) {
            None if self.spoke_at.elapsed() > PATIENCE && !self.is_alive() => Came::End,
            None => Came::Nothing,
            Some(Got::Text(text)) => {
                self.spoke_at = Instant::now();
                match (self.dialect, text.as_str()) {
                    (Dialect::Plain, _) => Came::Text(text),
                    (Dialect::SocketIo, "2") => {
                        self.client.send("3");
                        Came::Nothing
                    }
                    (Dialect::SocketIo, packet) => match packet.strip_prefix('4') {
                        Some(message) => Came::Text(message.to_owned()),
                        None => Came::Nothing,
                    },
                }
            }
            Some(Got::Close(close)) => {
                let code = close.map_or(Vec::new(), |(code, _)| code.to_be_bytes().into());
                self.client.send_bytes(&frame(Opcode::Close, &code));
                Came::End
            }
            Some(Got::End) => Came::End,
            Some(_) => Came::Nothing,
        }
    }

    /// Asks whether the other side is there, and waits for the answer.
    fn is_alive(&mut self) -> bool {
        self.client.send_bytes(&frame(Opcode::Ping, b"?"));
        let until = Instant::now() + PATIENCE;
        let answer = self.client.next_within(until.saturating_duration_since(Instant::now()));
        match answer {
            Some(Got::Pong(_)) => {
                self.spoke_at = Instant::now();
                true
            }
            Some(got @ (Got::Text(_) | Got::Close(_))) => {
                self.client.put_back(got);
                true
            }
            _ => false,
        }
    }
}

/// An event as it was told: its place, name and payload. None, if the text is something else.
pub fn event(dialect: Dialect, namespace: &str, text: &str) -> Option<(String, String, Value)> {
    match dialect {
        Dialect::Plain => {
            let mut event: Value = serde_json::from_str(text).expect("messages are JSON");
            let fields = event.as_object_mut().expect("messages are objects");
            let name = fields.shift_remove("type")?.as_str()?.to_owned();
            let place = fields.shift_remove("cursor")?.as_str()?.to_owned();
            let payload = match name.as_str() {
                "state_changed" => fields.shift_remove("data")?,
                _ => event,
            };
            Some((place, name, payload))
        }
        Dialect::SocketIo => {
            let packet = match namespace {
                "/" => text.strip_prefix('2')?,
                _ => text.strip_prefix('2')?.strip_prefix(namespace)?.strip_prefix(',')?,
            };
            let parts: Value = serde_json::from_str(packet).ok()?;
            let place = parts.get(2)?.as_str()?.to_owned();
            Some((place, parts[0].as_str()?.to_owned(), parts[1].clone()))
        }
    }
}
