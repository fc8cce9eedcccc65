//! The frames of one tick: what is written to a line goes out together, in one write.
//!
//! A tick is one committed batch, or what one read from a socket led to. Lines that are told the
//! same frames get the same joined bytes; nothing is allocated per line.

use std::{io::Write, sync::Arc};

use bellwire_services::kit::Principal;

use super::{
    outbox::{Fate, Frame, LINE, Outbox, Written, pass_on, write_once},
    recent::{Blank, Shape, Speller},
};

/// Frames, and for each line a list of them, linked through `nodes`.
#[derive(Debug, Default)]
pub(super) struct Tick {
    frames: Vec<Made>,
    nodes: Vec<Node>,
    /// Lines that have a list.
    dirty: Vec<u32>,
    /// The frames whose bytes stand in `joined`.
    joined_of: Vec<u32>,
    joined: Vec<u8>,
    /// The last frames that were made one, and that one.
    batched: Option<(Vec<u32>, u32)>,
    /// Scratch: the frames of the list at hand, and whom they are for.
    list: Vec<u32>,
    owners: Vec<u32>,
}

/// A frame of the tick.
#[derive(Debug)]
struct Made {
    /// The frame; without bytes, if there is a blank.
    frame: Frame,
    /// What is filled in with this receiver as it is written, so that it is copied once.
    blank: Option<(Arc<Blank>, Arc<Principal>)>,
}

