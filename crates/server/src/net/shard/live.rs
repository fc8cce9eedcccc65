//! How sessions begin, go live, and end: the reads that they wait for, and what comes of them.

use std::sync::Arc;

use bellwire_services::kit::{Code, Fault, Principal, Role, Said, Topic};

use super::{Message, Shard, place};
use crate::{
    audience::Audience,
    door::{Hears, Kept, Listen, Recoverable, Recovered, SubscribeCall, Tuning, Wish},
    hub::{LineId, Opening, SessionId, recent::Shape},
    net::{
        conn::{Admission, Speech, Style},
        said::{self, Asked},
        talk::{Counted, FIRST_MESSAGE_MAX_MS, Mount, Reading, Stage, Talk},
    },
    opening::{self, Opened, Since},
    thinning::Listening as Thinned,
};

impl Shard {
    /// Begins a session on a new connection, the only one there.
    pub(super) fn begin_plain(
        &mut self,
        line: LineId,
        tuning: Tuning,
        since: Since,
        style: Style,
        admission: Admission,
        now_ms: u64,
    ) {
        let shape = Shape::plain(style.bare, since != Since::Unasked);
        let id = self.hub.join(line, shape);
        if style.batch {
            self.hub.batch(id);
        }
        let stream = tuning.stream;
        let is_lossy =
            self.setup.door.as_ref().is_some_and(|door| door.tables.streams[stream].lossy);
        // Who asks for something means to read.
        if is_lossy && !shape.has_cursor() && tuning.is_plain {
            self.hub.lossy(line);
        }
        let mount = Mount::Stream(stream as u16);
        let wish = Wish { hears: Hears::Stream(tuning), asks: false };
        place(&mut self.talks, id.slot, Talk::new(id, line, mount, shape));
        self.with_conn(line, |conn| conn.speech = Speech::Plain(id));
        match admission {
            Admission::Credential(credential) => {
                self.read_for(id, Reading::Connect { credential, wish, since }, now_ms);
            }
            Admission::FirstMessage => {
                self.with_talk(id, |talk| {
                    talk.stage = Stage::FirstMessage { until_ms: now_ms + FIRST_MESSAGE_MAX_MS };
                    talk.reading = Some(Box::new(Reading::FirstMessage { wish, since }));
                });
            }
            Admission::Refused(why) => self.end(line, Some(&why), now_ms),
        }
    }

    /// Ends a session that lost the right to be there, and what depends on it; the client is told why.
    pub(super) fn end_session(&mut self, id: SessionId, why: &Fault, now_ms: u64) {
        let wall = self.setup.clock.now();
        let Some(talk) = self.talk(id) else { return };
        let line = talk.line;
        let is_expired = talk.principal.as_ref().is_some_and(|who| who.is_expired(wall));
        match talk.mount {
            Mount::Namespace(_) if why.code == Code::Unauthenticated && !is_expired => {
                if let Some(said) = self.error_said(id, why) {
                    self.disconnect(id, &said, now_ms);
                }
            }
            _ => self.end(line, Some(why), now_ms),
        }
    }

