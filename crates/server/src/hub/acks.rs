//! Events that a session was told and has to acknowledge: they are told again until it has.
//!
//! The packet that asks has the event's offset as its id, so it is the same for all, and the same again. What is
//! known here is of this connection; what a principal has acknowledged for good, the store knows.

use std::{collections::VecDeque, io::Write, sync::Arc};

use bellwire_store::change::Offset;

use super::{
    Hub, SessionId,
    outbox::Frame,
    recent::Entry,
    session::{Place, Session},
};

/// How many events of a session are told again; of more, the oldest are not, on this connection.
pub const AWAITED_MAX: usize = 1_000;
/// How long after it was told an event is told again the first time, in calls of [`Hub::repeat`]; the pause
/// doubles from then on, to the longest.
pub const PAUSE: u32 = 5;
const PAUSE_MAX: u32 = 60;

/// What a session has yet to acknowledge, in the order in which it was told.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    told: VecDeque<Told>,
    /// The first that is awaited and no longer known here, as there were too many.
    forgotten: Option<Offset>,
}

#[derive(Debug)]
struct Told {
    entry: Arc<Entry>,
    variant: usize,
    pause: u32,
    left: u32,
}

impl Session {
    /// Notes that it was told this and asked to acknowledge it.
    pub fn await_acknowledgement(&mut self, entry: &Arc<Entry>, variant: usize) {
        let Some(Awaited { told, forgotten }) = self.awaited.as_deref_mut() else { return };
        if told.len() == AWAITED_MAX {
            let oldest = told.pop_front().map(|oldest| oldest.entry.offset());
            *forgotten = forgotten.or(oldest);
        }
        told.push_back(Told { entry: entry.clone(), variant, pause: PAUSE, left: PAUSE });
    }
}

impl<S: Write> Hub<S> {
    /// Takes in an acknowledgement. If it was awaited, says up to where nothing is any more: the place before the
    /// first event that still is, or up to which the session was told everything; of a session that is not told
    /// everything, that says nothing.
    pub fn acknowledge(&mut self, id: SessionId, offset: Offset) -> Option<Offset> {
        let slot = self.slot_of(id)?;
        let Awaited { told, forgotten } = self.sessions[slot as usize].awaited.as_deref_mut()?;
        let before = told.len();
        told.retain(|told| told.entry.offset() != offset);
        if told.len() == before {
            return None;
        }
        if told.is_empty() {
            self.asked.remove(&slot);
        }
        let first = forgotten.or(told.front().map(|told| told.entry.offset()));
        if self.sessions[slot as usize].filter.is_some() {
            return Some(0);
        }
        Some(first.map_or_else(|| self.told_upto(id), |first| first - 1))
    }

    /// Tells again what was not acknowledged in time, if its session may still hear it and keeps up. To be called
    /// once a second; frames go out with the next [`flush`](Hub::flush).
    pub fn repeat(&mut self) {
        for slot in self.asked.iter().copied().collect::<Vec<_>>() {
            for (entry, variant) in self.due(slot) {
                let session = &self.sessions[slot as usize];
                let (shape, whose) = (session.shape, &session.principal);
                let frame = Frame::telling(&self.speller, &entry, variant, shape, whose);
                self.push(slot, frame);
            }
        }
    }

    fn due(&mut self, slot: u32) -> Vec<(Arc<Entry>, usize)> {
        let session = &mut self.sessions[slot as usize];
        let waits = self.lines[session.line as usize].outbox.is_some();
        if waits || !matches!(session.place, Place::Live | Place::Behind(_)) {
            return Vec::new();
        }
        let Some(mut awaited) = session.awaited.take() else { return Vec::new() };
        let mut due = Vec::new();
        awaited.told.retain_mut(|told| {
            told.left -= 1;
            if told.left > 0 {
                return true;
            }
            told.pause = (2 * told.pause).min(PAUSE_MAX);
            told.left = told.pause;
            let event = told.entry.logged.event.as_ref();
            let now =
                event.and_then(|event| session.variant(event, &self.roots, told.entry.offset()));
            due.extend(now.map(|_| (told.entry.clone(), told.variant)));
            now == Some(told.variant)
        });
        if awaited.told.is_empty() {
            self.asked.remove(&slot);
        }
        session.awaited = Some(awaited);
        due
    }
}

#[cfg(test)]
mod tests {
    use std::{
        cell::{Cell, RefCell},
        rc::Rc,
    };

    use bellwire_services::kit::{Principal, Spelling, Told as Known};
    use bellwire_store::change::{Effect, Event, Logged, Overflow, Topic, Variant};
    use serde_json::{json, value::to_raw_value};

