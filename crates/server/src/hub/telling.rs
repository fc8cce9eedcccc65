//! A row, or what passes, becomes frames: one for all receivers of a shape, or one that is filled in for each.

use std::{borrow::Cow, io::Write, sync::Arc};

use bellwire_services::kit::declared;
use bellwire_store::change::Event;
use bytes::Bytes;

use super::{
    Hub,
    outbox::Frame,
    recent::{Blank, Entry, Shape},
    session::Session,
};
use crate::logging;

impl<S: Write> Hub<S> {
    /// Tells an event to every live session that it concerns.
    pub(super) fn tell(&mut self, entry: &Arc<Entry>, event: &Event) {
        let Hub { lines, sessions, topics, keys, tick, speller, roots, told, asked, .. } = self;
        let offset = entry.offset();
        let filtered = keys.get(&event.key);
        let (mut frames_len, asks) = (0, speller.asks(&event.name));
        let logs = logging::says_what_is_told();
        let heard_on = roots.of_event(event);
        for (number, variant) in event.variants.iter().enumerate() {
            // One frame per shape for all receivers of this variant, or one that is filled in for each.
            let mut frames = [const { None }; Shape::COUNT];
            let mut add = |slot: u32, session: &mut Session| {
                session.floor = offset;
                frames_len += 1;
                let shape = session.shape;
                if asks && shape.asks() {
                    session.await_acknowledgement(entry, number);
                    asked.insert(slot);
                }
                if logs {
                    logging::telling(&event.name, &session.principal);
                }
                let made = frames[shape as usize].get_or_insert_with(|| {
                    match speller.blank(entry, number, shape) {
                        Some(blank) => Made::Blank(Arc::new(blank)),
                        None => {
                            let bytes = speller.frame(entry, number, shape);
                            Made::ForAll(tick.frame(Frame::of_row(bytes, entry, number, shape)))
                        }
                    }
                });
                let frame = match made {
                    Made::ForAll(frame) => *frame,
                    Made::Blank(blank) => {
                        let (blank, whose) = (blank.clone(), session.principal.clone());
                        tick.blank(blank, whose, Frame::of_row(Bytes::new(), entry, number, shape))
                    }
                };
                tick.chain(session.line, &mut lines[session.line as usize].chain, frame, slot);
            };
            for topic in &variant.topics {
                for &slot in topics.get(topic).into_iter().flatten() {
                    let session = &mut sessions[slot as usize];
                    if session.floor < offset
                        && (event.except.is_empty() || !session.skips(event, heard_on, offset))
                    {
                        add(slot, session);
                    }
                }
            }
            for &slot in filtered.into_iter().flatten() {
                let session = &mut sessions[slot as usize];
                if session.floor < offset
                    && session.holds(&variant.topics, offset)
                    && !session.skips(event, heard_on, offset)
                {
                    add(slot, session);
                }
            }
        }
        count(told, event, frames_len);
    }
}

/// What is told to receivers of one shape.
enum Made {
    /// The same frame, by its number in the tick.
    ForAll(u32),
    /// Each is named in it.
    Blank(Arc<Blank>),
}

/// Counts frames of an event.
pub(super) fn count(told: &mut Vec<(Cow<'static, str>, u64)>, event: &Event, frames: u64) {
    if frames == 0 {
        return;
    }
    let name = declared(&event.name);
    match told.iter_mut().find(|(known, _)| *known == name) {
        Some((_, count)) => *count += frames,
        None => told.push((name.to_owned().into(), frames)),
    }
}