    /// Starts the read that a session needs to go live.
    pub(super) fn read_for(&mut self, id: SessionId, reading: Reading, now_ms: u64) {
        let Some(door) = self.door() else { return };
        let after = self.hub.told_upto(id);
        let kept = self.kept(id);
        let Some(talk) = self.talk(id) else { return };
        let (audience, mount) = (talk.audience.clone(), talk.mount);
        let principal = talk.principal.clone();
        let topics = match (&reading, &talk.listening) {
            (
                Reading::Subscribe { .. } | Reading::Listen { .. } | Reading::Move { .. },
                Some(listening),
            ) => listening.topics.clone(),
            _ => Vec::new(),
        };
        talk.reading = Some(Box::new(reading.clone()));
        talk.reads = talk.reads.wrapping_add(1);
        let read = talk.reads;
        let wanted = talk.awaited.insert(Arc::new(()));
        let wanted = Arc::downgrade(wanted);
        let feed = self.inlet.feed.clone();
        let answer = move |result| {
            feed.send(Message::Opened(id, read, Box::new(result)));
        };
        let queued = match (reading, principal) {
            (Reading::Connect { credential, wish, since }, _) => {
                door.connect(credential, wish, since, wanted, answer)
            }
            (Reading::Recover(call), _) => {
                let (feed, sid) = (self.inlet.feed.clone(), call.sid.clone());
                let answer = move |result| {
                    feed.send(Message::Recovered(id, read, Box::new((sid, result))));
                };
                door.recoverable(call, wanted, answer)
            }
            (Reading::CatchUp { after }, Some(principal)) => {
                door.catch_up(principal, audience, after, wanted, answer)
            }
            (Reading::Subscribe { name, fields, .. }, Some(principal)) => {
                let payload = serde_json::from_str(&fields).unwrap_or_default();
                let call = SubscribeCall { name: &name, payload, topics, after };
                door.subscribe(call, principal, audience, kept, wanted, answer)
            }
            (Reading::Listen { names, .. }, Some(principal)) => {
                let within = match mount {
                    Mount::Namespace(space) => door.tables.spaces[usize::from(space)].service(),
                    Mount::Stream(_) => None,
                };
                let wish = Listen { within, names, before: topics, rooms: audience.rooms };
                door.listen(principal, wish, after, kept, wanted, answer)
            }
            (Reading::Move { moves, .. }, Some(_)) => {
                door.move_to(moves, audience, (after, topics), kept, wanted, answer)
            }
            (Reading::FirstMessage { .. }, _) | (_, None) => Ok(()),
        };
        if let Err(fault) = queued {
            self.opened(id, read, Err(fault), now_ms);
        }
    }

    /// The row that remembers what a session listens to, if there is one.
    fn kept(&mut self, id: SessionId) -> Option<Kept> {
        let talk = self.talk(id)?;
        let listening = talk.listening.as_ref()?;
        let (pid, sid) = (listening.pid.clone()?, listening.sid.clone());
        Some(Kept { pid, sid, known: listening.known })
    }

    /// What was read and written for a connection that may be recovered. One that ended meanwhile left.
    pub(super) fn recovered(
        &mut self,
        id: SessionId,
        read: u32,
        (sid, result): (String, Result<Recovered, Fault>),
        now_ms: u64,
    ) {
        let waits = |talk: &Talk| talk.stage == Stage::Opening && talk.reads == read;
        let is_wanted = self.talk(id).is_some_and(|talk| waits(talk));
        if let Ok(Recovered { replaced: Some(replaced), .. }) = &result {
            self.replace(replaced);
        }
        let recovered = match result {
            Ok(recovered) if is_wanted => recovered,
            Ok(recovered) => {
                if let (Some(door), Some(pid)) = (self.door(), recovered.pid) {
                    door.leave(pid, sid);
                }
                return;
            }
            Err(fault) => return self.opened(id, read, Err(fault), now_ms),
        };
        let Some(talk) = self.talk(id) else { return };
        if let Some(Reading::Recover(call)) = talk.reading.as_deref_mut() {
            // If it is to be read again, it goes on from here.
            let is_fresh = !recovered.recovered;
            let offset = call.offset.take().filter(|_| !is_fresh);
            *call = Recoverable { pid: recovered.pid.clone(), offset, ..call.clone() };
        }
        let listening = talk.listening.get_or_insert_default();
        listening.known = listening.known.and(recovered.left);
        let before = std::mem::replace(&mut listening.pid, recovered.pid);
        // It was read again, and could not go on from the row that it had by then.
        if before != listening.pid
            && let (Some(door), Some(pid)) = (self.door(), before)
        {
            door.forget(pid, sid);
        }
        self.opened(id, read, Ok(recovered.opened), now_ms);
    }

    /// A read came back: the session goes live, continues as before, or ends.
    pub(super) fn opened(
        &mut self,
        id: SessionId,
        read: u32,
        result: Result<Opened, Fault>,
        now_ms: u64,
    ) {
        let Some(talk) = self.talk(id) else { return };
        if matches!(talk.stage, Stage::Ending | Stage::Leaving | Stage::Revoked { .. })
            || talk.reads != read
        {
            return;
        }
        match result {
            Ok(opened) => self.go_live(id, opened, now_ms),
            Err(fault) => self.not_opened(id, &fault, now_ms),
        }
    }

