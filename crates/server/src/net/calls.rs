//! The calls of one session: started and answered in the order they came.
//!
//! Commands are pipelined, as the writer answers them in order. A query, and a subscription, waits
//! for the calls before it, and the calls after it wait for it.
//!
//! What waits, waits as text: read into values, 64 KiB of hostile JSON take several MiB.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use bellwire_services::kit::Payload;

use super::said::Words;
use crate::door::Kind;

/// How many calls of one session may be under way; past it, its connection is not read.
pub const CALLS_MAX: usize = 64;
/// How many bytes of messages may wait unread; past it, its connection is not read either.
pub const UNREAD_LEN_MAX: usize = 64 << 10;

/// A call, or what was said at once to a message that is none.
#[derive(Debug)]
pub struct Call {
    /// Its number in this session.
    pub number: u32,
    /// The operation; empty until it was read.
    pub name: String,
    /// The request's `id`, as JSON text.
    pub id: Option<String>,
    /// The acknowledgement that it asked for, if it is an event of Socket.IO that did.
    pub ack: Option<u64>,
    /// How far it is.
    state: State,
}

/// A message as it came.
#[derive(Debug, PartialEq, Eq)]
pub enum Unread {
    /// One of the plain dialect.
    Text(String),
    /// An event of Socket.IO.
    Event {
        /// Its name.
        name: String,
        /// Its argument as JSON text, or why it has none that can be read.
        argument: Result<String, &'static str>,
    },
}

impl Unread {
    /// How much of it waits, in bytes.
    fn len(&self) -> usize {
        match self {
            Unread::Text(text) => text.len(),
            Unread::Event { name, argument } => {
                name.len() + argument.as_ref().map_or(0, String::len)
            }
        }
    }
}

#[derive(Debug)]
enum State {
    /// As it came.
    Unread(Unread),
    /// Handed out to be read.
    Reading,
    /// Read, but not started.
    Waiting(Payload),
    /// Started; whether others may run beside it.
    Running { alone: bool },
    /// What to answer with, if anything, and whether it refuses.
    Answered(Option<Words>, bool),
}

/// What to start next.
#[derive(Debug)]
pub struct Start {
    /// Which call.
    pub number: u32,
    /// The operation.
    pub name: String,
    /// What kind of operation that is; `None` if it is unknown.
    pub kind: Option<Kind>,
    /// The request's `id`, as JSON text.
    pub id: Option<String>,
    /// Its fields.
    pub payload: Payload,
}

/// The calls that are not answered yet.
#[derive(Debug, Default)]
pub struct Calls {
    queue: VecDeque<Call>,
    numbers: u32,
    /// The bytes of those that are unread.
    unread_len: usize,

    /// Lives as long as somebody waits for the answers.
    alive: Arc<()>,
}

