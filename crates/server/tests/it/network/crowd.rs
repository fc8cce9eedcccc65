//! Many connections of all kinds that read, or do not: sockets without a client behind them, so that a test has the
//! time for a thousand.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use bellwire_wire::frame::Opcode;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::{Domain, Socket, Type};

use crate::harness::{DEADLINE, Server, text};

/// Small, so that it is the server that has to keep what is not read.
const RECEIVE_BUFFER: usize = 8 << 10;
/// As on Ethernet.
const SEGMENT_LEN: u32 = 1_460;
/// How long everybody has to read what is there.
const READ_MAX: Duration = Duration::from_secs(5);
/// Between two looks at whether the test wants an end.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// What there is too much of for who does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// States, in every round.
    States,
    /// What other streams tell, in the first.
    Others,
}

/// Connections that are alike.
pub struct Kind {
    /// How failures name it.
    pub name: &'static str,
    pub count: usize,
    /// By what it must be cut, if by anything, as nothing may be skipped for it.
    pub cut_by: Option<By>,
    pub path: String,
    /// Who connects.
    pub token: String,
    /// What it says first: over a WebSocket a message, and to Engine.IO a packet.
    pub says: String,
    /// What it is told when it listens.
    pub told: &'static str,
}

impl Kind {
    fn polls(&self) -> bool {
        self.path.contains("transport=polling")
    }
}

/// One connection.
struct Reader {
    kind: usize,
    stream: TcpStream,
    /// The request by which it polls.
    poll: Option<String>,
    /// What came of an answer to a poll.
    answer: Vec<u8>,
    ended: bool,
}

/// All of them.
pub struct Crowd {
    kinds: Vec<Kind>,
    poll: Poll,
    readers: Vec<Reader>,
}

impl Crowd {
    /// Connects them all.
    pub fn gather(server: &Server, kinds: Vec<Kind>) -> Crowd {
        let poll = Poll::new().expect("sockets can be waited for");
        let mut crowd = Crowd { kinds, poll, readers: Vec::new() };
        for kind in 0..crowd.kinds.len() {
            for _ in 0..crowd.kinds[kind].count {
                let token = Token(crowd.readers.len());
                let reader = crowd.connect(server, kind, token);
                crowd.readers.push(reader);
            }
        }
        crowd
    }

    /// How many there are that are cut by this.
    pub fn len(&self, by: By) -> usize {
        self.kinds.iter().filter(|kind| kind.cut_by == Some(by)).map(|kind| kind.count).sum()
    }

    /// Those whose connection has ended come back, and so do those that do not poll any more.
    pub fn come_back(&mut self, server: &Server) {
        for at in 0..self.readers.len() {
            let Reader { kind, ended, .. } = self.readers[at];
            if ended || self.kinds[kind].polls() {
                self.readers[at] = self.connect(server, kind, Token(at));
            }
        }
    }

