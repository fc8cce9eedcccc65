//! The races of going live, one by one.

use super::*;

impl<S: Write> Hub<S> {
    /// How many bytes wait for one session's socket.
    pub(crate) fn queued_for(&self, id: SessionId) -> usize {
        let slot = self.slot_of(id);
        let outbox = slot.and_then(|slot| self.sessions[slot as usize].outbox.as_ref());
        outbox.map_or(0, |outbox| outbox.queued_len())
    }
}
