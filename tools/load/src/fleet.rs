//! Many WebSocket connections of one thread: opened one after another, read through one epoll.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::poll::Poll;
use crate::{frame, handshake, interrupt, os};

/// How long one connection may take to open, and one write to be taken.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections that share a source address: far less than the 28,000 ephemeral ports that there
/// are by default, since the kernel searches long for one of the last.
const CONNECTIONS_PER_SOURCE: usize = 4096;
/// Longest pause inside a wait before the run's end is looked for.
const GLANCE: Duration = Duration::from_millis(100);
const READ_LEN_MAX: usize = 256 * 1024;

/// A set of open connections, numbered from 0 in the order in which they were opened.
pub struct Fleet {
    poll: Poll,
    peers: Vec<Peer>,
    input: Vec<u8>,
    pings: u64,
}

/// One text message that arrived.
pub struct Heard<'a> {
    /// The connection's number.
    pub index: usize,
    /// The message.
    pub text: &'a [u8],
    /// To answer on.
    pub stream: &'a TcpStream,
}

struct Peer {
    stream: TcpStream,
    /// The beginning of a frame whose end has not arrived; almost always empty.
    partial: Vec<u8>,
}

impl Fleet {
    /// A set without connections.
    pub fn new() -> Result<Self> {
        Ok(Self { poll: Poll::new()?, peers: Vec::new(), input: vec![0; READ_LEN_MAX], pings: 0 })
    }

    /// Opens one more connection and returns its number. What the server sends along with its
    /// acceptance is heard by the first [`Fleet::pump`] that finds more on that connection.
    pub fn join(&mut self, address: SocketAddr, path: &str, token: Option<&str>) -> Result<usize> {
        interrupt::check()?;
        let index = self.peers.len();
        let peer = open(address, source(index), path, token)
            .with_context(|| format!("connection {index} to {address}{path}"))?;
        self.poll.add(&peer.stream, index as u64)?;
        self.peers.push(peer);
        Ok(index)
    }

    /// How many connections there are.
    pub fn len(&self) -> usize {
        self.peers.len()
    }

    /// Sends bytes that are already framed.
    pub fn send(&mut self, index: usize, frames: &[u8]) -> Result<()> {
        send(&self.peers[index].stream, frames)
    }

    /// Waits at most `wait` for input and tells `heard` every text message of it. Pings are
    /// answered and counted; a close, or the run's end, is an error. Returns whether there was
    /// input.
    pub fn pump(
        &mut self,
        wait: Duration,
        mut heard: impl FnMut(Heard<'_>) -> Result<()>,
    ) -> Result<bool> {
        interrupt::check()?;
        let ready = self.poll.wait(Some(wait.min(GLANCE)))?;
        for position in 0..ready {
            let index = self.poll.token(position) as usize;
            let peer = &mut self.peers[index];
            let len = match peer.stream.read(&mut self.input) {
                Ok(0) => bail!("the server hung up on connection {index}"),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error).with_context(|| format!("connection {index}")),
            };
            self.pings += peer
                .take(index, &self.input[..len], &mut heard)
                .with_context(|| format!("connection {index}"))?;
        }
        Ok(ready > 0)
    }

    /// Pumps until nothing has come for `quiet`, for at most ten times as long; messages are
    /// dropped.
    pub fn quiesce(&mut self, quiet: Duration) -> Result<()> {
        let deadline = Instant::now() + quiet * 10;
        while self.pump(quiet, |_| Ok(()))? && Instant::now() < deadline {}
        Ok(())
    }

    /// How many pings came since this was asked last.
    pub fn take_pings(&mut self) -> u64 {
        std::mem::take(&mut self.pings)
    }
}

impl Peer {
    /// Handles what was read: returns how many pings were in it.
    fn take(
        &mut self,
        index: usize,
        input: &[u8],
        heard: &mut impl FnMut(Heard<'_>) -> Result<()>,
    ) -> Result<u64> {
        if self.partial.is_empty() {
            let (used, pings) = hear(index, &self.stream, input, heard)?;
            self.partial.extend_from_slice(&input[used..]);
            return Ok(pings);
        }
        self.partial.extend_from_slice(input);
        let (used, pings) = hear(index, &self.stream, &self.partial, heard)?;
        self.partial.drain(..used);
        Ok(pings)
    }
}

/// Handles every whole frame in `input`; returns how many bytes they were and how many were pings.
fn hear(
    index: usize,
    stream: &TcpStream,
    input: &[u8],
    heard: &mut impl FnMut(Heard<'_>) -> Result<()>,
) -> Result<(usize, u64)> {
    let mut used = 0;
    let mut pings = 0;
    while let Some(frame) = frame::read_server(&input[used..])? {
        used += frame.len;
        match frame.opcode {
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

/// Sends bytes that are already framed; that the kernel does not take them at once is an error,
/// since everything sent here is small and waits for an answer.
pub fn send(mut stream: &TcpStream, frames: &[u8]) -> Result<()> {
    let sent = stream.write(frames).context("cannot send")?;
    ensure!(sent == frames.len(), "the server does not read what is sent");
    Ok(())
}

fn close_reason(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => {
            format!("{} {}", u16::from_be_bytes([*high, *low]), String::from_utf8_lossy(reason))
        }
        _ => "without a code".to_owned(),
    }
}

fn source(index: usize) -> Ipv4Addr {
    let host = 1 + index / CONNECTIONS_PER_SOURCE;
    Ipv4Addr::new(127, 0, 0, host.min(250) as u8)
}

fn open(address: SocketAddr, source: Ipv4Addr, path: &str, token: Option<&str>) -> Result<Peer> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    os::choose_port_late(&socket)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&address.into(), PATIENCE)?;
    let mut stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(handshake::request(address, path, token).as_bytes())?;

    let mut input = Vec::with_capacity(1024);
    let head_len = loop {
        if let Some(len) = handshake::head_len(&input) {
            break len;
        }
        ensure!(input.len() <= READ_LEN_MAX, "a response without an end");
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).context("no answer to the handshake")? {
            0 => bail!("hung up during the handshake:\n{}", String::from_utf8_lossy(&input)),
            len => input.extend_from_slice(&chunk[..len]),
        }
    };
    handshake::check_response(&input[..head_len])?;
    stream.set_nonblocking(true)?;
    let partial = input.split_off(head_len);
    Ok(Peer { stream, partial })
}
