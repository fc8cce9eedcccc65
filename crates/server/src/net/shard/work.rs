//! Calls: started in order, and answered in order, each session by itself.

use std::sync::Arc;

use bellwire_services::{
    chat,
    kit::{self, Access, Answer, Aside, Code, Fault, Place, Principal, Role, Said, Signal, Topic},
};
use bytes::Bytes;

use super::{Message, Shard, serve::UNKNOWN_TYPE};
use crate::{
    door::{Door, Kind, Moves, overloaded},
    hub::{LineId, SessionId},
    net::{
        calls::{Calls, Start},
        conn::Patience,
        said::{self, Asked, Words},
        talk::{Mount, Reading, Stage},
    },
    sequencer::{CallId, ReplyTo},
    signals::Signaller,
};

impl Shard {
    pub(super) fn door(&self) -> Option<Arc<Door>> {
        self.setup.door.clone()
    }

    pub(super) fn calls<T>(&mut self, id: SessionId, f: impl FnOnce(&mut Calls) -> T) -> Option<T> {
        Some(f(self.talk(id)?.calls.get_or_insert_default()))
    }

    /// Starts what may start, and sends the answers whose turn it is. While a connection is opening there
    /// are none: nothing is read, let alone answered, before it is known to whom.
    pub(super) fn work(&mut self, id: SessionId, now_ms: u64) {
        let Some(door) = self.door() else { return };
        loop {
            self.send_answers(id, now_ms);
            let Some(talk) = self.talk(id) else { return };
            let Some(principal) = talk.principal.clone() else { return };
            if !talk.is_serving() {
                return;
            }
            let Some(calls) = &mut talk.calls else { break };
            if let Some((number, unread)) = calls.next_unread() {
                let ack = calls.unanswered(number).and_then(|call| call.ack);
                self.read(id, number, unread, ack);
                continue;
            }
            if self.listens_first(id, &door, now_ms) {
                continue;
            }
            let Some(start) = self.next_start(id, &door) else { break };
            self.start(id, start, principal, &door, now_ms);
        }
        // There may be room again for what waits to be read.
        let line = self.talk(id).map(|talk| talk.line);
        if let Some(conn) = line.and_then(|line| self.conn(line))
            && (conn.readable || conn.wire.has_unread() || conn.is_posting())
        {
            let line = conn.line;
            self.defer(line);
        }
    }

    fn next_start(&mut self, id: SessionId, door: &Door) -> Option<Start> {
        let talk = self.talk(id)?;
        let tables = &door.tables;
        let mount = talk.mount;
        talk.calls.as_mut()?.start(|name| match mount {
            Mount::Stream(stream) => tables.kind(tables.streams[usize::from(stream)].service, name),
            Mount::Namespace(space) => tables.kind_in(&tables.spaces[usize::from(space)], name),
        })
    }

    fn start(
        &mut self,
        id: SessionId,
        start: Start,
        principal: Arc<Principal>,
        door: &Arc<Door>,
        now_ms: u64,
    ) {
        let is_leaving = self.talk(id).is_some_and(|talk| talk.stage == Stage::Leaving);
        let place = self.place_of(id);
        let call = CallId { shard: self.setup.number, session: id, call: start.number };
        let Start { number, name, kind, id: echo, payload } = start;
        let started = match kind {
            Some(Kind::Command | Kind::Move) => door
                .command(&name, payload, principal, place, ReplyTo::Call(call))
                .map(|write| self.writes.push(write)),
            Some(Kind::Query) => {
                let feed = self.inlet.feed.clone();
                let wanted = self.calls(id, |calls| calls.wanted()).unwrap_or_default();
                door.query(&name, payload, principal, place, wanted, move |answer| {
                    feed.send(Message::Answered(call, answer));
                })
            }
            Some(Kind::Subscription | Kind::Topics) if principal.role == Role::Pairing => {
                Access::Caller.check(&principal)
            }
            Some(Kind::Subscription | Kind::Topics) if is_leaving => {
                // Nobody would hear it.
                self.calls(id, |calls| calls.answer(number, None, false));
                Ok(())
            }
            Some(Kind::Subscription) => {
                self.hub.suspend(id);
                let fields = serde_json::Value::Object(payload).to_string();
                self.read_for(id, Reading::Subscribe { call: number, name, fields }, now_ms);
                Ok(())
            }
            Some(Kind::Topics) => self.change_topics(id, number, &name, payload, now_ms),
            None => {
                let words = self.unknown(id, &name, number, echo.as_deref());
                self.calls(id, |calls| calls.answer(number, words, true));
                Ok(())
            }
        };
        if let Err(fault) = started {
            self.answer_call(id, number, Err(&fault));
        }
    }

