//! One session as its shard knows it: who it is, what it asked, and the reads that it waits for.

use std::sync::Arc;

use bellwire_services::{
    kit::{Answer, Principal},
    live_sessions::Listened,
};

use super::calls::{CALLS_MAX, Calls, UNREAD_LEN_MAX};
use crate::{
    audience::{Audience, Streams},
    door::{Moves, Recoverable, Wish},
    hub::{LineId, SessionId, recent::Shape},
    online::Being,
    opening::{Credential, Since},
    presence::Attendance,
    signals::Signaller,
    thinning::Listening as Thinned,
};

/// How long the first message may take.
pub const FIRST_MESSAGE_MAX_MS: u64 = 10_000;

/// What a session is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waits for its credential, until this time.
    FirstMessage {
        /// Milliseconds of the shard's clock.
        until_ms: u64,
    },
    /// Its rights are being read.
    Opening,
    /// Serves.
    Open,
    /// Its client left the namespace: what it asked before is still done, in silence.
    Leaving,
    /// A read found its credential revoked. The row that says so, with its last words, is on its way.
    Revoked {
        /// When it ends without them, in milliseconds of the shard's clock.
        until_ms: u64,
    },
    /// Ends; its calls are void.
    Ending,
}

/// Where a session is: what can be asked there, and how it is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// A plain endpoint, by the number of its stream at the door.
    Stream(u16),
    /// A namespace of Socket.IO, by its number at the door.
    Namespace(u8),
}

/// A read that is under way for the session, to be done again if it comes too late.
#[derive(Debug, Clone)]
pub enum Reading {
    /// None yet: the credential comes with the first message.
    FirstMessage {
        /// What it wants.
        wish: Wish,
        /// Where it begins.
        since: Since,
    },
    /// The connection's first.
    Connect {
        /// Who it is.
        credential: Credential,
        /// What it wants.
        wish: Wish,
        /// Where it begins.
        since: Since,
    },
    /// The first of a connection that may be recovered.
    Recover(Recoverable),
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
    },
    /// The session goes into other rooms, or out of them, before a call is answered.
    Move {
        /// The call.
        call: u32,
        /// Where it goes.
        moves: Moves,
        /// The answer.
        answer: Arc<Answer>,
    },
    /// The session listens to other topics.
    Listen {
        /// The call that asked for it, or that waits for it.
        call: u32,
        /// Whether that call has yet to be started.
        first: bool,
        /// The names of all of them.
        names: Vec<String>,
    },
}

/// What a session of Socket.IO listens to.
#[derive(Debug, Default)]
pub struct Listening {
    /// Its topics.
    pub topics: Vec<Listened>,
    /// The streams that it has ever listened to: a call to their services changes nothing.
    pub known: Streams,
    /// Its own id, new and never used again: its connection's, a dot, its number there.
    pub sid: String,
    /// By this it may come back, if it asked for that.
    pub pid: Option<String>,
}

/// Where a session is counted, as long as this lives.
#[derive(Debug, Default)]
pub struct Counted {
    /// Among the connections of its principal, if those are counted.
    pub attendance: Option<Attendance>,
    /// Among the listeners of thinned streams.
    pub thinned: Vec<Thinned>,
    /// What it began ends with it, before others are told that it is gone.
    pub signaller: Option<Signaller>,
    /// Among the connections of a user who is online by them.
    pub being: Option<Being>,
}

/// One session. Kept small: there are many, and most are idle.
#[derive(Debug)]
pub struct Talk {
    /// Its name in the hub.
    pub id: SessionId,
    /// Its connection.
    pub line: LineId,
    /// What it is doing.
    pub stage: Stage,
    /// Where it is.
    pub mount: Mount,
    /// How its events look.
    pub shape: Shape,
    /// Who it is, once that is known.
    pub principal: Option<Arc<Principal>>,
    /// Whether it was told first what its principal had not acknowledged, of all that it listens to.
    pub settles: bool,
    /// Whether it was handed a token.
    pub handed: bool,
    /// Counts it where it is to be counted. Most are nowhere.
    pub counted: Option<Box<Counted>>,
    /// What it hears.
    pub audience: Audience,
    /// The same as a client of Socket.IO asked for it.
    pub listening: Option<Box<Listening>>,
    /// Calls that are not answered.
    pub calls: Option<Box<Calls>>,
    /// A read that is under way.
    pub reading: Option<Box<Reading>>,
    /// Counts the reads: the result of one that another has replaced is ignored.
    pub reads: u32,
    /// Lives as long as somebody waits for the read; one that nobody waits for is passed over.
    pub awaited: Option<Arc<()>>,
}

impl Talk {
    /// A session that has just been let in.
    pub fn new(id: SessionId, line: LineId, mount: Mount, shape: Shape) -> Talk {
        Talk {
            id,
            line,
            stage: Stage::Opening,
            mount,
            shape,
            principal: None,
            settles: true,
            handed: false,
            counted: None,
            audience: Audience::default(),
            listening: None,
            calls: None,
            reading: None,
            reads: 0,
            awaited: None,
        }
    }

    /// The id of who it is, once that is known.
    pub fn principal_id(&self) -> Option<&String> {
        self.principal.as_ref().map(|principal| &principal.id)
    }

    /// How many more calls there is room for, and how many bytes of them.
    pub fn room(&self) -> (usize, usize) {
        self.calls.as_ref().map_or((CALLS_MAX, UNREAD_LEN_MAX), |calls| calls.room())
    }

    /// Whether there is no room for another call.
    pub fn is_full(&self) -> bool {
        self.calls.as_ref().is_some_and(|calls| calls.is_full())
    }

    /// Whether calls of it are still to be answered.
    pub fn is_asking(&self) -> bool {
        self.stage != Stage::Ending && self.calls.as_ref().is_some_and(|calls| !calls.is_empty())
    }

    /// Whether its next message is to say who it is.
    pub fn is_to_identify(&self) -> bool {
        matches!(self.stage, Stage::FirstMessage { .. })
    }

    /// Whether calls may start.
    pub fn is_serving(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Leaving)
    }

    /// The read that was under way is done, or nobody waits for it any more.
    pub fn forget_read(&mut self) {
        self.reading = None;
        self.awaited = None;
    }

    /// Its client said goodbye, or may not come back: nobody waits for it.
    pub fn say_goodbye(&mut self) {
        let being = self.counted.as_mut().and_then(|counted| counted.being.as_mut());
        being.into_iter().for_each(|being| being.goodbye = true);
    }

    /// Nothing more is answered or read for it; what is queued may still go out.
    pub fn stop(&mut self) {
        self.stage = Stage::Ending;
        self.counted = None;
        self.calls = None;
        self.forget_read();
    }
}