impl Calls {
    /// Whether there is room for another.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= CALLS_MAX || self.unread_len >= UNREAD_LEN_MAX
    }

    /// Whether somebody still waits for the answers, for those who work on them.
    pub fn wanted(&self) -> Weak<()> {
        Arc::downgrade(&self.alive)
    }

    /// Whether all are answered.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many more there is room for, and how many bytes of them.
    pub fn room(&self) -> (usize, usize) {
        (CALLS_MAX.saturating_sub(self.queue.len()), UNREAD_LEN_MAX.saturating_sub(self.unread_len))
    }

    /// Adds a message, and the acknowledgement that it asks for.
    pub fn push(&mut self, unread: Unread, ack: Option<u64>) {
        let number = self.numbers;
        self.numbers = self.numbers.wrapping_add(1);
        self.unread_len += unread.len();
        let state = State::Unread(unread);
        self.queue.push_back(Call { number, name: String::new(), id: None, ack, state });
    }

    /// The next message to be read, if one is and nothing that runs alone holds it up. Then it is to
    /// be [`read`](Calls::read) or [answered](Calls::answer).
    pub fn next_unread(&mut self) -> Option<(u32, Unread)> {
        let next = |call: &&mut Call| !matches!(call.state, State::Answered(..));
        for call in self.queue.iter_mut().filter(next) {
            match &call.state {
                State::Unread(_) => {}
                State::Running { alone: false } => continue,
                _ => return None,
            }
            if let State::Unread(unread) = std::mem::replace(&mut call.state, State::Reading) {
                self.unread_len -= unread.len();
                return Some((call.number, unread));
            }
        }
        None
    }

    /// Takes in what a message asks for.
    pub fn read(&mut self, number: u32, name: String, id: Option<String>, payload: Payload) {
        if let Some(call) = self.queue.iter_mut().find(|call| call.number == number) {
            (call.name, call.id, call.state) = (name, id, State::Waiting(payload));
        }
    }

    /// The call that starts next, though perhaps not now: its number and its name.
    pub fn next(&self) -> Option<(u32, &str)> {
        let next = self.queue.iter().find(|call| matches!(call.state, State::Waiting(_)));
        next.map(|call| (call.number, call.name.as_str()))
    }

    /// The next call that may start now, if any; from then on it runs. `kind` says what a name means.
    pub fn start(&mut self, kind: impl Fn(&str) -> Option<Kind>) -> Option<Start> {
        let index = self.queue.iter().position(|call| matches!(call.state, State::Waiting(_)))?;
        let before = self.queue.iter().take(index);
        let kind = kind(&self.queue[index].name);
        let alone = kind.is_some_and(|kind| kind != Kind::Command);
        let blocked = match alone {
            true => index > 0,
            false => {
                before.into_iter().any(|call| matches!(call.state, State::Running { alone: true }))
            }
        };
        if blocked {
            return None;
        }
        let call = &mut self.queue[index];
        match std::mem::replace(&mut call.state, State::Running { alone }) {
            State::Waiting(payload) => Some(Start {
                number: call.number,
                name: call.name.clone(),
                kind,
                id: call.id.clone(),
                payload,
            }),
            _ => None,
        }
    }

    /// The call of this number, if it still waits for its answer.
    pub fn unanswered(&self, number: u32) -> Option<&Call> {
        let unanswered = |call: &&Call| !matches!(call.state, State::Answered(..));
        self.queue.iter().find(|call| call.number == number).filter(unanswered)
    }

    /// Answers a call.
    pub fn answer(&mut self, number: u32, words: Option<Words>, refused: bool) {
        if let Some(call) = self.queue.iter_mut().find(|call| call.number == number) {
            call.state = State::Answered(words, refused);
        }
    }

    /// The next answer whose turn it is: its words, and whether it refuses.
    pub fn next_answer(&mut self) -> Option<(Option<Words>, bool)> {
        match self.queue.front()?.state {
            State::Answered(..) => match self.queue.pop_front()?.state {
                State::Answered(words, refused) => Some((words, refused)),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn push(calls: &mut Calls, name: &str) {
        calls.push(Unread::Text(name.to_owned()), None);
    }

    fn words(text: &'static [u8]) -> Option<Words> {
        Some(Words::Frame(Bytes::from_static(text)))
    }

    fn kind(name: &str) -> Option<Kind> {
        match name.as_bytes().first()? {
            b'c' => Some(Kind::Command),
            b'm' => Some(Kind::Move),
            b'q' => Some(Kind::Query),
            _ => None,
        }
    }

    fn next(calls: &mut Calls) -> Option<Start> {
        while let Some((number, unread)) = calls.next_unread() {
            let Unread::Text(name) = unread else { panic!("only such are pushed") };
            calls.read(number, name, None, Payload::new());
        }
        calls.start(kind)
    }

    /// Runs calls to the end; `script` says after each `!` that the oldest running one is answered.
    fn check(script: &str, expected_starts: &str) {
        let mut calls = Calls::default();
        let (mut starts, mut running, mut answers) = (Vec::new(), VecDeque::new(), 0);
        for word in script.split(' ') {
            if word == "!" {
                let number = running.pop_front().expect("something runs");
                calls.answer(number, words(b""), false);
                while calls.next_answer().is_some() {
                    answers += 1;
                }
                starts.push("!".to_owned());
            } else {
                push(&mut calls, word);
            }
            while let Some(start) = next(&mut calls) {
                running.push_back(start.number);
                starts.push(start.name);
            }
        }
        assert_eq!(starts.join(" "), expected_starts, "{script}");
        assert_eq!(answers, script.matches('!').count(), "{script}");
    }

    #[test]
    fn commands_run_together_and_queries_alone() {
        check("c1 c2 c3 ! ! !", "c1 c2 c3 ! ! !");
        check("c1 q2 c3 ! ! !", "c1 ! q2 ! c3 !");
        check("q1 q2 ! !", "q1 ! q2 !");
        check("q1 c2 c3 ! ! !", "q1 ! c2 c3 ! !");
        check("c1 q2 ! c3 !", "c1 ! q2 ! c3");
        // A command that may move its session, too.
        check("c1 m2 c3 q4 ! ! ! !", "c1 ! m2 ! c3 ! q4 !");
    }

    #[test]
    fn answers_keep_their_order_and_the_queue_its_bound() {
        let mut calls = Calls::default();
        for n in 0..CALLS_MAX {
            assert!(!calls.is_full());
            push(&mut calls, &format!("c{n}"));
        }
        assert!(calls.is_full());
        while next(&mut calls).is_some() {}
        calls.answer(1, words(b"1"), false);
        assert!(calls.next_answer().is_none(), "0 comes first");
        calls.answer(0, None, true);
        assert_eq!(calls.next_answer(), Some((None, true)));
        assert_eq!(calls.next_answer(), Some((words(b"1"), false)));
        assert!(calls.next_answer().is_none());
        assert_eq!(calls.room(), (2, UNREAD_LEN_MAX));
    }

    #[test]
    fn what_waits_is_bounded_by_bytes_too_and_is_read_when_its_turn_comes() {
        let long = format!("c{}", "-".repeat(UNREAD_LEN_MAX / 2));
        let mut calls = Calls::default();
        ["q1", "q2", &long].into_iter().for_each(|text| push(&mut calls, text));
        assert!(!calls.is_full());
        push(&mut calls, &long);
        assert!(calls.is_full());
        assert_eq!(calls.room(), (CALLS_MAX - 4, 0));
        let started = |calls: &mut Calls| next(calls).map(|start| start.number);
        assert_eq!(started(&mut calls), Some(0));
        assert_eq!(calls.next_unread(), None, "a query runs alone");
        calls.answer(0, None, false);
        assert_eq!(calls.next_answer(), Some((None, false)));
        assert_eq!(started(&mut calls), Some(1));
        assert!(calls.is_full());
        calls.answer(1, None, false);
        assert_eq!(calls.next_answer(), Some((None, false)));
        assert_eq!((started(&mut calls), started(&mut calls)), (Some(2), Some(3)));
        assert_eq!(calls.room(), (CALLS_MAX - 2, UNREAD_LEN_MAX));
    }
}
