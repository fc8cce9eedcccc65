//! What waits for a socket that would block: in order, bounded, and coalesced where that is allowed.
//!
//! A frame is for one session of the line, or for none of them alone ([`LINE`]): pongs, and the last
//! words of a connection that ends. Rights concern the frames of a session.

#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    io::{self, ErrorKind, IoSlice, Write},
    sync::Arc,
};

use bellwire_services::kit::Principal;
use bellwire_store::change::Overflow;
use bytes::Bytes;

use super::recent::{Entry, Shape, Speller};

/// The most that waits for one socket, in bytes, unless the hub is told otherwise.
pub const LEN_MAX: usize = 1 << 20;
/// The most that waits for all sockets of a server and is in memory for one of them alone, in bytes: answers and
/// snapshots. Past it those are cut off first for whom most of it waits, and has waited longest.
pub const OWN_LEN_MAX: usize = 128 << 20;
/// How long a socket may take nothing while something waits for it.
pub const STALLED_MAX_MS: u64 = 10_000;
/// What a waiting frame takes beside its bytes: its place in the queue, and in the map of keys. So
/// many frames wait at most, and a few more.
const FRAME_OVERHEAD: usize = 128;
const FRAMES_FREE: usize = 64;
/// Gaps in the queue are closed when there are more than this, and more of them than of frames.
const GAPS_MAX: usize = 64;
/// The bit of a frame's first byte that tells control frames from messages (RFC 6455 section 5.5).
const CONTROL: u8 = 0x08;
/// As many buffers as one write takes.
const SLICES_MAX: usize = 64;
/// Stands for the line itself where a frame says which session it is for.
pub const LINE: u32 = u32::MAX;

/// A frame on its way, and which variant of which row it tells, if it tells one.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The bytes.
    pub bytes: Bytes,
    /// The row and variant, for coalescing and for dropping it when the right to it is lost.
    pub row: Option<(Arc<Entry>, usize)>,
    /// Whether it may be taken out for a newer value of the same key: its reader has no cursor.
    pub coalesces: bool,
    /// Whether its service let a read have it: its topics alone do not say whether it may still be told.
    pub is_judged: bool,
}

impl Frame {
    /// A frame that tells no row.
    pub fn of(bytes: Bytes) -> Frame {
        Frame { bytes, row: None, coalesces: false, is_judged: false }
    }

    /// The frame that tells one variant of a row's event in this shape, to this receiver.
    pub fn telling(
        speller: &Speller,
        entry: &Arc<Entry>,
        variant: usize,
        shape: Shape,
        whose: &Principal,
    ) -> Frame {
        Frame::of_row(speller.frame_for(entry, variant, shape, whose), entry, variant, shape)
    }

    /// These bytes, which tell one variant of a row's event in this shape.
    pub fn of_row(bytes: Bytes, entry: &Arc<Entry>, variant: usize, shape: Shape) -> Frame {
        let (row, coalesces) = (Some((entry.clone(), variant)), coalesces(shape));
        Frame { bytes, row, coalesces, is_judged: false }
    }

    /// What it takes in memory that is there for it alone, in bytes; nothing where it was taken out.
    fn own_len(&self) -> usize {
        let is_own = self.row.is_none() && !self.bytes.is_empty();
        usize::from(is_own) * (self.bytes.len() + FRAME_OVERHEAD)
    }
}

/// Whether only the newest value of each key is kept for readers of this shape that do not keep up.
fn coalesces(shape: Shape) -> bool {
    mutant!(CursorCoalesced => return true);
    !shape.has_cursor()
}

/// A frame that waits, and the slot of the session that it is for.
#[derive(Debug)]
struct Waiting {
    frame: Frame,
    owner: u32,
}

/// What a frame has in common with those that it replaces: its session, whether it passes, its event's name and key.
type LatestKey = (u32, bool, String, String);

/// What becomes of a frame that waits, when rights change.
#[derive(Debug)]
pub enum Fate {
    /// It stays.
    Keep,
    /// It goes.
    Drop,
    /// This one stands in its place.
    Replace(Frame),
}

/// How a write went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// Everything was taken, and passed on.
    All,
    /// The socket would block; the rest waits.
    Blocked,
    /// The peer is gone.
    Gone,
}

/// The queue of one line; it exists only while something waits, here or in the sink.
#[derive(Debug)]
pub struct Outbox {
    frames: VecDeque<Waiting>,
    /// How much of the front frame was written.
    front_written: usize,
    bytes: usize,
    /// What is in memory for this line alone, in bytes: frames that tell no row, and what each takes beside.
    own: usize,
    /// How many of `frames` are gaps: frames that were taken out, without bytes.
    gaps: usize,
    /// The number of the front frame; frames are numbered as they come.
    front_number: u64,
    /// The newest waiting frame per event name and key, of those that may be coalesced.
    latest: HashMap<LatestKey, u64>,
    /// Since when something waits.
    since_ms: u64,
    /// When the socket last took something.
    progress_ms: u64,
    /// Whether the sink holds back some of what it took, as one over TLS does with ciphertext.
    held_back: bool,
}