    use super::*;
    use crate::{
        audience::{Filter, Streams},
        hub::{
            Held, Opening,
            recent::{Recent, Shape, Speller},
        },
        simulation::socket::{Body, Pipe, SimSocket},
    };

    /// One session of `ann`, who hears `room` and `hall`, as a script:
    ///
    /// | word | what happens |
    /// |---|---|
    /// | `room`, `hall` | a critical event is committed and told |
    /// | `quiet` | one that asks for nothing, in `room` |
    /// | `-room` `!` | a right ends, all do |
    /// | `s5` | so many seconds pass |
    /// | `a3` | the client acknowledges 3, which settles what stands behind: `a3=2`, `a3=none` |
    /// | `take:5` `drain` | the socket has room for so many bytes; for everything |
    /// | `suspend` `resume` | a subscription is read, is refused |
    struct House {
        hub: Hub<SimSocket>,
        line: crate::hub::LineId,
        id: SessionId,
        pipe: Rc<RefCell<Pipe>>,
        recent: Arc<Recent>,
        head: Offset,
        /// What the client was told, each as the id of its packet; `-` if it has none.
        told: Vec<String>,
    }

    impl House {
        fn new(shape: Shape, keys: Option<&str>) -> House {
            let recent = Arc::new(Recent::new(0, 10_000, 1 << 30));
            let known = |name, asks| {
                let told = Known::new::<serde_json::Value>(name, Spelling::Spread);
                Known { asks, namespace: "/es", ..told }
            };
            let speller =
                Arc::new(Speller::new("epoch", [known("e", true), known("quiet", false)]));
            let mut hub = Hub::new(recent.clone(), speller, Arc::default(), 1 << 20);
            let pipe = Pipe::new(Rc::new(Cell::new(0)), usize::MAX);
            let line = hub.line(SimSocket(pipe.clone()));
            let id = hub.join(line, shape);
            let held =
                ["room", "hall"].map(|topic| Held { topic: Topic::Borrowed(topic), since: 0 });
            let filter =
                keys.map(|key| Arc::new(Filter::by_keys(Streams::one(0), [key.to_owned()].into())));
            let opening = Opening {
                held: held.into(),
                streams: Streams::one(0),
                filter,
                ..Opening::default()
            };
            let principal = Arc::new(Principal { id: "ann".into(), ..Principal::nobody() });
            assert!(hub.open(id, principal, opening, 0));
            House { hub, line, id, pipe, recent, head: 0, told: Vec::new() }
        }

        fn commit(&mut self, name: &str, topic: &'static str, effects: Vec<Effect>) {
            self.head += 1;
            let payload = to_raw_value(&json!({ "n": self.head })).expect("it serialises");
            let event = (!topic.is_empty()).then(|| Event {
                name: name.to_owned().into(),
                key: "key".into(),
                except: Vec::new(),
                variants: vec![Variant { topics: vec![Topic::Borrowed(topic)], payload }],
                overflow: Overflow::Close,
            });
            let logged = Logged { offset: self.head, at: 0, event, effects };
            let entry = Arc::new(Entry::new(Arc::new(logged)));
            self.recent.append(std::slice::from_ref(&entry));
            self.hub.publish(&entry, 0);
        }

        fn step(&mut self, word: &str) {
            let ann = || "ann".to_owned();
            match word {
                "room" => self.commit("e", "room", vec![]),
                "hall" => self.commit("e", "hall", vec![]),
                "quiet" => self.commit("quiet", "room", vec![]),
                "-room" => {
                    let topic = Topic::Borrowed("room");
                    self.commit("", "", vec![Effect::Evict { principal: ann(), topic }]);
                }
                "!" => self.commit("", "", vec![Effect::Revoke { principal: ann(), last: None }]),
                "suspend" => self.hub.suspend(self.id),
                "resume" => self.hub.resume(self.id, 0),
                "drain" => {
                    self.pipe.borrow_mut().room = usize::MAX;
                    self.hub.writable(self.line, 0);
                }
                _ if word.starts_with("take:") => {
                    self.pipe.borrow_mut().room = word[5..].parse().expect("a number");
                }
                _ if word.starts_with('s') => {
                    let seconds: u32 = word[1..].parse().expect("a number");
                    (0..seconds).for_each(|_| {
                        self.hub.repeat();
                        self.hub.flush(0);
                    });
                }
                _ => {
                    let (offset, settled) = word[1..].split_once('=').expect("what it settles");
                    let offset = offset.parse().expect("a number");
                    assert_eq!(
                        self.hub.acknowledge(self.id, offset),
                        settled.parse().ok(),
                        "{word}"
                    );
                }
            }
            self.hub.flush(0);
            self.receive();
        }