impl Made {
    fn len(&self) -> usize {
        match &self.blank {
            Some((blank, whose)) => blank.filled_len(whose),
            None => self.frame.bytes.len(),
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match &self.blank {
            Some((blank, whose)) => blank.fill(whose, out),
            None => out.extend_from_slice(&self.frame.bytes),
        }
    }

    /// The frame, to wait for its socket.
    fn frame(&self) -> Frame {
        match &self.blank {
            Some((blank, whose)) => Frame { bytes: blank.filled(whose), ..self.frame.clone() },
            None => self.frame.clone(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Node {
    frame: u32,
    /// The session that it is for, or [`LINE`](super::outbox::LINE).
    owner: u32,
    next: Option<u32>,
}

impl Tick {
    /// Adds a frame, to be put into lists.
    pub fn frame(&mut self, frame: Frame) -> u32 {
        self.add(Made { frame, blank: None })
    }

    /// The same with one that is filled in for this receiver.
    pub fn blank(&mut self, blank: Arc<Blank>, whose: Arc<Principal>, frame: Frame) -> u32 {
        self.add(Made { frame, blank: Some((blank, whose)) })
    }

    fn add(&mut self, made: Made) -> u32 {
        self.frames.push(made);
        self.frames.len() as u32 - 1
    }

    /// Appends a frame for `owner` to a line's list.
    pub fn chain(&mut self, line: u32, chain: &mut Option<(u32, u32)>, frame: u32, owner: u32) {
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { frame, owner, next: None });
        match chain {
            Some((_, last)) => {
                self.nodes[*last as usize].next = Some(node);
                *last = node;
            }
            None => {
                *chain = Some((node, node));
                self.dirty.push(line);
            }
        }
    }

    /// Whether a line's list has such a frame for `owner`.
    pub fn any(&self, (first, _): (u32, u32), owner: u32, is: impl Fn(&Frame) -> bool) -> bool {
        let next = |node: &u32| self.nodes[*node as usize].next;
        let mut nodes = std::iter::successors(Some(first), next);
        nodes.any(|node| {
            let Node { frame, owner: whose, .. } = self.nodes[node as usize];
            whose == owner && is(&self.frames[frame as usize].frame)
        })
    }

    /// Judges the frames of rows that a line's list has for `owner`; says whether one was dropped.
    pub fn revise(
        &mut self,
        chain: &mut Option<(u32, u32)>,
        owner: u32,
        judge: impl Fn(&Frame) -> Fate,
    ) -> bool {
        self.sift(chain, owner, |frame| if frame.row.is_some() { judge(frame) } else { Fate::Keep })
    }

    /// Drops all frames that a line's list has for `owner`.
    pub fn drop_owned(&mut self, chain: &mut Option<(u32, u32)>, owner: u32) {
        self.sift(chain, owner, |_| Fate::Drop);
    }

    fn sift(
        &mut self,
        chain: &mut Option<(u32, u32)>,
        owner: u32,
        judge: impl Fn(&Frame) -> Fate,
    ) -> bool {
        let mut is_dropped = false;
        let Some((first, _)) = chain.take() else { return false };
        let mut at = Some(first);
        while let Some(node) = at {
            at = self.nodes[node as usize].next.take();
            let Node { frame, owner: whose, .. } = self.nodes[node as usize];
            let fate = match whose == owner {
                true => judge(&self.frames[frame as usize].frame),
                false => Fate::Keep,
            };
            match fate {
                Fate::Keep => {}
                Fate::Drop => {
                    is_dropped = true;
                    continue;
                }
                Fate::Replace(frame) => self.nodes[node as usize].frame = self.frame(frame),
            }
            match chain {
                Some((_, last)) => {
                    self.nodes[*last as usize].next = Some(node);
                    *last = node;
                }
                None => *chain = Some((node, node)),
            }
        }
        is_dropped
    }

    /// Makes one frame of the rows of the list at hand that are for one session, if that is one of those that have
    /// their rows so. They stand where the next frame comes that must stay behind them: one of that session that
    /// is no row, or one of the line's own.
    pub fn batch(&mut self, speller: &Speller, batching: &[(u32, Shape)]) {
        let (list, owners) = (std::mem::take(&mut self.list), std::mem::take(&mut self.owners));
        let mut runs: Vec<(u32, Shape, Vec<u32>)> = Vec::new();
        for (frame, owner) in list.into_iter().zip(owners) {
            // A row whose frame names its receiver was filled in for this session: made anew it would not be.
            let may_batch =
                self.frames[frame as usize].frame.row.as_ref().is_some_and(|(entry, _)| {
                    let event = entry.logged.event.as_ref();
                    event.is_some_and(|event| !speller.is_own(&event.name))
                });
            match batching.iter().find(|(slot, _)| *slot == owner && may_batch) {
                None => {
                    let is_behind = |run: &(u32, _, _)| run.0 == owner || owner == LINE;
                    self.end_runs(&mut runs, is_behind, speller);
                    self.list.push(frame);
                    self.owners.push(owner);
                }
                Some(&(_, shape)) => match runs.iter_mut().find(|(whose, ..)| *whose == owner) {
                    Some((.., rows)) => rows.push(frame),
                    None => runs.push((owner, shape, vec![frame])),
                },
            }
        }
        self.end_runs(&mut runs, |_| true, speller);
    }

    fn end_runs(
        &mut self,
        runs: &mut Vec<(u32, Shape, Vec<u32>)>,
        ends: impl Fn(&(u32, Shape, Vec<u32>)) -> bool,
        speller: &Speller,
    ) {
        for (owner, shape, rows) in runs.extract_if(.., |run| ends(run)).collect::<Vec<_>>() {
            let batch = if rows.len() > 1 { self.one_of(&rows, speller, shape) } else { None };
            let frames = batch.map_or(rows, |batch| vec![batch]);
            self.owners.extend(frames.iter().map(|_| owner));
            self.list.extend(frames);
        }
    }

    /// One frame for these, which tell rows in this shape; the last one again if it is for the same.
    fn one_of(&mut self, rows: &[u32], speller: &Speller, shape: Shape) -> Option<u32> {
        if let Some((of, frame)) = &self.batched
            && of == rows
        {
            return Some(*frame);
        }
        let told = rows.iter().filter_map(|frame| self.frames[*frame as usize].frame.row.clone());
        let frame = Frame::of(speller.batch(&told.collect::<Vec<_>>(), shape)?);
        let frame = self.frame(frame);
        self.batched = Some((rows.to_vec(), frame));
        Some(frame)
    }

    /// Writes the list at hand to a sink, or queues what it does not take.
    pub fn write(
        &mut self,
        sink: &mut impl Write,
        outbox: &mut Option<Box<Outbox>>,
        now_ms: u64,
    ) -> Written {
        if let Some(outbox) = outbox {
            for (&frame, &owner) in self.list.iter().zip(&self.owners) {
                outbox.push(self.frames[frame as usize].frame(), owner, 0);
            }
            return outbox.write(sink, now_ms);
        }
        let bytes = match self.list[..] {
            [single] if self.frames[single as usize].blank.is_none() => {
                &self.frames[single as usize].frame.bytes[..]
            }
            _ => self.join(),
        };
        let len = bytes.len();
        match write_once(sink, bytes) {
            Err(_) => Written::Gone,
            Ok(written) if written == len => {
                let passed = pass_on(sink);
                if passed == Written::Blocked {
                    *outbox = Some(Box::new(Outbox::holding_back(now_ms)));
                }
                passed
            }
            Ok(written) => {
                *outbox = Some(Box::new(self.rest(written, now_ms)));
                Written::Blocked
            }
        }
    }

    /// Takes a line's list at hand.
    pub fn gather(&mut self, (first, _): (u32, u32)) {
        self.list.clear();
        self.owners.clear();
        let mut at = Some(first);
        while let Some(node) = at {
            let node = self.nodes[node as usize];
            self.list.push(node.frame);
            self.owners.push(node.owner);
            at = node.next;
        }
    }

    /// The bytes of the list at hand, joined; the last joined ones again if they are the same.
    fn join(&mut self) -> &[u8] {
        if self.joined_of != self.list {
            self.joined.clear();
            for &frame in &self.list {
                self.frames[frame as usize].put(&mut self.joined);
            }
            self.joined_of.clone_from(&self.list);
        }
        &self.joined
    }

    /// A queue of what is left of the list at hand after `written` bytes.
    fn rest(&self, mut written: usize, now_ms: u64) -> Outbox {
        let mut outbox = Outbox::new(now_ms);
        for (&frame, &owner) in self.list.iter().zip(&self.owners) {
            let frame = &self.frames[frame as usize];
            if written >= frame.len() {
                written -= frame.len();
            } else {
                outbox.push(frame.frame(), owner, written);
                written = 0;
            }
        }
        outbox
    }

    /// The lines that have a list, or had one.
    pub fn dirty(&self) -> &[u32] {
        &self.dirty
    }

    /// The lines that have a list, to be flushed; give them back with [`clear`](Tick::clear).
    pub fn take_dirty(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.dirty)
    }

    /// Forgets the tick's frames, once every list was written.
    pub fn clear(&mut self, mut dirty: Vec<u32>) {
        self.frames.clear();
        self.nodes.clear();
        self.joined_of.clear();
        self.batched = None;
        dirty.clear();
        // Lists that came up meanwhile would be lost with their frames: there are none, as nothing
        // is told between the writes of a flush.
        debug_assert!(self.dirty.is_empty());
        self.dirty = dirty;
    }
}