impl Outbox {
    /// An empty queue.
    pub fn new(now_ms: u64) -> Outbox {
        Outbox {
            frames: VecDeque::new(),
            front_written: 0,
            bytes: 0,
            own: 0,
            gaps: 0,
            front_number: 0,
            latest: HashMap::new(),
            since_ms: now_ms,
            progress_ms: now_ms,
            held_back: false,
        }
    }

    /// An empty queue behind a sink that holds back some of what it took.
    pub fn holding_back(now_ms: u64) -> Outbox {
        Outbox { held_back: true, ..Outbox::new(now_ms) }
    }

    /// Whether an answer or a snapshot for a session has not begun to go out. Nobody can tell which rights it is owed
    /// to, as with a row; pings and pongs are owed to none.
    pub fn holds_answers(&self, owner: u32) -> bool {
        let begun = usize::from(self.front_written > 0);
        self.frames.iter().skip(begun).any(|Waiting { frame, owner: whose }| {
            *whose == owner
                && frame.row.is_none()
                && frame.bytes.first().is_some_and(|first| first & CONTROL == 0)
        })
    }

    /// How many bytes wait.
    pub fn queued_len(&self) -> usize {
        self.bytes
    }

    /// How many bytes wait that are in memory for this line alone: what tells no row. Rows are there once for all.
    pub fn own_len(&self) -> usize {
        self.own
    }

