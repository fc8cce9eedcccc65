//! The way into a shard, and what comes that way.

use std::{
    io,
    sync::{Arc, atomic::AtomicUsize, mpsc},
};

use bellwire_services::kit::{Answer, Fault};
use bytes::Bytes;
use mio::{Poll, Waker};

use super::{Request, WAKER};
use crate::{
    door::Recovered,
    hub::{Passing, SessionId},
    net::{conn::Endpoint, engine::Sid, socket::Socket},
    opening::Opened,
    sequencer::{CallId, Feed, Item},
};

/// What comes to a shard from other threads.
#[derive(Debug)]
pub enum Message {
    /// A committed batch: its answers and rows, for all shards.
    Batch(Arc<[Item]>),
    /// Events that are not committed, but pass, for all shards.
    Passing(Arc<[Passing]>),
    /// A connection that was upgraded.
    Arrival(Box<Arrival>),
    /// What was read for a session that is going live, by the number of the read.
    Opened(SessionId, u32, Box<Result<Opened, Fault>>),
    /// What was read and written for a connection that may be recovered: its own id, and the result.
    Recovered(SessionId, u32, Box<(String, Result<Recovered, Fault>)>),
    /// Another connection goes on with what this one had.
    Replaced(Sid),
    /// A query was answered.
    Answered(CallId, Result<Answer, Fault>),
    /// A request of an Engine.IO session over HTTP.
    Request(Box<Request>),
    /// The connection of a poll of this session ended.
    Unpolled(Sid),
    /// Close everything, a portion at a time, and end; so many milliseconds may pass.
    Drain(u64),
}

/// A connection that was upgraded to WebSocket.
#[derive(Debug)]
pub struct Arrival {
    /// The socket.
    pub socket: Socket,
    /// What came after the request's head already, decrypted.
    pub unread: Bytes,
    /// What it is for.
    pub endpoint: Endpoint,
}

/// A shard's way in, made before the shard itself.
pub struct Inlet {
    pub(super) poll: Poll,
    pub(super) receiver: mpsc::Receiver<Message>,
    /// The sending half.
    pub feed: Feed,
    /// How many sessions there are, and how many bytes wait for them. Atomics: written by the shard,
    /// read for metrics.
    pub load: Arc<Load>,
}

/// A shard's load.
#[derive(Debug, Default)]
pub struct Load {
    /// Live connections.
    pub sessions: AtomicUsize,
    /// Bytes that wait for sockets.
    pub queued: AtomicUsize,
}

impl Inlet {
    /// A way in.
    ///
    /// # Errors
    /// The system's, when it has no descriptor left.
    pub fn new() -> io::Result<Inlet> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (sender, receiver) = mpsc::channel();
        let feed = Feed { sender, waker, handled: Arc::default() };
        Ok(Inlet { poll, receiver, feed, load: Arc::default() })
    }

    /// The next message, if one is there.
    #[cfg(test)]
    pub(crate) fn take(&self) -> Option<Message> {
        self.receiver.try_recv().ok()
    }
}
