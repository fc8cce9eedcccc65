//! An Engine.IO session, as its shard knows it: a connection that may change its transport.

use std::{collections::VecDeque, fmt, net::IpAddr, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bellwire_wire::{
    engine::{Heartbeat, Item, Timing},
    socketio::Decoder,
};

use sha2::{Digest, Sha256};

use super::{conn::Admission, crowd::Counted, sink::Replies, upgrade::Stranger};
use crate::{
    credentials::chance,
    hub::{LineId, SessionId},
};

/// How long a client may stay without a namespace, in milliseconds.
const CONNECT_WITHIN_MS: u64 = 10_000;
/// How long a change of transport may take, in milliseconds.
pub const PROBE_WITHIN_MS: u64 = 10_000;

/// When all Engine.IO sessions of a server are due.
#[derive(Debug, Clone, Copy)]
pub struct Timings {
    /// Pings.
    pub heartbeat: Timing,
    /// How long a client may stay without a namespace, in milliseconds.
    pub connect_within_ms: u64,
}

impl Default for Timings {
    fn default() -> Timings {
        Timings { heartbeat: Timing::default(), connect_within_ms: CONNECT_WITHIN_MS }
    }
}

/// The id of a session: 20 characters that nobody guesses, and that say which shard has it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sid([u8; Sid::LEN]);

impl Sid {
    /// How many characters it has.
    const LEN: usize = 20;

    /// A fresh one of this shard: 104 bits are chance.
    pub fn fresh(shard: u16) -> Sid {
        let mut bytes = [0; Sid::LEN / 4 * 3];
        bytes[..2].copy_from_slice(&shard.to_be_bytes());
        bytes[2..].copy_from_slice(&chance()[..13]);
        let text = URL_SAFE_NO_PAD.encode(bytes);
        Sid(text.into_bytes().try_into().expect("15 bytes are 20 characters"))
    }

    /// The public one of whoever has this `pid`, which says nothing of that.
    pub fn of(pid: &str) -> Sid {
        let digest = Sha256::digest(pid);
        let text = URL_SAFE_NO_PAD.encode(&digest[..Sid::LEN / 4 * 3]);
        Sid(text.into_bytes().try_into().expect("15 bytes are 20 characters"))
    }

    /// The id that a client names, if it is one.
    pub fn parse(text: &str) -> Option<Sid> {
        let sid = Sid(text.as_bytes().try_into().ok()?);
        URL_SAFE_NO_PAD.decode(sid.0).is_ok().then_some(sid)
    }

    /// The shard that has it.
    pub fn shard(self) -> u16 {
        let first = URL_SAFE_NO_PAD.decode(&self.0[..4]).expect("it is one, or it was not parsed");
        u16::from_be_bytes([first[0], first[1]])
    }

    /// As clients see it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("it is ASCII")
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sid(..)")
    }
}

/// What is spoken in the session's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Socket.IO.
    SocketIo,
    /// Nothing: messages are sent back. For protocol suites.
    Echo,
}

/// What the request said that began the session.
#[derive(Debug)]
pub struct Handshake {
    /// What is spoken.
    pub protocol: Protocol,
    /// How it lets in whoever shows no other credential.
    pub admission: Admission,
    /// Where it came from.
    pub from: IpAddr,
    /// Set if it shows no credential: in the namespace of a service that is open, such a one may be a guest.
    pub stranger: Option<Stranger>,
}

/// One namespace that the client is in.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    /// Its number at the door.
    pub namespace: u8,
    /// The session that serves it; none on a conformance server.
    pub session: Option<SessionId>,
}

/// A client that is to be put out of a namespace as soon as it has acknowledged why, or at the latest then.
#[derive(Debug, Clone, Copy)]
pub struct Goodbye {
    /// The namespace.
    pub path: &'static str,
    /// The id of the packet that says why.
    pub ack: u64,
    /// Milliseconds of the shard's clock.
    pub until_ms: u64,
}

/// The packets of a request that are not served yet, and who waits for that.
#[derive(Debug)]
pub struct Post {
    /// The packets, in order.
    pub items: VecDeque<Item>,
    /// Is answered when all were taken.
    pub reply: Replies,
}

/// One session. Kept small: there are many, and most are idle.
#[derive(Debug)]
pub struct Engine {
    /// Its id.
    pub sid: Sid,
    /// Whether its transport is polling.
    pub polls: bool,
    /// Pings, and the answers to them.
    pub heartbeat: Heartbeat,
    /// Puts packets and their attachments together.
    pub decoder: Decoder,
    /// Where the client is.
    pub seats: Vec<Seat>,
    /// The namespaces that it was put out of, by their numbers: what it says there crossed that.
    pub put_out_of: u32,
    /// The namespaces that it is about to be put out of.
    pub goodbyes: Vec<Goodbye>,
    /// Until when the client has to be in a namespace, if it is in none.
    pub lobby_until_ms: u64,
    /// How it began.
    pub handshake: Arc<Handshake>,
    /// Counts it among those that are nowhere yet.
    pub counted: Option<Counted>,
    /// The connection to which the client is about to change.
    pub probe: Option<LineId>,
    /// A request whose packets are being served.
    pub post: Option<Box<Post>>,
    /// Whether the client said that it goes.
    pub left: bool,
}

impl Engine {
    /// A session that begins.
    pub fn new(
        sid: Sid,
        polls: bool,
        handshake: Arc<Handshake>,
        counted: Option<Counted>,
        lobby_until_ms: u64,
        now_ms: u64,
    ) -> Engine {
        Engine {
            sid,
            polls,
            heartbeat: Heartbeat::new(now_ms),
            decoder: Decoder::default(),
            seats: Vec::new(),
            put_out_of: 0,
            goodbyes: Vec::new(),
            lobby_until_ms,
            handshake,
            counted,
            probe: None,
            post: None,
            left: false,
        }
    }

    /// Whether the client is in a namespace; where there are none, it always is.
    pub fn is_in(&self) -> bool {
        self.handshake.protocol == Protocol::Echo || !self.seats.is_empty()
    }

    /// When the client must have said something that it has not, if that is so.
    pub fn deadline_ms(&self) -> Option<u64> {
        let lobby = self.seats.is_empty().then_some(self.lobby_until_ms);
        [lobby, self.decoder.deadline_ms()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_its_shard_and_nothing_else() {
        for shard in [0, 1, 63, 64, u16::MAX] {
            let sid = Sid::fresh(shard);
            assert_eq!((sid.as_str().len(), sid.shard()), (20, shard));
            assert_eq!(Sid::parse(sid.as_str()), Some(sid));
            assert_ne!(Sid::fresh(shard), sid);
            assert_eq!(format!("{sid:?}"), "Sid(..)");
        }
        assert_eq!(Sid::of("a"), Sid::of("a"));
        assert_ne!(Sid::of("a"), Sid::of("b"));
        for text in
            ["", "a", "AAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAA", "AAAA AAAAAAAAAAAAAAA"]
        {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }
}
