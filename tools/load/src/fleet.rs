//! Many connections of one thread: opened one after another, read through one epoll.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::interrupt;
use crate::opening::{Opened, Opening};
use crate::poll::Poll;
use crate::speech::Speech;

/// Connections that share a source address: far less than the 28,000 ephemeral ports that there
/// are by default, since the kernel searches long for one of the last.
const CONNECTIONS_PER_SOURCE: usize = 4096;
/// The same of connections that stay with HTTP, of which a server may allow one address fewer.
const POLLS_PER_SOURCE: usize = 500;
/// The same of connections without a credential, of which a server may allow one address fewer still.
const GUESTS_PER_SOURCE: usize = 250;
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
    /// The beginning of a message whose end has not arrived; almost always empty.
    partial: Vec<u8>,
    speech: Speech,
}

impl Fleet {
    /// A set without connections.
    pub fn new() -> Result<Self> {
        Ok(Self { poll: Poll::new()?, peers: Vec::new(), input: vec![0; READ_LEN_MAX], pings: 0 })
    }

    /// Opens one more connection and returns its number. What the server sends along with its
    /// acceptance is heard by the first [`Fleet::pump`] that finds more on that connection.
    pub fn join(&mut self, address: SocketAddr, opening: Opening<'_>) -> Result<usize> {
        interrupt::check()?;
        let index = self.peers.len();
        let Opened { stream, rest, speech } = opening
            .open(address, source(index, opening))
            .with_context(|| format!("connection {index} to {address}, {opening}"))?;
        self.poll.add(&stream, index as u64)?;
        self.peers.push(Peer { stream, partial: rest, speech });
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
        let Self { stream, partial, speech } = self;
        if partial.is_empty() {
            let (used, pings) = speech.hear(index, stream, input, heard)?;
            partial.extend_from_slice(&input[used..]);
            return Ok(pings);
        }
        partial.extend_from_slice(input);
        let (used, pings) = speech.hear(index, stream, partial, heard)?;
        partial.drain(..used);
        Ok(pings)
    }
}

/// Sends bytes that are already framed; that the kernel does not take them at once is an error,
/// since everything sent here is small and waits for an answer.
pub fn send(mut stream: &TcpStream, frames: &[u8]) -> Result<()> {
    let sent = stream.write(frames).context("cannot send")?;
    ensure!(sent == frames.len(), "the server does not read what is sent");
    Ok(())
}

fn source(index: usize, opening: Opening<'_>) -> Ipv4Addr {
    let shared_by = match opening {
        Opening::Plain { .. } | Opening::SocketIo { .. } => CONNECTIONS_PER_SOURCE,
        Opening::Polling { .. } | Opening::BarePoll => POLLS_PER_SOURCE,
        Opening::Guest { .. } => GUESTS_PER_SOURCE,
    };
    let host = 1 + index / shared_by;
    Ipv4Addr::new(127, 0, 0, host.min(250) as u8)
}