    /// The stream that a session's calls come from, if it is on one.
    fn place_of(&self, id: SessionId) -> Option<Place> {
        let talk = self.talks.get(id.slot as usize)?.as_ref()?;
        let Mount::Stream(stream) = talk.mount else { return None };
        let path = self.setup.door.as_ref()?.tables.streams[usize::from(stream)].path;
        Some(Place { path, id: talk.audience.filter.as_ref().and_then(|filter| filter.place) })
    }

    /// Hands the commands of this turn to the writer, together.
    pub(super) fn submit(&mut self, now_ms: u64) {
        self.submit_acknowledged();
        if self.writes.is_empty() {
            return;
        }
        let Some(door) = self.door() else { return };
        for rejected in door.store.write_all(std::mem::take(&mut self.writes)) {
            if let ReplyTo::Call(call) = rejected.to {
                self.answered(call, &Err(overloaded()), now_ms);
            }
        }
    }

    /// A command was committed or refused, or a query answered.
    pub(super) fn answered(&mut self, call: CallId, result: &Result<Answer, Fault>, now_ms: u64) {
        if let Err(fault) = result
            && fault.code == Code::Unauthenticated
            && !self.is_nobody(call.session)
        {
            self.await_revocation(call.session, fault, now_ms);
            return;
        }
        match result.as_ref().ok().filter(|answer| answer.aside.is_some()) {
            Some(answer) => self.aside(call, answer, now_ms),
            None => self.answer_call(call.session, call.call, result.as_ref()),
        }
        self.work(call.session, now_ms);
    }

    /// Whether a session's client showed no credential, and has not said who it is: there is nothing to revoke.
    fn is_nobody(&mut self, id: SessionId) -> bool {
        let principal = self.talk(id).and_then(|talk| talk.principal.as_ref());
        principal.is_some_and(|who| who.role == Role::Guest && who.subject.is_none())
    }

    /// Something begins or ends that a session says.
    fn signal(&mut self, id: SessionId, door: &Arc<Door>, signal: &Signal, now_ms: u64) {
        let owner = (self.setup.number, id);
        let Some(talk) = self.talk(id) else { return };
        if matches!(signal, Signal::Begins { .. }) {
            // Who is leaving has no time left.
            if talk.stage == Stage::Leaving {
                return;
            }
            let counted = talk.counted.get_or_insert_default();
            counted.signaller.get_or_insert_with(|| Signaller::new(owner, door));
        }
        let told = door.signals.take(signal.clone(), owner, now_ms);
        door.feeds.pass(told.into_iter().collect());
    }

    /// Does what an answer does beside being one, before it is given.
    fn aside(&mut self, call: CallId, answer: &Answer, now_ms: u64) {
        let CallId { session: id, call: number, .. } = call;
        let (Some(aside), Some(door)) = (&answer.aside, self.door()) else { return };
        let Aside { enters, leaves, becomes, signals } = &**aside;
        for signal in signals {
            self.signal(id, &door, signal, now_ms);
        }
        // Who comes into the room in which one is online is written down as that: it counts from now on, wherever its
        // session is by now.
        let entered: Vec<Topic> = enters.iter().cloned().map(Topic::Owned).collect();
        if entered.iter().any(|topic| chat::rights::present(topic).is_some()) {
            self.recount(id, &entered);
        }
        let moves = !enters.is_empty() || !leaves.is_empty() || becomes.is_some();
        match self.talk(id).map(|talk| talk.stage) {
            // What moves a session runs alone, so that it waits for nothing else.
            Some(Stage::Open) if moves => self.move_first(id, number, answer.clone(), now_ms),
            // Who leaves hears nothing any more, wherever it is.
            _ => self.answer_call(id, number, Ok(answer)),
        }
    }

