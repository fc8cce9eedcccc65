//! Connections that keep every byte that they are told.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;

use super::who::Person;
use crate::harness::{Client, Dial, Got, Manner, Over, Reply, Talk, Transport, at, read_response};

/// All that somebody was told. A `Mutex`: their connections write, the scan reads.
pub type Heard = Arc<Mutex<Vec<u8>>>;

/// So many connections come from one address: bad credentials are counted by address, ten a minute.
const OF_ONE_ADDRESS: usize = 5;

/// Adds bytes to what was heard.
pub fn note(heard: &Heard, bytes: &[u8]) {
    heard.lock().expect("nobody panics under this lock").extend_from_slice(bytes);
}

/// An address of which nobody has used up what it may try.
pub fn from() -> u8 {
    // An atomic number: tests run beside each other in threads, too, and each takes the next.
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    let taken = TAKEN.fetch_add(1, Ordering::Relaxed) / OF_ONE_ADDRESS;
    u8::try_from(2 + taken % 250).expect("it is below 252")
}

/// A connection that keeps what it reads.
struct Tee {
    stream: TcpStream,
    heard: Heard,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.stream.read(buffer)?;
        note(&self.heard, &buffer[..len]);
        Ok(len)
    }
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Transport for Tee {
    fn tcp(&self) -> &TcpStream {
        &self.stream
    }

    fn finish_sending(&mut self) {
        self.stream.finish_sending();
    }
}

/// Opens a WebSocket for somebody; gives the status if it is not granted.
fn upgrade(address: SocketAddr, person: &Person, target: &str) -> Result<Client, u16> {
    let credential = person.credential();
    let separator = if target.contains('?') { '&' } else { '?' };
    let target = format!("{target}{separator}{}", credential.query);
    let dial = Dial::new(address, target.trim_end_matches(['&', '?'])).from(from());
    let dial = credential.headers.iter().fold(dial, |dial, line| dial.header(line));
    let mut tee = Tee { stream: dial.tcp(), heard: person.heard.clone() };
    tee.write_all(dial.request().as_bytes()).expect("the server takes the request");
    let (response, rest) = read_response(&mut tee);
    if response.status != 101 {
        return Err(response.status);
    }
    Ok(Client::new(tee, target.split('?').next().unwrap_or_default(), rest))
}

/// A plain WebSocket, as long as it lasts.
pub struct Plain {
    /// The service whose stream it is; empty where that does not matter.
    pub service: &'static str,
    client: Client,
    fences: u32,
    is_over: bool,
}

impl Plain {
    /// Opens one, whatever is said then.
    ///
    /// # Errors
    /// The status, if it is not upgraded.
    pub fn open(address: SocketAddr, person: &Person, target: &str) -> Result<Plain, u16> {
        let client = upgrade(address, person, target)?;
        Ok(Plain { service: "", client, fences: 0, is_over: false })
    }

    /// Sends messages.
    pub fn send(&mut self, messages: &[String]) {
        messages.iter().for_each(|message| self.client.send(message));
    }