    /// For how long something has waited.
    pub fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.since_ms)
    }

    /// Whether the socket has not taken anything for too long, or too much waits.
    pub fn is_too_slow(&self, now_ms: u64, len_max: usize) -> bool {
        mutant!(SlowReaderKept => return false);
        self.is_too_full(len_max)
            || ((self.bytes > 0 || self.held_back)
                && now_ms.saturating_sub(self.progress_ms) >= STALLED_MAX_MS)
    }

    /// Whether more waits than may, in bytes or in frames.
    pub fn is_too_full(&self, len_max: usize) -> bool {
        self.bytes > len_max
            || self.frames.len() - self.gaps > len_max / FRAME_OVERHEAD + FRAMES_FREE
    }

    /// If more waits than may, takes the oldest of those frames out that may be lost, and says how many: until an eighth
    /// of the room is free, so that this is not done again for each frame. What is partly out stays, as do answers,
    /// control frames, and events that each count.
    pub fn shed(&mut self, len_max: usize) -> u64 {
        if !self.is_too_full(len_max) {
            return 0;
        }
        let wanted = len_max - len_max / 8;
        let mut shed = 0;
        for index in usize::from(self.front_written > 0)..self.frames.len() {
            if !self.is_too_full(wanted) {
                break;
            }
            let event = self.frames[index].frame.row.as_ref();
            let event = event.and_then(|(entry, _)| entry.logged.event.as_ref());
            if event.is_some_and(|event| event.overflow == Overflow::Latest) {
                self.forget_latest(index);
                self.take_out(self.front_number + index as u64);
                shed += 1;
            }
        }
        self.close_gaps();
        shed
    }

    /// The frame at this place is not the newest of its key any more.
    fn forget_latest(&mut self, index: usize) {
        let number = self.front_number + index as u64;
        if let Some(key) = self.frames[index].latest_key()
            && self.latest.get(&key) == Some(&number)
        {
            self.latest.remove(&key);
        }
    }

    /// Adds a frame for `owner`, `written` bytes of which already went out. If it coalesces, an older
    /// waiting value of the same event and key is taken out: the reader sees a subsequence of the log.
    pub fn push(&mut self, frame: Frame, owner: u32, written: usize) {
        let waiting = Waiting { frame, owner };
        if let Some(key) = waiting.latest_key() {
            let number = self.front_number + self.frames.len() as u64;
            if let Some(older) = self.latest.insert(key, number) {
                self.take_out(older);
            }
        }
        if self.frames.is_empty() {
            self.front_written = written;
        }
        self.bytes += waiting.frame.bytes.len() - written;
        self.own += waiting.frame.own_len();
        self.frames.push_back(waiting);
        if self.gaps > GAPS_MAX && self.gaps > self.frames.len() / 2 {
            self.close_gaps();
        }
    }

    /// Forgets the places of frames that were taken out, and numbers the others anew.
    fn close_gaps(&mut self) {
        self.front_number = 0;
        self.frames.retain(|waiting| !waiting.frame.bytes.is_empty());
        self.gaps = 0;
        self.latest.clear();
        for (number, waiting) in self.frames.iter().enumerate() {
            if let Some(key) = waiting.latest_key() {
                self.latest.insert(key, number as u64);
            }
        }
    }

    fn take_out(&mut self, number: u64) {
        let Some(index) = number.checked_sub(self.front_number) else { return };
        mutant!(FrameTorn => self.bytes += std::mem::take(&mut self.front_written));
        if index == 0 && self.front_written > 0 {
            return; // Half of it is out: the other half must follow.
        }
        if let Some(Waiting { frame, .. }) = self.frames.get_mut(index as usize) {
            if !frame.bytes.is_empty() {
                self.gaps += 1;
            }
            self.bytes -= frame.bytes.len();
            self.own -= frame.own_len();
            *frame = Frame::of(Bytes::new());
        }
    }

    /// Judges the frames of rows that wait for `owner`; one that is partly out stays. Says whether a row was dropped:
    /// what passes is missed by nobody.
    pub fn revise(&mut self, owner: u32, judge: impl Fn(&Frame) -> Fate) -> bool {
        let mut is_dropped = false;
        for index in 0..self.frames.len() {
            let Waiting { frame, owner: whose } = &self.frames[index];
            let Some((entry, _)) = &frame.row else { continue };
            let is_begun = index == 0 && self.front_written > 0;
            if *whose != owner {
                continue;
            }
            match judge(frame) {
                Fate::Keep => {}
                Fate::Drop => {
                    is_dropped |= !is_begun && !entry.passes();
                    self.take_out(self.front_number + index as u64);
                }
                Fate::Replace(_) if is_begun => {}
                Fate::Replace(new) => {
                    self.bytes = self.bytes + new.bytes.len() - frame.bytes.len();
                    self.own = self.own + new.own_len() - frame.own_len();
                    self.frames[index].frame = new;
                }
            }
        }
        is_dropped
    }

    /// Drops all that waits for `owner`, but for the rest of a frame that is partly out.
    pub fn drop_owned(&mut self, owner: u32) {
        for index in 0..self.frames.len() {
            if self.frames[index].owner == owner {
                self.take_out(self.front_number + index as u64);
            }
        }
    }

    /// Drops everything that waits, but for the rest of a frame that is partly out.
    pub fn clear(&mut self) {
        self.frames.truncate(usize::from(self.front_written > 0));
        let len: usize = self.frames.iter().map(|waiting| waiting.frame.bytes.len()).sum();
        self.bytes = len - self.front_written;
        self.own = self.frames.iter().map(|waiting| waiting.frame.own_len()).sum();
        self.latest.clear();
        self.gaps = 0;
    }

    /// Writes what the socket takes. All is written when the sink holds nothing back either.
    pub fn write(&mut self, sink: &mut impl Write, now_ms: u64) -> Written {
        let taken = self.give(sink, now_ms);
        if taken == Written::Gone {
            return Written::Gone;
        }
        match pass_on(sink) {
            Written::All => self.held_back = false,
            Written::Blocked => self.held_back = true,
            Written::Gone => return Written::Gone,
        }
        if self.held_back { Written::Blocked } else { taken }
    }

    fn give(&mut self, sink: &mut impl Write, now_ms: u64) -> Written {
        while self.bytes > 0 {
            self.advance(0); // Past frames that were taken out.
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (index, waiting) in self.frames.iter().take(SLICES_MAX).enumerate() {
                let skip = if index == 0 { self.front_written } else { 0 };
                slices[index] = IoSlice::new(&waiting.frame.bytes[skip..]);
                count = index + 1;
            }
            match sink.write_vectored(&slices[..count]) {
                Ok(0) => return Written::Gone,
                Ok(written) => {
                    self.progress_ms = now_ms;
                    self.advance(written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Written::Gone,
            }
        }
        Written::All
    }

    fn advance(&mut self, written: usize) {
        self.bytes -= written;
        let mut left = self.front_written + written;
        while let Some(front) = self.frames.front() {
            let len = front.frame.bytes.len();
            if left < len {
                break;
            }
            left -= len;
            self.own -= front.frame.own_len();
            self.forget_latest(0);
            self.gaps -= usize::from(len == 0);
            self.frames.pop_front();
            self.front_number += 1;
        }
        self.front_written = left;
    }
}

impl Waiting {
    /// What it has in common with those that it replaces, if it may replace any.
    fn latest_key(&self) -> Option<LatestKey> {
        let entry = &self.frame.row.as_ref()?.0;
        let event = entry.logged.event.as_ref()?;
        (self.frame.coalesces && event.overflow == Overflow::Latest).then(|| {
            (self.owner, entry.passes(), event.name.clone().into_owned(), event.key.clone())
        })
    }
}

/// Has a sink pass on what it took and holds back.
pub fn pass_on(sink: &mut impl Write) -> Written {
    loop {
        match sink.flush() {
            Ok(()) => return Written::All,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Written::Blocked,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Written::Gone,
        }
    }
}

/// Writes one buffer directly; says how much was taken.
pub fn write_once(sink: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match sink.write(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(0),
            other => return other,
        }
    }
}