    fn connect(&self, server: &Server, kind: usize, token: Token) -> Reader {
        let Kind { path, says, told, token: whose, .. } = &self.kinds[kind];
        let dial = server.dial(path).bearer(whose);
        let (mut stream, mut poll) = (far(server.address()), None);
        if self.kinds[kind].polls() {
            let head = format!("Host: localhost\r\nAuthorization: Bearer {whose}\r\n");
            let open = format!("GET {path} HTTP/1.1\r\n{head}\r\n");
            let open = says_until(&mut stream, open.as_bytes(), "}");
            let (_, sid) = open.split_once(r#""sid":""#).expect("a session has an id");
            let target = format!("{path}&sid={}", sid.split('"').next().expect("it ends"));
            let get = format!("GET {target} HTTP/1.1\r\n{head}\r\n");
            let post = format!(
                "POST {target} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{says}",
                says.len()
            );
            says_until(&mut stream, post.as_bytes(), "\r\n\r\nok");
            says_until(&mut stream, get.as_bytes(), told);
            poll = Some(get);
        } else {
            let both = [dial.request().into_bytes(), text(says)].concat();
            says_until(&mut stream, &both, told);
        }
        stream.set_nonblocking(true).expect("a socket takes options");
        let mut stream = TcpStream::from_std(stream);
        self.poll.registry().register(&mut stream, token, Interest::READABLE).expect("is watched");
        Reader { kind, stream, poll, answer: Vec::new(), ended: false }
    }

    /// All read, and poll, until `done`, and then what is there still.
    pub fn read(&mut self, done: &AtomicBool) {
        let mut events = Events::with_capacity(1_024);
        for reader in self.readers.iter_mut().filter(|reader| !reader.ended) {
            reader.polls();
        }
        while !done.load(Ordering::Relaxed) {
            self.poll.poll(&mut events, Some(LOOK_INTERVAL)).expect("sockets can be waited for");
            events.iter().for_each(|event| self.readers[event.token().0].takes(&mut Vec::new()));
        }
        self.readers.iter_mut().for_each(|reader| reader.takes(&mut Vec::new()));
    }

    /// Everybody reads what is there: who was cut, with 4408 if that could be said still. Says how many were told the
    /// code, and how many of those that must be cut are not yet.
    #[track_caller]
    pub fn was_cut(&mut self, by: &[By]) -> (usize, usize) {
        let Crowd { kinds, readers, .. } = self;
        let sockets = readers.iter_mut().filter(|reader| reader.poll.is_none());
        let mut all: Vec<(&mut Reader, Vec<u8>)> = sockets.map(|r| (r, Vec::new())).collect();
        let is_open = |(reader, bytes): &(&mut Reader, Vec<u8>)| {
            kinds[reader.kind].cut_by.is_some_and(|it| by.contains(&it))
                && !reader.ended
                && close_code(bytes).is_none()
        };
        let began = Instant::now();
        let open = loop {
            all.iter_mut().for_each(|(reader, bytes)| reader.takes(bytes));
            let open = all.iter().filter(|each| is_open(each)).count();
            if open == 0 || began.elapsed() > READ_MAX {
                break open;
            }
            thread::park_timeout(LOOK_INTERVAL);
        };
        let mut told = 0;
        for (reader, bytes) in all {
            let code = close_code(&bytes);
            assert!(matches!(code, None | Some(4408)), "{}: {code:?}", kinds[reader.kind].name);
            told += usize::from(code.is_some());
            if code.is_some() {
                reader.ended = true;
                // It says no more, so the server need not wait for its answer.
                let _ = reader.stream.shutdown(Shutdown::Both);
            }
        }
        (told, open)
    }
}

impl Reader {
    /// Reads what is there.
    fn takes(&mut self, into: &mut Vec<u8>) {
        let mut buffer = [0; 64 << 10];
        while !self.ended {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.ended = true,
                Ok(len) if self.poll.is_some() => {
                    self.answer.extend_from_slice(&buffer[..len]);
                    if is_whole(&self.answer) {
                        self.answer.clear();
                        self.polls();
                    }
                }
                Ok(len) => into.extend_from_slice(&buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.ended = true,
            }
        }
    }

    /// Polls, if it is one that does.
    fn polls(&mut self) {
        if let Some(poll) = &self.poll {
            // A server that ends the connection may not take it.
            let _ = self.stream.write_all(poll.as_bytes());
        }
    }
}

/// A socket that takes little, in segments as they are on a network: by those of loopback, of 64 KiB, the system would
/// keep more than 1 MiB of what one does not read.
fn far(address: SocketAddr) -> std::net::TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be made");
    socket.set_recv_buffer_size(RECEIVE_BUFFER).expect("a buffer can be small");
    socket.set_tcp_mss(SEGMENT_LEN).expect("segments can be short");
    socket.connect_timeout(&address.into(), DEADLINE).expect("the server listens");
    socket.set_tcp_nodelay(true).expect("a socket takes options");
    socket.into()
}

/// Whether a response is there with its body.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let len = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    len.is_some_and(|len| body.len() >= len)
}

/// The code of the close frame that is the last of these bytes, which may begin within a frame.
fn close_code(bytes: &[u8]) -> Option<u16> {
    const FIRST: u8 = 0x80 | Opcode::Close as u8;
    (2..126_usize).find_map(|len| {
        let frame = &bytes[bytes.len().checked_sub(len + 2)?..];
        let is_close = frame[0] == FIRST && usize::from(frame[1]) == len;
        is_close.then(|| u16::from_be_bytes([frame[2], frame[3]]))
    })
}

/// Says this, and reads until that is told; gives all that was.
#[track_caller]
pub fn says_until(stream: &mut std::net::TcpStream, says: &[u8], told: &str) -> String {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
    stream.write_all(says).expect("the server takes it");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4 << 10]);
    loop {
        let len = stream.read(&mut buffer).expect("the server says something");
        bytes.extend_from_slice(&buffer[..len]);
        let text = String::from_utf8_lossy(&bytes);
        assert!(len > 0, "it ends before {told:?}: {text}");
        if text.contains(told) {
            return text.into_owned();
        }
    }
}