    /// What was told up to the answer to all that was sent, or to the end.
    #[track_caller]
    pub fn told(&mut self) -> Vec<String> {
        self.fences += 1;
        let fence = format!("fence {}", self.fences);
        self.client.send(&format!(r#"{{"type":"ping","timestamp":"{fence}"}}"#));
        let pong = format!(r#"{{"type":"pong","timestamp":"{fence}"}}"#);
        let mut told = Vec::new();
        while !self.is_over {
            match self.client.next() {
                Got::Text(text) if text == pong => break,
                Got::Text(text) => told.push(text),
                Got::Close(_) | Got::End => self.is_over = true,
                Got::Binary(_) | Got::Pong(_) => {}
            }
        }
        told
    }

    /// Whether the server has closed it.
    pub fn is_over(&self) -> bool {
        self.is_over
    }
}

/// A session of Socket.IO in one namespace, as long as it lasts.
pub struct Room {
    way: Way,
    waiting: VecDeque<String>,
    /// The namespace.
    pub namespace: &'static str,
    acks: u32,
    is_over: bool,
    /// What CONNECT was answered.
    pub connected: Value,
    /// The id of the connection; empty if there is none.
    pub sid: String,
}

enum Way {
    /// The request was refused.
    Nowhere,
    Socket(Box<Client>),
    Polling {
        talk: Talk,
        request: String,
        heard: Heard,
    },
}

impl Room {
    /// Opens one, and asks for the namespace; with more than the credential in `auth`.
    pub fn open(
        address: SocketAddr,
        person: &Person,
        over: Over,
        namespace: &'static str,
        more: &Value,
    ) -> Room {
        let mut auth = person.credential().auth.clone();
        for (key, value) in more.as_object().into_iter().flatten() {
            auth[key] = value.clone();
        }
        let way = match over {
            Over::Socket => {
                let target = "/socket.io/?EIO=4&transport=websocket";
                upgrade(address, person, target)
                    .map_or(Way::Nowhere, |client| Way::Socket(Box::new(client)))
            }
            Over::Polling => {
                let credential = person.credential();
                let query = &credential.query;
                let lines: String =
                    credential.headers.iter().map(|line| format!("{line}\r\n")).collect();
                let request = format!(
                    "/socket.io/?EIO=4&transport=polling&{query}SID HTTP/1.1\r\nHost: localhost\r\n{lines}"
                );
                let heard = person.heard.clone();
                let talk = Talk::over(Dial::new(address, "").from(from()).tcp());
                Way::Polling { talk, request, heard }
            }
        };
        let connected = Value::Null;
        let waiting = VecDeque::new();
        let sid = String::new();
        let mut room = Room { way, waiting, namespace, acks: 0, is_over: false, connected, sid };
        room.begin();
        room.send(&[format!("40{}{auth}", at(namespace))]);
        let begins = format!("40{}", at(namespace));
        while let Some(packet) = room.next() {
            if let Some(told) = packet.strip_prefix(&begins) {
                room.connected = serde_json::from_str(told).unwrap_or_default();
                break;
            }
            if packet.starts_with("44") {
                room.is_over = true;
            }
        }
        room
    }

    fn begin(&mut self) {
        let open = self.next().unwrap_or_default();
        let open: Value =
            serde_json::from_str(open.get(1..).unwrap_or_default()).unwrap_or_default();
        self.sid = open["sid"].as_str().unwrap_or_default().to_owned();
        let Way::Polling { request, .. } = &mut self.way else { return };
        match open["sid"].as_str() {
            Some(sid) => *request = request.replace("SID", &format!("sid={sid}")),
            None => self.is_over = true,
        }
    }

    /// Sends packets.
    pub fn send(&mut self, packets: &[String]) {
        if self.is_over {
            return;
        }
        match &mut self.way {
            Way::Nowhere => self.is_over = true,
            Way::Socket(client) => packets.iter().for_each(|packet| client.send(packet)),
            Way::Polling { .. } => {
                for some in packets.chunks(50) {
                    let reply = self.ask("POST", &some.join("\u{1e}"));
                    self.is_over |= reply.is_none_or(|reply| reply.status != 200);
                }
            }
        }
    }

    /// Calls something, with this as the argument.
    pub fn call(&mut self, name: &str, argument: &str) -> String {
        self.acks += 1;
        let (at, ack) = (at(self.namespace), self.acks);
        let name = Value::from(name);
        format!("42{at}{ack}[{name},{argument}]")
    }

    /// What was told up to the answer to all that was sent, or to the end.
    #[track_caller]
    pub fn told(&mut self) -> Vec<String> {
        let fence = self.call("fence", "null");
        self.send(&[fence]);
        let fence = format!("43{}{}[", at(self.namespace), self.acks);
        let mut told = Vec::new();
        while let Some(packet) = self.next() {
            if packet.starts_with(&fence) {
                break;
            }
            told.push(packet);
        }
        told
    }

    /// Whether it is over, or never began.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    #[track_caller]
    fn next(&mut self) -> Option<String> {
        loop {
            if let Some(packet) = self.waiting.pop_front() {
                match &*packet {
                    "2" => self.send(&["3".to_owned()]),
                    "1" => self.is_over = true,
                    "6" => {}
                    _ => return Some(packet),
                }
                continue;
            }
            if self.is_over {
                return None;
            }
            self.wait();
        }
    }

    #[track_caller]
    fn wait(&mut self) {
        match &mut self.way {
            Way::Nowhere => self.is_over = true,
            Way::Socket(client) => match client.next() {
                Got::Text(text) => self.waiting.push_back(text),
                Got::Close(_) | Got::End => self.is_over = true,
                Got::Binary(_) | Got::Pong(_) => {}
            },
            Way::Polling { .. } => match self.ask("GET", "") {
                Some(reply) if reply.status == 200 => {
                    let body = String::from_utf8(reply.body).expect("packets are texts");
                    self.waiting.extend(body.split('\u{1e}').map(str::to_owned));
                }
                _ => self.is_over = true,
            },
        }
    }

    fn ask(&mut self, method: &str, body: &str) -> Option<Reply> {
        let Way::Polling { talk, request, heard } = &mut self.way else { return None };
        let head = request.replace("SID", "");
        let request = format!("{method} {head}Content-Length: {}\r\n\r\n{body}", body.len());
        ask(talk, heard, request.as_bytes())
    }
}

/// Sends a request, and keeps its answer whole.
#[track_caller]
fn ask(talk: &mut Talk, heard: &Heard, request: &[u8]) -> Option<Reply> {
    let reply = talk.ask(request, Manner::default());
    let reply = reply.unwrap_or_else(|error| {
        panic!("{error}\nto {}", String::from_utf8_lossy(request));
    });
    if let Some(reply) = &reply {
        let lines = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        note(heard, lines.collect::<String>().as_bytes());
        note(heard, &reply.body);
    }
    reply
}

/// Somebody's requests over HTTP, on a connection that is kept.
pub struct Web {
    talk: Talk,
}

impl Web {
    /// With this server.
    pub fn new(address: SocketAddr) -> Web {
        Web { talk: Talk::new(address) }
    }

    /// Sends a request with what this person shows; a body of nothing is none.
    #[track_caller]
    pub fn ask(
        &mut self,
        person: &Person,
        method: &str,
        target: &str,
        body: &Value,
        more: &str,
    ) -> Reply {
        let credential = person.credential();
        let mut target = target.to_owned();
        if !credential.query.is_empty() {
            target += if target.contains('?') { "&" } else { "?" };
            target += credential.query.trim_end_matches('&');
        }
        let lines: String = credential.headers.iter().map(|line| format!("{line}\r\n")).collect();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{lines}{more}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let reply = ask(&mut self.talk, &person.heard, request.as_bytes());
        reply.unwrap_or_else(|| panic!("{:?}: no answer to {method} {target}", person.who))
    }
}