    /// Moves a session to where an answer says; then the answer is given.
    fn move_first(&mut self, id: SessionId, number: u32, mut answer: Answer, now_ms: u64) {
        let Some(talk) = self.talk(id) else { return };
        let Some(principal) = talk.principal.clone() else { return };
        let aside = answer.aside.take().map(|aside| *aside).unwrap_or_default();
        let Aside { enters, leaves, becomes, .. } = aside;
        let principal = becomes.map_or(principal, Arc::new);
        let moves = Moves { enters, leaves, principal };
        talk.stage = Stage::Opening;
        self.hub.suspend(id);
        let answer = Arc::new(answer);
        self.read_for(id, Reading::Move { call: number, moves, answer }, now_ms);
    }

    /// Answers a call as its service spells it.
    pub(super) fn answer_call(
        &mut self,
        id: SessionId,
        number: u32,
        result: Result<&Answer, &Fault>,
    ) {
        let Some(door) = self.door() else { return };
        let now = self.setup.clock.now();
        let Some(talk) = self.talk(id) else { return };
        let Some(calls) = &talk.calls else { return };
        let Some(call) = calls.unanswered(number) else { return };
        let dialect = door.tables.dialect_of(&call.name);
        let said = match (dialect, result) {
            (Some(dialect), Ok(answer)) => {
                let is_wanted = call.id.is_some() || call.ack.is_some();
                (dialect.reply)(&call.name, answer, is_wanted)
            }
            (Some(dialect), Err(fault)) => Some((dialect.refusal)(&call.name, fault, now)),
            (None, Err(fault)) => Some(Said::refusal(&call.name, fault)),
            (None, Ok(_)) => return,
        };
        match said {
            Some(said) => self.answer_with(id, number, said, result.is_err()),
            None => drop(self.calls(id, |calls| calls.answer(number, None, false))),
        }
    }

    /// Answers a call with what is said to it, if it still waits for that.
    pub(super) fn answer_with(&mut self, id: SessionId, number: u32, said: Said, refused: bool) {
        let calls = self.talk(id).and_then(|talk| talk.calls.as_ref());
        let Some(call) = calls.and_then(|calls| calls.unanswered(number)) else { return };
        let (ack, echo) = (call.ack, call.id.clone());
        let words = self.words(id, Asked { ack, id: echo.as_deref() }, said);
        self.calls(id, |calls| calls.answer(number, words, refused));
    }

    /// The refusal of a call of this name that could not be read.
    pub(super) fn refusal(
        &mut self,
        id: SessionId,
        name: &str,
        asked: Asked<'_>,
        fault: &Fault,
    ) -> Option<Words> {
        let door = self.door()?;
        let (tables, now) = (&door.tables, self.setup.clock.now());
        let (known, said) = match self.talk(id)?.mount {
            Mount::Stream(stream) => {
                let stream = &tables.streams[usize::from(stream)];
                let known = tables.kind(stream.service, name).is_some();
                (known, (stream.dialect.refusal)(name, fault, now))
            }
            Mount::Namespace(space) => {
                let known = tables.kind_in(&tables.spaces[usize::from(space)], name).is_some();
                let dialect = tables.dialect_of(name);
                let said = dialect.map(|dialect| (dialect.refusal)(name, fault, now));
                (known, said.unwrap_or_else(|| Said::refusal(name, fault)))
            }
        };
        match known {
            true => self.words(id, asked, said),
            false => self.error(id, asked, fault),
        }
    }

    /// The answer to a call of a name that means nothing here.
    fn unknown(
        &mut self,
        id: SessionId,
        name: &str,
        number: u32,
        echo: Option<&str>,
    ) -> Option<Words> {
        let talk = self.talk(id)?;
        let ack = talk.calls.as_ref()?.unanswered(number)?.ack;
        let words = match talk.mount {
            Mount::Stream(_) => "Unknown message type".to_owned(),
            Mount::Namespace(_) => kit::shortened(format!("Unknown event {name:?}")),
        };
        let fault = Fault::new(Code::Invalid, words).named(UNKNOWN_TYPE);
        self.error(id, Asked { ack, id: echo }, &fault)
    }

    /// What is said of something that is no call. An event of Socket.IO that asked for nothing hears
    /// nothing.
    fn error(&mut self, id: SessionId, asked: Asked<'_>, fault: &Fault) -> Option<Words> {
        match self.talk(id)?.mount {
            Mount::Stream(_) => self.error_frame(id, asked.id, fault).map(Words::Frame),
            Mount::Namespace(_) => {
                asked.ack?;
                let said = self.error_said(id, fault)?;
                self.words(id, asked, said)
            }
        }
    }

