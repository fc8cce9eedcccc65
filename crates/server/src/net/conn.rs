//! One connection as its shard knows it.

use std::sync::Arc;

use bellwire_services::kit::Fault;
use bellwire_wire::session;

use super::{
    crowd::Counted,
    engine::{Engine, Handshake, Sid},
};
use crate::{
    door::Tuning,
    hub::{LineId, SessionId},
    opening::{Credential, Since},
};

/// What a new connection is for.
#[derive(Debug)]
pub enum Endpoint {
    /// Raw echo, for protocol suites.
    Echo,
    /// A session of Engine.IO.
    Engine {
        /// What the request said.
        handshake: Arc<Handshake>,
        /// Counts it among those that are nowhere yet.
        counted: Option<Counted>,
    },
    /// The second transport of such a session.
    Probe(Sid),
    /// A service's stream.
    Stream {
        /// Which, and what is heard there.
        tuning: Tuning,
        /// Where it begins.
        since: Since,
        /// How its events look.
        style: Style,
        /// How it is let in.
        admission: Admission,
    },
}

/// How events look on a plain connection.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// As their payloads alone.
    pub bare: bool,
    /// In one frame, if they go out together.
    pub batch: bool,
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

/// How a connection will end once its calls are answered.
#[derive(Debug, Default)]
pub struct Farewell {
    /// The close frame, unless one is out already.
    pub close: Option<bytes::Bytes>,
    /// Whether both sides are done with the protocol then, and the socket is to be shut down once
    /// flushed.
    pub done: bool,
}

/// What is spoken on a connection.
#[derive(Debug)]
pub enum Speech {
    /// Whatever comes is sent back.
    Echo,
    /// The plain dialect of one stream, by one session.
    Plain(SessionId),
    /// Engine.IO, with what is spoken over it.
    Engine(Box<Engine>),
    /// Engine.IO, as far as it takes to become the transport of a session that polls.
    Probe {
        /// The line of that session.
        of: LineId,
        /// Until when that has to happen.
        until_ms: u64,
    },
}

/// One connection. Kept small: there are many, and most are idle.
#[derive(Debug)]
pub struct Conn {
    /// Its way out, in the hub.
    pub line: LineId,
    /// Its protocol's state.
    pub wire: session::Session,
    /// What is spoken.
    pub speech: Speech,
    /// Whether the socket may have more to read.
    pub readable: bool,
    /// Whether it waits for its turn to be read.
    pub deferred: bool,
    /// Whether the peer has said that it sends no more.
    pub peer_done: bool,
    /// How it ends, once the calls before are answered.
    pub farewell: Option<Box<Farewell>>,
    /// The tick in which the wheel brings it up; 0 if it is not on the wheel.
    pub due: u64,
    /// How often it was refused lately.
    pub refusals: Refusals,
}

impl Conn {
    /// A connection that has just been upgraded.
    pub fn new(line: LineId, speech: Speech, now_ms: u64) -> Conn {
        Conn {
            line,
            wire: session::Session::new(now_ms),
            speech,
            readable: true,
            deferred: false,
            peer_done: false,
            farewell: None,
            due: 0,
            refusals: Refusals::default(),
        }
    }

    /// Whether packets of a request wait to be served.
    pub fn is_posting(&self) -> bool {
        matches!(&self.speech, Speech::Engine(engine) if engine.post.is_some())
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
