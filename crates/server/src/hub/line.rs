//! A line: one connection's way out, and what waits for it.

use std::io::Write;

use bytes::Bytes;

use super::{
    Hub, Need, SessionId,
    outbox::{Fate, Frame, LINE, Outbox, Written, pass_on},
    recent::Shape,
    session::{Place, Session},
    tick::Tick,
};

/// Names a line, also after it was dropped and its slot serves another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId {
    /// Its place in the hub's slab.
    pub slot: u32,
    /// Counts the lines and sessions of this hub.
    pub serial: u32,
}

/// One connection's way out. Kept small: there are many, and most are idle.
#[derive(Debug)]
pub(super) struct Line<S> {
    pub sink: S,
    pub serial: u32,
    /// This tick's frames: first and last node of a list in the hub's tick.
    pub chain: Option<(u32, u32)>,
    pub outbox: Option<Box<Outbox>>,
    /// The sessions that hear over it, linked by their `next`.
    pub first: Option<u32>,
    /// Whether its last words were said.
    pub ending: bool,
    /// Whether it loses the oldest of what waits for it, rather than to end, when it does not keep up.
    pub lossy: bool,
    /// The sessions for which rows that go out together are one frame, and their shapes.
    pub batching: Option<Box<Batching>>,
}

/// Sessions for which rows that go out together are one frame, and their shapes.
#[derive(Debug, Default)]
pub(super) struct Batching {
    pub sessions: Vec<(u32, Shape)>,
}

/// Which rows were dropped that were to be told to a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropped {
    /// Such as this tick told,
    pub of_tick: bool,
    /// and such as waited for its socket.
    pub of_outbox: bool,
}

impl<S> Line<S> {
    /// A session that is gone has no batches.
    pub fn no_batches(&mut self, session: u32) {
        if let Some(batching) = &mut self.batching {
            batching.sessions.retain(|(slot, _)| *slot != session);
        }
    }

    /// How many bytes wait for its socket.
    pub fn queued_len(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.queued_len())
    }

    /// Judges the frames of rows that wait for one session; says what was dropped.
    pub fn revise(
        &mut self,
        tick: &mut Tick,
        owner: u32,
        judge: impl Fn(&Frame) -> Fate,
    ) -> Dropped {
        Dropped {
            of_tick: tick.revise(&mut self.chain, owner, &judge),
            of_outbox: self.outbox.as_mut().is_some_and(|outbox| outbox.revise(owner, judge)),
        }
    }
}

impl<S: Write> Hub<S> {
    /// Makes a line, without a session yet.
    pub fn line(&mut self, sink: S) -> LineId {
        self.serials = self.serials.wrapping_add(1);
        let serial = self.serials;
        let line = Line {
            sink,
            serial,
            chain: None,
            outbox: None,
            first: None,
            ending: false,
            lossy: false,
            batching: None,
        };
        LineId { slot: self.lines.insert(line) as u32, serial }
    }

    /// From now on rows that go out to a session together are one frame.
    pub fn batch(&mut self, id: SessionId) {
        let Some(slot) = self.slot_of(id) else { return };
        let Session { line, shape, .. } = self.sessions[slot as usize];
        let batching = self.lines[line as usize].batching.get_or_insert_default();
        batching.sessions.push((slot, shape));
    }

    /// From now on a line that does not keep up loses the oldest of what waits for it, and stays. Its readers have no
    /// cursor.
    pub fn lossy(&mut self, line: LineId) {
        if let Some(slot) = self.line_at(line) {
            self.lines[slot as usize].lossy = true;
        }
    }

    /// How many frames were lost that way since this was asked last.
    pub fn take_shed(&mut self) -> u64 {
        std::mem::take(&mut self.shed)
    }