    /// What is said to a session in answer to a call, as its protocol has it.
    pub(super) fn words(&mut self, id: SessionId, asked: Asked<'_>, said: Said) -> Option<Words> {
        let said = match asked.id {
            Some(echo) => said.with("id", echo),
            None => said,
        };
        let talk = self.talk(id)?;
        let (mount, cursor) = (talk.mount, talk.shape.has_cursor());
        Some(match (self.path(mount), asked.ack) {
            (None, _) => Words::Frame(said::plain(&said)),
            (Some(path), Some(ack)) => Words::Frame(said::ack(path, ack, &said)),
            (Some(_), None) if cursor => Words::Event(said),
            (Some(path), None) => Words::Frame(said::event(path, &said, None)),
        })
    }

    /// The path of the namespace that a session is in, if it is in one.
    pub(super) fn path(&self, mount: Mount) -> Option<&'static str> {
        match mount {
            Mount::Stream(_) => None,
            Mount::Namespace(space) => {
                let spaces = &self.setup.door.as_ref()?.tables.spaces;
                Some(spaces[usize::from(space)].path)
            }
        }
    }

    /// What is said of a fault that belongs to no operation.
    pub(super) fn error_said(&mut self, id: SessionId, fault: &Fault) -> Option<Said> {
        let (door, now) = (self.door()?, self.setup.clock.now());
        let (tables, talk) = (&door.tables, self.talk(id)?);
        Some(match talk.mount {
            Mount::Stream(stream) => {
                (tables.streams[usize::from(stream)].dialect.error)(fault, now)
            }
            Mount::Namespace(space) => {
                let nobody = Principal::nobody();
                let principal = talk.principal.as_deref().unwrap_or(&nobody);
                tables.error_in(&tables.spaces[usize::from(space)], principal, fault, now)
            }
        })
    }

    /// A frame that tells a fault which belongs to no operation; `echo` is the request's id, if it had
    /// one.
    pub(super) fn error_frame(
        &mut self,
        id: SessionId,
        echo: Option<&str>,
        fault: &Fault,
    ) -> Option<Bytes> {
        let said = self.error_said(id, fault)?;
        let words = self.words(id, Asked { ack: None, id: echo }, said)?;
        self.frame(id, words)
    }

    /// The frame of words whose turn has come.
    fn frame(&mut self, id: SessionId, words: Words) -> Option<Bytes> {
        match words {
            Words::Frame(frame) => Some(frame),
            Words::Event(said) => {
                let mount = self.talk(id)?.mount;
                let cursor = self.setup.speller.cursor(self.hub.told_upto(id));
                Some(said::event(self.path(mount)?, &said, Some(&cursor)))
            }
        }
    }

    fn send_answers(&mut self, id: SessionId, now_ms: u64) {
        let Some(line) = self.talk(id).map(|talk| talk.line) else { return };
        loop {
            let Some(talk) = self.talk(id) else { return };
            let Some(calls) = &mut talk.calls else { return };
            let Some((words, refused)) = calls.next_answer() else { break };
            if refused && !self.may_refuse(line, now_ms) {
                continue;
            }
            let frame = words.and_then(|words| self.frame(id, words));
            frame.into_iter().for_each(|frame| self.hub.send(id, frame));
        }
        if let Some(talk) = self.talk(id)
            && talk.calls.as_ref().is_some_and(|calls| calls.is_empty())
        {
            talk.calls = None;
            if talk.stage == Stage::Leaving {
                self.forget_talk(id, Door::forget);
            }
            self.parted(line, now_ms);
        }
    }

    /// Counts a refusal, and says whether it is told: who is refused too often hears of it rarely, then no
    /// more.
    pub(super) fn may_refuse(&mut self, line: LineId, now_ms: u64) -> bool {
        self.setup.metrics.refusals.increment(1);
        let Some(conn) = self.conn(line) else { return false };
        match conn.refusals.count(now_ms) {
            Patience::Answer => true,
            Patience::Silence => false,
            Patience::Close => {
                self.close(line, None, 1008, "too many refused messages", now_ms);
                false
            }
        }
    }
}
