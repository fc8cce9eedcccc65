//! One WebSocket connection's protocol, around a [`Reader`]: what to answer, whether the peer
//! still lives, and how the connection ends.
//!
//! Three rules hold here. At most one close frame ever leaves, and no frame after it (RFC 6455
//! section 5.5.1). Any complete inbound frame is a sign of life, bytes alone are not. Whatever
//! goes wrong, [`Session::tick`] says [`Tick::Dead`] in bounded time.
//!
//! Not here: what messages mean. A raw echo and the plain dialect run the same session, so it does
//! not know which it serves; whether binary messages are welcome (1003) is its caller's decision.
//!
//! ```text
//!   Open --- close() ----------------------------> Closing --- peer's close, violation: Closed
//!     \--- peer's close, violation: Reply, Closed ---^
//! ```

use bytes::Bytes;

use crate::frame::{self, Flow, Incoming, Limits, Opcode, Reader, Role, Violation};

/// A connection that was quiet this long is sent a ping, and another after as long again.
pub const PING_AFTER_MS: u64 = 25_000;

/// A connection that was quiet this long is dead.
pub const DEAD_AFTER_MS: u64 = 60_000;

/// How long the peer has, from our close frame on, to end the connection in order.
pub const CLOSE_WITHIN_MS: u64 = 5_000;

/// The protocol state of one connection, server side. Small, and without a buffer while idle.
#[derive(Debug)]
pub struct Session {
    reader: Reader,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// `pinged_ms` is when a ping was last sent; at first, when the connection opened.
    Open { pinged_ms: u64 },
    /// Our close frame went out, first or in answer. What the peer says matters only until its own
    /// comes.
    Closing { deadline_ms: u64 },
}

/// What the driver is handed by [`Session::receive`], in the order in which it is to act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message. Where it is unwelcome (1003), as wherever a message ends the connection,
    /// the driver answers [`Flow::Pause`], then calls [`Session::close`].
    Binary(&'a [u8]),
    /// Write this frame: a pong, or the one close frame.
    Reply(Bytes),
    /// Both sides are done, or the peer broke the protocol. Write what is queued, shut down the
    /// sending side, then drop the transport when the peer ends it or [`Tick::Dead`] says so;
    /// what still arrives may be thrown away. (Dropping it at once, with bytes unread, makes TCP
    /// reset the connection and can destroy the close frame on its way.)
    Closed,
}

/// What time asks of the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tick {
    /// Nothing before `next_ms`.
    Nothing {
        /// When to ask again, at the latest.
        next_ms: u64,
    },
    /// Write this ping frame.
    Ping {
        /// The frame; it is static, and shared.
        frame: Bytes,
        /// When to ask again, at the latest.
        next_ms: u64,
    },
    /// The peer is gone, or did not end the connection in time: drop the transport.
    Dead,
}

impl Session {
    /// A session whose opening handshake was completed at `now_ms`.
    pub fn new(now_ms: u64) -> Session {
        Session {
            reader: Reader::new(Role::Server, now_ms),
            phase: Phase::Open { pinged_ms: now_ms },
        }
    }

    /// Takes what was read from the transport and says, through `on`, what follows from it.
    ///
    /// [`Flow::Pause`] works as in [`Reader::receive`]: call again, with or without bytes, to go
    /// on. Once a close frame was sent, messages and pings are dropped unanswered, and `on` is
    /// called only to say [`Action::Closed`]; its `Flow` is then ignored.
    pub fn receive(
        &mut self,
        limits: &Limits,
        bytes: &mut [u8],
        now_ms: u64,
        on: &mut impl FnMut(Action<'_>) -> Flow,
    ) {
        let Session { reader, phase } = self;
        let result = reader.receive(limits, bytes, now_ms, &mut |incoming| match *phase {
            Phase::Open { .. } => match incoming {
                Incoming::Text(text) => on(Action::Text(text)),
                Incoming::Binary(bytes) => on(Action::Binary(bytes)),
                Incoming::Ping(payload) => on(Action::Reply(frame::encode(Opcode::Pong, payload))),
                Incoming::Pong(_) => Flow::Continue,
                Incoming::Close(close) => {
                    // RFC 6455 section 5.5.1: the answer typically echoes the code.
                    let reply = match close {
                        Some((code, _)) => frame::close(code, ""),
                        None => frame::encode(Opcode::Close, &[]),
                    };
                    *phase = Phase::Closing { deadline_ms: now_ms + CLOSE_WITHIN_MS };
                    on(Action::Reply(reply));
                    on(Action::Closed)
                }
            },
            Phase::Closing { .. } => {
                if let Incoming::Close(_) = incoming {
                    on(Action::Closed);
                }
                Flow::Continue
            }
        });
        if let Err(violation) = result {
            self.fail(violation, now_ms, on);
        }
    }

    /// Begins the close handshake: the frame to write, with this code and reason, unless a close
    /// frame was sent already. Messages not yet handed out are dropped from now on, so a driver
    /// that had paused resumes reading to see the peer's answer.
    ///
    /// # Panics
    ///
    /// In debug builds, if no close frame may carry this code
    /// ([`frame::is_valid_close_code`]).
    pub fn close(&mut self, code: u16, reason: &str, now_ms: u64) -> Option<Bytes> {
        if !self.is_open() {
            return None;
        }
        self.phase = Phase::Closing { deadline_ms: now_ms + CLOSE_WITHIN_MS };
        Some(frame::close(code, reason))
    }

    /// What is due at `now_ms`. Asking early is harmless; asking late delays what was due.
    pub fn tick(&mut self, now_ms: u64) -> Tick {
        let pinged_ms = match self.phase {
            Phase::Open { pinged_ms } => pinged_ms,
            Phase::Closing { deadline_ms } => {
                return match now_ms < deadline_ms {
                    true => Tick::Nothing { next_ms: deadline_ms },
                    false => Tick::Dead,
                };
            }
        };
        let dead_ms = self.reader.last_frame_ms() + DEAD_AFTER_MS;
        if now_ms >= dead_ms {
            return Tick::Dead;
        }
        let ping_ms = self.reader.last_frame_ms().max(pinged_ms) + PING_AFTER_MS;
        if now_ms < ping_ms {
            return Tick::Nothing { next_ms: ping_ms.min(dead_ms) };
        }
        self.phase = Phase::Open { pinged_ms: now_ms };
        // A ping without payload (RFC 6455 section 5.5.2).
        let frame = Bytes::from_static(&[0x80 | Opcode::Ping as u8, 0]);
        Tick::Ping { frame, next_ms: (now_ms + PING_AFTER_MS).min(dead_ms) }
    }

    /// Whether messages may still be sent: no close frame was sent or received.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Whether a pause left something unread, so that `receive` without bytes may yield more.
    pub fn has_unread(&self) -> bool {
        self.reader.has_unread()
    }

    /// Fails the connection (RFC 6455 section 7.1.7).
    fn fail(&mut self, violation: Violation, now_ms: u64, on: &mut impl FnMut(Action<'_>) -> Flow) {
        if let Some(close) = self.close(violation.code, violation.reason, now_ms) {
            on(Action::Reply(close));
        }
        on(Action::Closed);
    }
}