    fn go_live(&mut self, id: SessionId, mut opened: Opened, now_ms: u64) {
        if let Some(reason) = opened.reset {
            self.setup.metrics.reset(reason);
        }
        self.add_first_frames(id, &mut opened);
        let principal = self.shared(opened.principal);
        let Opened { streams, ref rooms, ref opening, .. } = opened;
        let audience = Audience { streams, filter: opening.filter.clone(), rooms: rooms.clone() };
        let thinned = self.thinned(&opened.opening);
        self.recount(id, opened.opening.held.iter().map(|held| &held.topic));
        if !self.hub.open(id, principal.clone(), opened.opening, now_ms) {
            return; // It is read again, or ends.
        }
        self.count(id, &principal, thinned);
        let expires = principal.expires_at.is_some();
        let is_pairing = principal.role == Role::Pairing;
        let Some(talk) = self.talk(id) else { return };
        let line = talk.line;
        talk.handed |= opened.handed.is_some();
        if let Some(listening) = &mut talk.listening {
            listening.known = listening.known.and(audience.streams);
            if let Some(topics) = opened.topics {
                listening.topics = topics;
            }
        }
        talk.audience = audience;
        let before = talk.principal.replace(principal);
        let is_another = before.is_some_and(|before| Some(&before.id) != talk.principal_id());
        // Its row is for who it was.
        let row = talk.listening.as_mut().filter(|_| is_another);
        let row = row.and_then(|listening| Some((listening.pid.take()?, listening.sid.clone())));
        talk.stage = Stage::Open;
        let reading = talk.reading.take();
        talk.forget_read();
        if let (Some(door), Some((pid, sid))) = (self.door(), row) {
            door.forget(pid, sid);
        }
        if expires {
            self.schedule(line, now_ms + 1_000);
        }
        match reading.as_deref() {
            Some(Reading::Subscribe { call, .. }) => {
                self.calls(id, |calls| calls.answer(*call, None, false));
            }
            Some(Reading::Move { call, answer, .. }) => self.answer_call(id, *call, Ok(answer)),
            Some(Reading::Listen { call, first, .. }) => {
                self.begin_acknowledging(id);
                if !first {
                    self.answer_listening(id, *call);
                }
            }
            _ => {
                // Whoever has a credential is counted by that.
                if !is_pairing {
                    self.engine(line).into_iter().for_each(|engine| engine.counted = None);
                }
            }
        }
        self.work(id, now_ms);
    }

    /// The thinned streams that a session is going to hear, by what its rights are: somebody listens to them from its
    /// place on.
    fn thinned(&self, opening: &Opening) -> Vec<Thinned> {
        let Some(door) = &self.setup.door else { return Vec::new() };
        door.thinning.attend(opening.held.iter().map(|held| &held.topic), opening.at)
    }

    /// A session that goes live is counted: for its principal once, as a listener by what it hears from now on.
    fn count(&mut self, id: SessionId, principal: &Principal, thinned: Vec<Thinned>) {
        let (Some(door), Some(talk)) = (self.door(), self.talk(id)) else { return };
        let Counted { attendance, being, signaller, .. } =
            talk.counted.take().map(|counted| *counted).unwrap_or_default();
        let attendance = attendance.or_else(|| door.presence.attend(principal));
        let counts = attendance.is_some() || being.is_some() || signaller.is_some();
        if counts || !thinned.is_empty() {
            talk.counted = Some(Box::new(Counted { attendance, thinned, being, signaller }));
        }
    }

    /// The names of the rooms that a session is in.
    fn rooms_of(&mut self, id: SessionId) -> Vec<Topic> {
        let rooms = self.talk(id).and_then(|talk| talk.audience.rooms.clone());
        rooms.as_deref().into_iter().flatten().map(|room| Topic::Owned(room.name.clone())).collect()
    }