        fn receive(&mut self) {
            let unread = self.pipe.borrow().unread();
            let frames = self.pipe.borrow_mut().receive(unread).expect("no frame is torn");
            self.told.extend(frames.into_iter().map(|frame| match frame.body {
                Body::Close(code) => code.to_string(),
                Body::Text(text) => {
                    let at = text.find('[').expect("an event is an array");
                    let id = text[2..at].trim_start_matches("/es,");
                    // The same again: its id is the place of the event.
                    let n = text.split(r#""n":"#).nth(1).and_then(|n| n.split([',', '}']).next());
                    match id {
                        "" => "-".to_owned(),
                        id => {
                            assert_eq!(Some(id), n, "{text}");
                            assert!(text.contains(&format!(r#""eventId":"epoch.{id}""#)), "{text}");
                            id.to_owned()
                        }
                    }
                }
            }));
        }
    }

    fn check_as(shape: Shape, keys: Option<&str>, script: &str, told: &str) {
        let mut house = House::new(shape, keys);
        script.split_whitespace().for_each(|word| house.step(word));
        assert_eq!(house.told.join(" "), told, "{shape:?}: {script}");
    }

    fn check(script: &str, told: &str) {
        check_as(Shape::RootAck, None, script, told);
        check_as(Shape::OwnAck, None, script, told);
    }

    #[test]
    fn what_is_not_acknowledged_is_told_again_ever_more_rarely() {
        check("room s4", "1");
        check("room s5", "1 1");
        check("room s14", "1 1");
        check("room s15", "1 1 1");
        check("room s35", "1 1 1 1");
        check("room s75", "1 1 1 1 1");
        check("room s135", "1 1 1 1 1 1");
        check("room s195", "1 1 1 1 1 1 1");
        // Each by its own time, in order.
        check("room room s2 hall s3", "1 2 3 1 2");
        check("room room s2 hall s5", "1 2 3 1 2 3");
        check("room quiet s60", "1 - 1 1 1");
        check_as(Shape::Root, None, "room s60", "-");
        check_as(Shape::RootAckCursor, None, "room quiet s5", "1 - 1");
    }

    #[test]
    fn what_is_acknowledged_is_not_told_again() {
        check("room a1=1 s60", "1");
        check("room room room a2=0 s5", "1 2 3 1 3");
        check("room room room a2=0 a1=2 a3=3 s60", "1 2 3");
        check("room room a2=0 a2=none a1=2 a1=none s60", "1 2");
        check("room s5 a1=1 s60", "1 1");
        check("room a9=none a0=none s5", "1 1");
        // What is not critical settles nothing; what came meanwhile is settled by what comes after.
        check("quiet quiet a1=none room a3=3", "- - 3");
        check("room quiet quiet a1=3", "1 - -");
        // Who hears not everything settles nothing by what it acknowledges.
        check_as(Shape::RootAck, Some("key"), "room room a1=0 a2=0 s60", "1 2");
    }

    #[test]
    fn what_may_not_be_heard_any_more_is_not_told_again() {
        check("room hall -room s5", "1 2 2");
        check("room hall -room a1=1 s5", "1 2 2");
        check("room ! s60", "1");
    }

    #[test]
    fn who_does_not_keep_up_is_not_told_again() {
        check("room take:0 room s60 drain", "1 2");
        check("room take:0 room s60 drain s5", "1 2 1 2");
        check("room suspend s60 resume s5", "1 1");
    }

    /// Of more than are remembered the oldest are not told again on this connection, and stay unsettled: they are
    /// for the next one.
    #[test]
    fn the_most_that_is_remembered() {
        let most = AWAITED_MAX as Offset;
        let script = "room ".repeat(AWAITED_MAX);
        let last = most + 1;
        let told = |script: &str| {
            let mut house = House::new(Shape::RootAck, None);
            script.split_whitespace().for_each(|word| house.step(word));
            house.told.split_off(house.told.len() - 1_000).first().cloned()
        };
        assert_eq!(told(&format!("{script} s5")).as_deref(), Some("1"));
        assert_eq!(told(&format!("{script} room s5")).as_deref(), Some("2"));
        let mut house = House::new(Shape::RootAck, None);
        script.split_whitespace().chain(["room"]).for_each(|word| house.step(word));
        for offset in 2..=last {
            let settled = house.hub.acknowledge(house.id, offset);
            assert!(settled.is_some_and(|settled| settled < 1), "{offset} settles {settled:?}");
        }
    }
}
