//! The floor: a server that does nothing but what cannot be left out.
//!
//! One thread, epoll and `send`; no rights, no storage, no queue, no timer. What a path asks for
//! decides what a connection is: [`CONTROL`] gives orders, [`ECHO`] gets its messages back,
//! [`ROOM`] is told what is said there, [`TELL`] tells a room from outside, [`POLL`] is HTTP and asks
//! for each event anew, everything else listens. It is written as tightly as we know how: a slow floor would flatter whatever
//! stands on it. Where a real server would have to cope, it gives up with a message, since a
//! measurement in which that happened is void.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, RawFd};

use anyhow::{Context as _, Result, bail, ensure};

use crate::poll::Poll;
use crate::{dialect, frame, handshake, http, os, socketio};

/// The path of the connection that gives [`Order`]s.
pub const CONTROL: &str = "/control";
/// The path of connections whose messages come back.
pub const ECHO: &str = "/echo";
/// The path of connections that get their events by asking for each.
pub const POLL: &str = "/poll";
/// How the path of a connection in a room begins; the room's number follows. Whatever one there says
/// is told to all in the room, as the [`Script`] says.
pub const ROOM: &str = "/room/";
/// The path of connections that have something told to a room, and to all that listen everywhere: what,
/// the message says ([`telling`]).
pub const TELL: &str = "/tell";

/// Largest input of one connection in one read: no message here is longer.
const READ_LEN_MAX: usize = 64 * 1024;
/// The most rooms.
const ROOMS_MAX: usize = 100_000;

/// What the control connection asks for: one event to every listener.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    /// How many frames each listener gets, all in one `send`.
    pub copies: u32,
    /// The length of each frame's payload.
    pub payload_len: u32,
}

impl Order {
    /// As the payload of a binary message.
    pub fn encode(self) -> [u8; 8] {
        (u64::from(self.copies) << 32 | u64::from(self.payload_len)).to_be_bytes()
    }

    fn decode(payload: &[u8]) -> Result<Self> {
        let payload = payload.try_into().context("an order has eight bytes")?;
        let both = u64::from_be_bytes(payload);
        Ok(Self { copies: (both >> 32) as u32, payload_len: both as u32 })
    }
}

/// A binary message that has `texts` told in a room, in one `send` to each there: the room's number, and
/// the frames.
pub fn telling(room: u32, texts: &[String]) -> Vec<u8> {
    let frames = texts.iter().map(|text| frame::encode_server(frame::TEXT, text.as_bytes()));
    std::iter::once(room.to_be_bytes().to_vec()).chain(frames).flatten().collect()
}

/// What is told when somebody speaks in a room, word for word. The control connection says it, as a
/// text; it is answered as an order is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// To the speaker, in one `send`.
    pub speaker: Vec<Vec<u8>>,
    /// To each of the others, in one `send`.
    pub others: Vec<Vec<u8>>,
}

impl Script {
    /// As the payload of a text message.
    pub fn encode(&self) -> Vec<u8> {
        [self.speaker.join(&BETWEEN_TEXTS), self.others.join(&BETWEEN_TEXTS)].join(&BETWEEN_SIDES)
    }

    fn decode(payload: &[u8]) -> Result<Self> {
        let mut sides = payload.split(|byte| *byte == BETWEEN_SIDES).map(|side| {
            let texts = side.split(|byte| *byte == BETWEEN_TEXTS).filter(|text| !text.is_empty());
            texts.map(<[u8]>::to_vec).collect()
        });
        let (Some(speaker), Some(others), None) = (sides.next(), sides.next(), sides.next()) else {
            bail!("a script has two sides");
        };
        Ok(Self { speaker, others })
    }
}

/// Control characters are in none of the texts.
const BETWEEN_TEXTS: u8 = 0x1E;
const BETWEEN_SIDES: u8 = 0x1D;

/// Serves on `listen` until the process is ended, at the latest after `limit_s` seconds.
pub fn serve(listen: SocketAddr, limit_s: u32) -> Result<()> {
    os::raise_descriptor_limit()?;
    // Nobody handles SIGALRM in this process, so that it ends there.
    os::alarm(limit_s);
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot bind {listen}"))?;
    listener.set_nonblocking(true)?;
    Bare::new(listener)?.run()
}