    /// Counts a session among the connections of a user who is online by it, if one of the topics that it hears says
    /// so; not any more, if none does.
    pub(super) fn recount<'a>(
        &mut self,
        id: SessionId,
        topics: impl IntoIterator<Item = &'a Topic>,
    ) {
        let Some(door) = self.door() else { return };
        let counted = self.talk(id).and_then(|talk| talk.counted.as_mut());
        let before = counted.and_then(|counted| counted.being.take());
        let being = door.online.attend(topics, before);
        // Of a session that is gone it counts for a moment: somebody was written down who is not here any more.
        let lives = |talk: &&mut Talk| talk.is_serving() || talk.stage == Stage::Opening;
        if let (Some(talk), Some(mut being)) = (self.talk(id).filter(lives), being) {
            being.goodbye |= talk.stage == Stage::Leaving;
            talk.counted.get_or_insert_default().being = Some(being);
        }
    }

    /// Adds what a session hears first: that it is in its namespace and who it is, or its snapshot. On a plain
    /// connection `resumed` or `reset` comes before.
    fn add_first_frames(&mut self, id: SessionId, opened: &mut Opened) {
        // Rows may follow that were committed before the place of the read.
        let place = self.setup.speller.cursor(opening::first_place(&opened.opening));
        let Some(Some(talk)) = self.talks.get(id.slot as usize) else { return };
        let path = self.path(talk.mount);
        let (reading, shape) = (talk.reading.as_deref(), talk.shape);
        match reading {
            Some(Reading::Connect { .. } | Reading::Recover(_)) => {
                let entry = path.zip(talk.listening.as_deref());
                let entry = entry.map(|(path, listening)| self.connect_frame(path, listening));
                let greetings = self.greetings(opened).into_iter();
                let greetings =
                    greetings.map(|said| said::event_in(path, shape, &said, Some(&place)));
                let snapshot = opened.snapshot.take().map(|said| {
                    let cursor = shape.has_cursor().then_some(place.as_str());
                    said::snapshot(path, Asked::default(), said, cursor)
                });
                let frames = &mut opened.opening.frames;
                frames.splice(0..0, entry);
                frames.extend(greetings);
                frames.extend(snapshot);
            }
            Some(Reading::Subscribe { call, .. }) => {
                let calls = talk.calls.as_ref();
                let call = calls.and_then(|calls| calls.unanswered(*call));
                if let Some((call, said)) = call.zip(opened.snapshot.take()) {
                    let cursor = shape.has_cursor().then_some(place.as_str());
                    let asked = Asked { ack: call.ack, id: call.id.as_deref() };
                    let frame = said::snapshot(path, asked, said, cursor);
                    opened.opening.frames.insert(0, frame);
                }
            }
            _ => {}
        }
    }

    /// What a session is told as soon as it is let in.
    fn greetings(&self, opened: &Opened) -> Vec<Said> {
        let Some(door) = &self.setup.door else { return Vec::new() };
        let now = self.setup.clock.now();
        let filter = opened.opening.filter.as_deref();
        let mut greetings = door.tables.greetings(opened.streams, filter, &opened.principal, now);
        greetings.extend(opened.handed.clone());
        greetings.iter().for_each(|said| self.setup.metrics.told(&said.event, 1));
        greetings
    }

    fn not_opened(&mut self, id: SessionId, fault: &Fault, now_ms: u64) {
        let Some(talk) = self.talk(id) else { return };
        let is_definite = matches!(
            fault.code,
            Code::Unauthenticated
                | Code::Forbidden
                | Code::Invalid
                | Code::AccessDenied
                | Code::ExpiredToken
        );
        // Another connection goes on with this one.
        let is_replaced = fault.code == Code::Conflict;
        match (talk.mount, talk.reading.as_deref()) {
            (
                _,
                Some(
                    Reading::Subscribe { call, .. }
                    | Reading::Listen { call, .. }
                    | Reading::Move { call, .. },
                ),
            ) if fault.code != Code::Unauthenticated && !is_replaced => {
                let call = *call;
                talk.stage = Stage::Open;
                talk.forget_read();
                self.hub.resume(id, now_ms);
                let rooms = self.rooms_of(id);
                self.recount(id, &rooms);
                self.answer_call(id, call, Err(fault));
                self.work(id, now_ms);
            }
            (Mount::Namespace(_), Some(Reading::Connect { .. } | Reading::Recover(_)))
                if is_definite =>
            {
                let line = talk.line;
                let is_guess = fault.code == Code::ExpiredToken;
                if is_guess && !self.is_within_limits(line, None) {
                    self.setup.metrics.rate_limited.increment(1);
                    self.close(line, None, 4429, "too many", now_ms);
                } else {
                    self.refuse_session(id, fault, now_ms);
                }
            }
            _ if fault.code == Code::Unauthenticated => self.await_revocation(id, fault, now_ms),
            _ => self.end_session(id, fault, now_ms),
        }
    }

    /// The one copy of this principal that all its connections share.
    fn shared(&mut self, principal: Arc<Principal>) -> Arc<Principal> {
        let key = if principal.token.is_empty() { &principal.id } else { &principal.token };
        match self.principals.get(key) {
            Some(known) if **known == *principal => known.clone(),
            _ => {
                self.principals.insert(key.clone(), principal.clone());
                principal
            }
        }
    }
}
