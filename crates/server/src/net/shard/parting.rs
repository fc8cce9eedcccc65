//! How connections end in order: what came before a close still counts.
//!
//! A client may send a message and close right behind it; both may come in one read, and before
//! its rights were read. So our close frame waits until the calls before it are answered, five
//! seconds at most: then the wheel drops the connection.

use bellwire_wire::{frame::Opcode, session};
use bytes::Bytes;

use super::Shard;
use crate::{
    hub::{LineId, SessionId},
    net::talk::Talk,
};

/// Whether a frame of the protocol's is its close frame.
pub(super) fn is_close(frame: &[u8]) -> bool {
    frame.first() == Some(&(0x80 | Opcode::Close as u8))
}

impl Shard {
    /// Closes, once the calls under way are answered. `done`: the peer's part is over, too.
    pub(super) fn part(&mut self, line: LineId, close: Option<Bytes>, done: bool, now_ms: u64) {
        let Some(conn) = self.conn(line) else { return };
        let farewell = conn.farewell.get_or_insert_default();
        farewell.close = farewell.close.take().or(close);
        farewell.done |= done;
        self.schedule(line, now_ms + session::CLOSE_WITHIN_MS);
        self.parted(line, now_ms);
    }

    /// Sends a close frame that waited, if nothing is left that it waits for.
    pub(super) fn parted(&mut self, line: LineId, now_ms: u64) {
        if self.conn(line).is_none_or(|conn| conn.farewell.is_none()) {
            return;
        }
        let talk = |id: SessionId| self.talks[id.slot as usize].as_ref();
        if self.hub.sessions_on(line).filter_map(talk).any(Talk::is_asking) {
            return;
        }
        self.stop_talks(line);
        let Some(conn) = self.conn(line) else { return };
        let Some(farewell) = conn.farewell.take() else { return };
        // There may be more to throw away, or the peer's end to be seen.
        conn.readable = true;
        self.hub.end(line, farewell.close, now_ms);
        if farewell.done {
            self.finishing.push(line);
        }
        self.defer(line);
    }
}