struct Bare {
    poll: Poll,
    listener: TcpListener,
    /// By descriptor, which is also the epoll token.
    peers: Vec<Option<Peer>>,
    /// Listeners' descriptors side by side: the fan-out touches no other memory of ours.
    listeners: Vec<RawFd>,
    /// Those that poll, side by side for the same reason.
    pollers: Vec<Poller>,
    /// Who is in which room.
    rooms: Vec<Vec<RawFd>>,
    encoded: Encoded,
    input: Vec<u8>,
}

/// What is sent, most of it by the last order.
struct Encoded {
    order: Order,
    /// To a listener.
    frames: Vec<u8>,
    /// To one that polls: a whole response.
    response: Vec<u8>,
    /// To who speaks in a room.
    to_speaker: Vec<u8>,
    /// To the others there.
    to_others: Vec<u8>,
    /// To who gives orders.
    answer: Vec<u8>,
}

/// A connection that polls.
struct Poller {
    descriptor: RawFd,
    /// Whether a request of it has no answer yet.
    is_waiting: bool,
    /// Answers to requests that are still on the way.
    owed: u32,
}

struct Peer {
    stream: TcpStream,
    role: Role,
}

enum Role {
    /// Holds what came of the request so far.
    Opening(Vec<u8>),
    Listener,
    /// Holds what came of an order so far.
    Control(Vec<u8>),
    Echo,
    /// Holds what came of a message so far.
    Teller(Vec<u8>),
    /// Its room.
    Member(usize),
    /// Its place among the pollers.
    Poller(usize),
}

impl Bare {
    fn new(listener: TcpListener) -> Result<Self> {
        let poll = Poll::new()?;
        poll.add(&listener, listener.as_raw_fd() as u64)?;
        let nothing = Order { copies: 0, payload_len: 0 };
        Ok(Self {
            poll,
            listener,
            peers: Vec::new(),
            listeners: Vec::new(),
            pollers: Vec::new(),
            rooms: Vec::new(),
            encoded: Encoded {
                order: nothing,
                frames: Vec::new(),
                response: Vec::new(),
                to_speaker: Vec::new(),
                to_others: Vec::new(),
                answer: frame::encode_server(frame::TEXT, dialect::BARE_REPLY),
            },
            input: vec![0; READ_LEN_MAX],
        })
    }

    fn run(&mut self) -> Result<()> {
        let listener = self.listener.as_raw_fd() as u64;
        loop {
            let ready = self.poll.wait(None)?;
            for position in 0..ready {
                match self.poll.token(position) {
                    token if token == listener => self.accept()?,
                    token => self.read(token as usize)?,
                }
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot accept"),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let descriptor = stream.as_raw_fd() as usize;
            self.poll.add(&stream, descriptor as u64)?;
            if self.peers.len() <= descriptor {
                self.peers.resize_with(descriptor + 1, || None);
            }
            let role = Role::Opening(Vec::new());
            self.peers[descriptor] = Some(Peer { stream, role });
        }
    }

    #[inline]
    fn read(&mut self, descriptor: usize) -> Result<()> {
        let Some(peer) = &mut self.peers[descriptor] else {
            return Ok(());
        };
        let len = match peer.stream.read(&mut self.input) {
            Ok(0) => return self.close(descriptor),
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) => return self.close(descriptor),
        };
        match &mut peer.role {
            Role::Poller(place) => {
                // Whoever polls waits for the answer: a read is one request, whole.
                ensure!(self.input[..len].ends_with(b"\r\n\r\n"), "a request in pieces");
                let place = *place;
                self.polled(place)
            }
            Role::Echo => echo(descriptor as RawFd, &mut self.input[..len]),
            Role::Member(room) => {
                let room = *room;
                self.tell(descriptor as RawFd, room, len)
            }
            Role::Teller(pieces) => {
                pieces.extend_from_slice(&self.input[..len]);
                let said = std::mem::take(pieces);
                let rest = self.tell_on(descriptor as RawFd, said)?;
                if let Some(Peer { role: Role::Teller(pieces), .. }) = &mut self.peers[descriptor] {
                    *pieces = rest;
                }
                Ok(())
            }
            Role::Control(pieces) => {
                pieces.extend_from_slice(&self.input[..len]);
                let Some(said) = frame::unmask_client(pieces)? else {
                    return Ok(());
                };
                let pieces = std::mem::take(pieces);
                ensure!(pieces.len() == said.payload.end, "an order with more behind it");
                let payload = &pieces[said.payload];
                match said.opcode {
                    frame::TEXT => self.learn(&Script::decode(payload)?),
                    _ => self.obey(Order::decode(payload)?)?,
                }
                send_whole(descriptor as RawFd, &self.encoded.answer)
            }
            // A pong, at most.
            Role::Listener => Ok(()),
            Role::Opening(head) => {
                head.extend_from_slice(&self.input[..len]);
                self.open(descriptor)
            }
        }
    }

