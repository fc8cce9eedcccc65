//! The floor: a WebSocket server that does nothing but what cannot be left out.
//!
//! One thread, epoll and `send`; no rights, no storage, no queue, no timer. What a path asks for
//! decides what a connection is: [`CONTROL`] gives orders, [`ECHO`] gets its messages back,
//! everything else listens. It is written as tightly as we know how: a slow floor would flatter
//! whatever stands on it. Where a real server would have to cope, it gives up with a message,
//! since a measurement in which that happened is void.

use std::io::{ErrorKind, Read as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd as _, RawFd};

use anyhow::{Context as _, Result, bail, ensure};

use crate::poll::Poll;
use crate::{dialect, frame, handshake, os};

/// The path of the connection that gives [`Order`]s.
pub const CONTROL: &str = "/control";
/// The path of connections whose messages come back.
pub const ECHO: &str = "/echo";

/// Largest input of one connection in one read: no message here is longer.
const READ_LEN_MAX: usize = 64 * 1024;

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
    /// The frames of the last order, encoded.
    encoded: (Order, Vec<u8>),
    input: Vec<u8>,
}

struct Peer {
    stream: TcpStream,
    role: Role,
}

enum Role {
    /// Holds what came of the request so far.
    Opening(Vec<u8>),
    Listener,
    Control,
    Echo,
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
            encoded: (nothing, Vec::new()),
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
            Role::Echo => echo(descriptor as RawFd, &mut self.input[..len]),
            Role::Control => self.obey(descriptor as RawFd, len),
            // A pong, at most.
            Role::Listener => Ok(()),
            Role::Opening(head) => {
                head.extend_from_slice(&self.input[..len]);
                self.open(descriptor)
            }
        }
    }

    fn close(&mut self, descriptor: usize) -> Result<()> {
        self.peers[descriptor] = None;
        self.listeners.retain(|fd| *fd != descriptor as RawFd);
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
        let (response, path) = handshake::accept(head)?;
        *role = match path.as_str() {
            CONTROL => Role::Control,
            ECHO => Role::Echo,
            _ => {
                self.listeners.push(descriptor as RawFd);
                Role::Listener
            }
        };
        send_whole(descriptor as RawFd, response.as_bytes())
    }

    /// Answers an order, as a real server answers its publisher, and carries it out.
    fn obey(&mut self, control: RawFd, len: usize) -> Result<()> {
        let input = &mut self.input[..len];
        let order = frame::unmask_client(input)?.context("an order in pieces")?;
        let order = Order::decode(&input[order.payload])?;
        if self.encoded.0 != order {
            let event = dialect::bare_event(order.payload_len as usize);
            let frames = frame::encode_server(frame::TEXT, &event).repeat(order.copies as usize);
            self.encoded = (order, frames);
        }
        for listener in &self.listeners {
            send_whole(*listener, &self.encoded.1)?;
        }
        let answer = frame::encode_server(frame::TEXT, dialect::BARE_REPLY);
        send_whole(control, &answer)
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
mod tests {
    use super::*;

    #[test]
    fn orders_survive_the_wire() {
        let order = Order { copies: 8, payload_len: 250 };
        assert_eq!(Order::decode(&order.encode()).unwrap(), order);
        assert!(Order::decode(b"short").is_err());
    }
}
