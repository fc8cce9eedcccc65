//! One WebSocket connection as its shard knows it.

use std::sync::Arc;

use bellwire_services::kit::{Fault, Principal};
use bellwire_wire::session;

use super::calls::Calls;
use crate::{
    hub::{Keys, SessionId},
    opening::{Credential, Since},
};

/// What a new connection is for.
#[derive(Debug)]
pub enum Endpoint {
    /// Raw echo, for protocol suites.
    Echo,
    /// A service's stream, by its number at the door.
    Stream {
        /// Which.
        stream: usize,
        /// Where it begins.
        since: Since,
        /// How it is let in.
        admission: Admission,
    },
}

/// How a connection is let in.
#[derive(Debug)]
pub enum Admission {
    /// With this credential.
    Credential(Credential),
    /// With the credential of its first message, to come within 10 s.
    FirstMessage,
    /// Not at all, for this reason: it is told so and closed (4401, 4403).
    Refused(Fault),
}

/// How long the first message may take.
pub const FIRST_MESSAGE_MAX_MS: u64 = 10_000;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Echoes.
    Echo,
    /// Waits for its credential, until this time.
    FirstMessage {
        /// Milliseconds of the shard's clock.
        until_ms: u64,
    },
    /// Its rights are being read.
    Opening,
    /// Serves.
    Open,
    /// Ends; its calls are void.
    Ending,
}

/// A read that is under way for the session, to be done again if it comes too late.
#[derive(Debug, Clone)]
pub enum Reading {
    /// None yet: the credential comes with the first message.
    FirstMessage {
        /// Where it begins.
        since: Since,
    },
    /// The connection's first.
    Connect {
        /// Who it is.
        credential: Credential,
        /// Where it begins.
        since: Since,
    },
    /// The session fell behind what is in memory.
    CatchUp {
        /// The last row it was told.
        after: u64,
    },
    /// A subscription.
    Subscribe {
        /// The call that asked for it.
        call: u32,
        /// The subscription's name.
        name: String,
        /// Its fields as JSON text: values take many times the memory, and it may wait.
        fields: String,
        /// The request's id.
        id: Option<String>,
    },
}

/// How a connection will end once its calls are answered.
#[derive(Debug, Default)]
pub struct Farewell {
    /// The close frame, unless one is out already.
    pub close: Option<bytes::Bytes>,
    /// Whether both sides are done with the protocol then, and the socket is to be shut down once
    /// flushed.
    pub done: bool,
}

/// One connection. Kept small: there are many, and most are idle.
#[derive(Debug)]
pub struct Conn {
    /// Its name in the hub.
    pub id: SessionId,
    /// Its protocol's state.
    pub wire: session::Session,
    /// What it is doing.
    pub stage: Stage,
    /// Which stream it is on.
    pub stream: u16,
    /// Whether its events have a cursor.
    pub cursor: bool,
    /// Whether the socket may have more to read.
    pub readable: bool,
    /// Whether it waits for its turn to be read.
    pub deferred: bool,
    /// Whether the peer has said that it sends no more.
    pub peer_done: bool,
    /// How it ends, once the calls before are answered.
    pub farewell: Option<Box<Farewell>>,
    /// The second in which the wheel brings it up; 0 if it is not on the wheel.
    pub due_s: u64,
    /// Who it is, once that is known.
    pub principal: Option<Arc<Principal>>,
    /// Its filter.
    pub keys: Keys,
    /// Calls that are not answered.
    pub calls: Option<Box<Calls>>,
    /// A read that is under way.
    pub reading: Option<Box<Reading>>,
    /// Counts the reads: the result of one that another has replaced is ignored.
    pub reads: u32,
    /// Lives as long as somebody waits for the read; one that nobody waits for is passed over.
    pub awaited: Option<Arc<()>>,
    /// How often it was refused lately.
    pub refusals: Refusals,
}

impl Conn {
    /// A connection that has just been upgraded.
    pub fn new(id: SessionId, stream: usize, cursor: bool, now_ms: u64) -> Conn {
        Conn {
            id,
            wire: session::Session::new(now_ms),
            stage: Stage::Opening,
            stream: stream as u16,
            cursor,
            readable: true,
            deferred: false,
            peer_done: false,
            farewell: None,
            due_s: 0,
            principal: None,
            keys: None,
            calls: None,
            reading: None,
            reads: 0,
            awaited: None,
            refusals: Refusals::default(),
        }
    }

    /// The read that was under way is done, or nobody waits for it any more.
    pub fn forget_read(&mut self) {
        self.reading = None;
        self.awaited = None;
    }

    /// Nothing more is answered or read for it; what is queued may still go out.
    pub fn stop(&mut self) {
        self.stage = Stage::Ending;
        self.calls = None;
        self.forget_read();
    }
}

/// Counts refusals, so that a client that does nothing else is first answered rarely, then closed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refusals {
    /// When the window began.
    window_ms: u64,
    /// When a refusal was last answered.
    answered_ms: u64,
    /// Refusals in the window.
    count: u32,
}

/// What to do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Answer it.
    Answer,
    /// Say nothing.
    Silence,
    /// Close (1008).
    Close,
}

impl Refusals {
    /// How long refusals are counted together.
    const WINDOW_MS: u64 = 60_000;
    /// The most in a window that are all answered; past it, one a second is.
    const ANSWERED_MAX: u32 = 120;
    /// The most in a window; past it, the connection is closed.
    const COUNT_MAX: u32 = 1_200;

    /// Counts one.
    pub fn count(&mut self, now_ms: u64) -> Patience {
        if self.count == 0 || now_ms.saturating_sub(self.window_ms) >= Self::WINDOW_MS {
            *self = Refusals { window_ms: now_ms, ..*self };
            self.count = 0;
        }
        self.count += 1;
        let answer =
            self.count <= Self::ANSWERED_MAX || now_ms.saturating_sub(self.answered_ms) >= 1_000;
        match self.count > Self::COUNT_MAX {
            true => Patience::Close,
            false if answer => {
                self.answered_ms = now_ms;
                Patience::Answer
            }
            false => Patience::Silence,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_by_count_and_renews_by_minute() {
        let mut refusals = Refusals::default();
        let mut answered = |at_ms, times: u32| {
            let all: Vec<Patience> = (0..times).map(|_| refusals.count(at_ms)).collect();
            let count = |patience| all.iter().filter(|p| **p == patience).count();
            (count(Patience::Answer), count(Patience::Silence), count(Patience::Close))
        };
        assert_eq!(answered(5_000, 120), (120, 0, 0));
        assert_eq!(answered(5_000, 1), (0, 1, 0));
        assert_eq!(answered(6_000, 100), (1, 99, 0));
        assert_eq!(answered(7_000, 979), (1, 978, 0));
        assert_eq!(answered(7_000, 1), (0, 0, 1));
        assert_eq!(answered(65_000, 120), (120, 0, 0));
    }
}