    fn close(&mut self, descriptor: usize) -> Result<()> {
        if let Some(Peer { role: Role::Poller(place), .. }) = self.peers[descriptor].take() {
            // Its place stays, as others are known by theirs; nothing is sent there any more.
            let gone = Poller { descriptor: -1, is_waiting: false, owed: 0 };
            self.pollers[place] = gone;
        }
        self.listeners.retain(|fd| *fd != descriptor as RawFd);
        for room in &mut self.rooms {
            room.retain(|fd| *fd != descriptor as RawFd);
        }
        Ok(())
    }

    fn open(&mut self, descriptor: usize) -> Result<()> {
        let Some(Peer { role, .. }) = &mut self.peers[descriptor] else {
            return Ok(());
        };
        let Role::Opening(head) = role else {
            return Ok(());
        };
        ensure!(head.len() <= READ_LEN_MAX, "a request without an end");
        if handshake::head_len(head) != Some(head.len()) {
            return Ok(());
        }
        if handshake::path(head).is_some_and(|path| path == POLL) {
            let descriptor = descriptor as RawFd;
            *role = Role::Poller(self.pollers.len());
            self.pollers.push(Poller { descriptor, is_waiting: true, owed: 0 });
            return Ok(());
        }
        let (response, path) = handshake::accept(head)?;
        let room = path.strip_prefix(ROOM).map(str::parse::<usize>).transpose();
        *role = match (path.as_str(), room.context("a room without a number")?) {
            (CONTROL, _) => Role::Control(Vec::new()),
            (ECHO, _) => Role::Echo,
            (TELL, _) => Role::Teller(Vec::new()),
            (_, Some(room)) => {
                ensure!(room < ROOMS_MAX, "room {room} is none");
                if self.rooms.len() <= room {
                    self.rooms.resize_with(room + 1, Vec::new);
                }
                self.rooms[room].push(descriptor as RawFd);
                Role::Member(room)
            }
            _ => {
                self.listeners.push(descriptor as RawFd);
                Role::Listener
            }
        };
        send_whole(descriptor as RawFd, response.as_bytes())
    }

    /// Takes a request for the next event.
    #[inline]
    fn polled(&mut self, place: usize) -> Result<()> {
        let poller = &mut self.pollers[place];
        if poller.owed == 0 {
            poller.is_waiting = true;
            return Ok(());
        }
        poller.owed -= 1;
        send_whole(poller.descriptor, &self.encoded.response)
    }

    /// Remembers what is told in rooms.
    fn learn(&mut self, script: &Script) {
        let frames = |texts: &[Vec<u8>]| -> Vec<u8> {
            texts.iter().flat_map(|text| frame::encode_server(frame::TEXT, text)).collect()
        };
        self.encoded.to_speaker = frames(&script.speaker);
        self.encoded.to_others = frames(&script.others);
    }

    /// Tells a room of every message that its member `speaker` sent.
    #[inline]
    fn tell(&mut self, speaker: RawFd, room: usize, len: usize) -> Result<()> {
        let mut input = &mut self.input[..len];
        while !input.is_empty() {
            let message = frame::unmask_client(input)?.context("a message in pieces")?;
            input = &mut input[message.payload.end..];
            if message.opcode != frame::TEXT {
                continue;
            }
            for member in &self.rooms[room] {
                let told = match *member == speaker {
                    true => &self.encoded.to_speaker,
                    false => &self.encoded.to_others,
                };
                send_whole(*member, told)?;
            }
        }
        Ok(())
    }