    /// The sessions on a line.
    pub fn sessions_on(&self, line: LineId) -> impl Iterator<Item = SessionId> + '_ {
        let slots = self.line_at(line).into_iter().flat_map(|line| self.slots_on(line));
        slots.map(|slot| self.sessions[slot as usize].id(slot))
    }

    pub(super) fn slots_on(&self, line: u32) -> impl Iterator<Item = u32> + '_ {
        let first = self.lines[line as usize].first;
        std::iter::successors(first, |&slot| self.sessions[slot as usize].next)
    }

    /// Queues a frame that is for none of the line's sessions alone, unless its last words were said; it
    /// goes out with the next flush, whatever becomes of sessions.
    pub fn say(&mut self, line: LineId, bytes: Bytes) {
        if let Some(slot) = self.line_at(line)
            && !self.lines[slot as usize].ending
        {
            self.push_on(slot, Frame::of(bytes), LINE);
        }
    }

    /// Ends what the sessions of a line hear; `last` are the frames that it is still sent, whatever
    /// becomes of rights meanwhile.
    pub fn end(&mut self, line: LineId, last: impl IntoIterator<Item = Bytes>, now_ms: u64) {
        let Some(slot) = self.line_at(line) else { return };
        for session in self.slots_on(slot).collect::<Vec<_>>() {
            if !matches!(self.sessions[session as usize].place, Place::Ending) {
                self.stop(session);
            }
        }
        for bytes in last {
            self.push_on(slot, Frame::of(bytes), LINE);
        }
        self.lines[slot as usize].ending = true;
        self.flush_one(slot, now_ms);
    }

    pub(super) fn push_on(&mut self, line: u32, frame: Frame, owner: u32) {
        if owner != LINE && self.lines[line as usize].ending {
            return;
        }
        let frame = self.tick.frame(frame);
        self.tick.chain(line, &mut self.lines[line as usize].chain, frame, owner);
    }

    /// Writes this tick's frames: one write per line.
    pub fn flush(&mut self, now_ms: u64) {
        let dirty = self.tick.take_dirty();
        for &line in &dirty {
            self.flush_one(line, now_ms);
        }
        self.tick.clear(dirty);
    }

    pub(super) fn flush_one(&mut self, slot: u32, now_ms: u64) {
        let Some(line) = self.lines.get_mut(slot as usize) else { return };
        let Some(chain) = line.chain.take() else { return };
        self.tick.gather(chain);
        if let Some(batching) = &line.batching {
            self.tick.batch(&self.speller, &batching.sessions);
        }
        let written = self.tick.write(&mut line.sink, &mut line.outbox, now_ms);
        self.settle(slot, written, now_ms);
    }

    /// The socket takes bytes again: writes what waits, and feeds sessions that are behind.
    pub fn writable(&mut self, line: LineId, now_ms: u64) {
        let Some(slot) = self.line_at(line) else { return };
        let line = &mut self.lines[slot as usize];
        let written = match &mut line.outbox {
            Some(outbox) => outbox.write(&mut line.sink, now_ms),
            // Nothing of ours waits, but the sink may have something to say by itself.
            None => match pass_on(&mut line.sink) {
                Written::All => return,
                other => other,
            },
        };
        if written == Written::Blocked && line.outbox.is_none() {
            line.outbox = Some(Box::new(Outbox::holding_back(now_ms)));
        }
        self.settle(slot, written, now_ms);
        for session in self.slots_on(slot).collect::<Vec<_>>() {
            self.advance(session, now_ms);
        }
    }

    fn settle(&mut self, slot: u32, written: Written, now_ms: u64) {
        match written {
            Written::All => {
                self.lines[slot as usize].outbox = None;
                self.blocked.remove(&slot);
            }
            Written::Blocked => {
                self.blocked.insert(slot);
                self.cut_off_if_slow(slot, now_ms);
            }
            Written::Gone => self.needs.push(Need::Gone(self.line_id(slot))),
        }
    }

    fn cut_off_if_slow(&mut self, slot: u32, now_ms: u64) {
        let line = &mut self.lines[slot as usize];
        let Some(outbox) = line.outbox.as_mut().filter(|_| !line.ending) else { return };
        let is_too_slow = match line.lossy {
            true => {
                self.shed += outbox.shed(self.outbox_len_max);
                outbox.is_too_full(self.outbox_len_max)
            }
            false => outbox.is_too_slow(now_ms, self.outbox_len_max),
        };
        if is_too_slow {
            self.cut_off(slot);
        }
    }

    /// Ends a line that does not keep up: what waits is dropped, but for the rest of a frame.
    pub(super) fn cut_off(&mut self, slot: u32) {
        for session in self.slots_on(slot).collect::<Vec<_>>() {
            self.stop(session);
        }
        let line = &mut self.lines[slot as usize];
        line.ending = true;
        line.chain = None;
        if let Some(outbox) = &mut line.outbox {
            outbox.clear();
        }
        self.needs.push(Need::Slow(self.line_id(slot)));
    }

    /// Finds the lines whose sockets have taken nothing for too long. To be called about once a second.
    pub fn find_stalled(&mut self, now_ms: u64) {
        let blocked: Vec<u32> = self.blocked.iter().copied().collect();
        for slot in blocked {
            self.cut_off_if_slow(slot, now_ms);
        }
    }

    /// While more than this waits for all sockets and is in memory for one line alone, cuts off lines: many who ask and
    /// never read are bounded together, too. Those go first for whom most of it has waited longest. Who reads what they
    /// were answered is there for a moment, much as that may be, and does not pay for others who keep less for long.
    pub fn cut_hoarders(&mut self, own_len_max: usize, now_ms: u64) {
        let open = self.blocked.iter().filter(|&&slot| !self.lines[slot as usize].ending);
        let hoard = |slot: u32| {
            let outbox = self.lines[slot as usize].outbox.as_ref()?;
            let len = outbox.own_len();
            let weight = (len as u64).saturating_mul(outbox.age_ms(now_ms) + 1);
            (len > 0).then_some((weight, slot, len))
        };
        let hoards = || open.clone().filter_map(|&slot| hoard(slot));
        let mut all: usize = hoards().map(|(.., len)| len).sum();
        if all <= own_len_max {
            return;
        }
        let mut hoards: Vec<(u64, u32, usize)> = hoards().collect();
        hoards.sort_unstable();
        while all > own_len_max
            && let Some((_, slot, len)) = hoards.pop()
        {
            all -= len;
            self.cut_off(slot);
        }
    }

    /// Forgets a line and its sessions, and gives its sink back.
    pub fn drop_line(&mut self, line: LineId) -> Option<S> {
        let slot = self.line_at(line)?;
        for session in self.slots_on(slot).collect::<Vec<_>>() {
            self.forget(session);
        }
        self.blocked.remove(&slot);
        Some(self.lines.remove(slot as usize).sink)
    }

    /// The sink of a line.
    pub fn sink(&mut self, line: LineId) -> Option<&mut S> {
        let slot = self.line_at(line)?;
        Some(&mut self.lines[slot as usize].sink)
    }

    /// Whether its last words were said, or there is no such line.
    pub fn is_ending(&self, line: LineId) -> bool {
        self.line_at(line).is_none_or(|slot| self.lines[slot as usize].ending)
    }

    /// Whether nothing waits for the line's socket.
    pub fn is_flushed(&self, line: LineId) -> bool {
        self.line_at(line).is_none_or(|slot| {
            let line = &self.lines[slot as usize];
            line.outbox.is_none() && line.chain.is_none()
        })
    }

    /// The bytes that wait for slow sockets.
    pub fn queued_bytes(&self) -> usize {
        self.blocked.iter().map(|&slot| self.lines[slot as usize].queued_len()).sum()
    }

    pub(super) fn line_at(&self, line: LineId) -> Option<u32> {
        let known = self.lines.get(line.slot as usize)?;
        (known.serial == line.serial).then_some(line.slot)
    }

    pub(super) fn line_id(&self, slot: u32) -> LineId {
        LineId { slot, serial: self.lines[slot as usize].serial }
    }
}