    /// Tells rooms, and whoever listens everywhere, what a teller says, and answers it; returns what is
    /// left: the beginning of a message.
    fn tell_on(&mut self, teller: RawFd, mut said: Vec<u8>) -> Result<Vec<u8>> {
        let mut used = 0;
        while let Some(message) = frame::unmask_client(&mut said[used..])? {
            let payload = &said[used..][message.payload.clone()];
            used += message.payload.end;
            if message.opcode != frame::BINARY {
                continue;
            }
            let (room, frames) = payload.split_first_chunk().context("no room")?;
            // Nobody may be there.
            let room = self.rooms.get(u32::from_be_bytes(*room) as usize).into_iter().flatten();
            for listener in room.chain(&self.listeners) {
                send_whole(*listener, frames)?;
            }
            send_whole(teller, &self.encoded.answer)?;
        }
        said.drain(..used);
        Ok(said)
    }

    /// Carries out an order.
    fn obey(&mut self, order: Order) -> Result<()> {
        if self.encoded.order != order {
            let copies = order.copies as usize;
            let event = dialect::bare_event(order.payload_len as usize);
            let frames = frame::encode_server(frame::TEXT, &event).repeat(copies);
            let response = http::response(&socketio::payload(&event, copies));
            self.encoded.order = order;
            self.encoded.frames = frames;
            self.encoded.response = response;
        }
        for listener in &self.listeners {
            send_whole(*listener, &self.encoded.frames)?;
        }
        for poller in &mut self.pollers {
            if std::mem::take(&mut poller.is_waiting) {
                send_whole(poller.descriptor, &self.encoded.response)?;
            } else {
                poller.owed += 1;
            }
        }
        Ok(())
    }
}

/// Sends back every message in `input`, each from where it lies: the server's header is written
/// in front of the payload, over the end of the client's.
#[inline]
fn echo(peer: RawFd, mut input: &mut [u8]) -> Result<()> {
    while !input.is_empty() {
        let message = frame::unmask_client(input)?.context("a message in pieces")?;
        if message.opcode == frame::CLOSE {
            return Ok(());
        }
        let (header, header_len) = frame::server_header(message.opcode, message.payload.len());
        let start = message.payload.start - header_len;
        input[start..message.payload.start].copy_from_slice(&header[..header_len]);
        send_whole(peer, &input[start..message.payload.end])?;
        input = &mut input[message.payload.end..];
    }
    Ok(())
}

#[inline]
fn send_whole(peer: RawFd, bytes: &[u8]) -> Result<()> {
    match os::send(peer, bytes) {
        Ok(sent) if sent == bytes.len() => Ok(()),
        Ok(_) => bail!("a client does not keep up: this would measure a queue"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            bail!("a client does not keep up: this would measure a queue")
        }
        // It has gone; its end is read from it in its turn.
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::audience::Audience;
    use crate::dialect::Dialect;
    use crate::endpoint::{Endpoint, Publish, Transport};

    /// Serves until the process of the test ends.
    pub fn serve() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || Bare::new(listener).unwrap().run().unwrap());
        address
    }

    #[test]
    fn listeners_of_both_kinds_hear_every_event() {
        for transport in [Transport::WebSocket, Transport::Polling] {
            let address = serve();
            let (pid, publish, dialect) = (std::process::id(), Publish::Order, Dialect::Plain);
            let endpoint = Endpoint { address, pid, publish, dialect, transport };
            let mut audience = Audience::gather(endpoint, 3).unwrap();
            for (ticks, copies, deliveries) in [(5, 1, 15), (2, 8, 48)] {
                let round = audience.round(ticks, copies).unwrap();
                assert_eq!(round.deliveries, deliveries, "{transport:?}");
            }
        }
    }

    #[test]
    fn scripts_survive_the_wire() {
        for (speaker, others) in [(&["43", "42"][..], &["42", "42b"][..]), (&["43"], &[])] {
            let texts =
                |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
            let script = Script { speaker: texts(speaker), others: texts(others) };
            assert_eq!(Script::decode(&script.encode()).unwrap(), script);
        }
        assert!(Script::decode(b"one side").is_err());
    }

    #[test]
    fn orders_survive_the_wire() {
        let order = Order { copies: 8, payload_len: 250 };
        assert_eq!(Order::decode(&order.encode()).unwrap(), order);
        assert!(Order::decode(b"short").is_err());
    }
}
