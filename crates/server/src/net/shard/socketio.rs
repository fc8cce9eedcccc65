//! Socket.IO: how clients come into namespaces and leave them, and what they say there.

use std::collections::HashSet;

use bellwire_services::{
    kit::{Code, Fault, Said, parse},
    live_sessions::Listened,
};
use bellwire_wire::{
    frame, json,
    socketio::{self, Ack, Event, Packet},
};
use bytes::Bytes;
use serde::Deserialize;

use super::{Message, Shard, echo, place};
use crate::{
    door::{Door, Recoverable},
    hub::{LineId, SessionId, recent::Shape},
    net::{
        caller::{BAD_TOKEN, NO_CREDENTIAL},
        calls::Unread,
        conn::Admission,
        engine::{Seat, Sid},
        limits::Caller,
        said,
        talk::{Listening, Mount, Reading, Stage, Talk},
    },
    opening::{Credential, Since},
};

/// What a client shows when it comes into a namespace. What else it says is the application's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    /// Who it is.
    token: Option<String>,
    /// Whether it wants to be recovered after its connection broke.
    recover: Option<bool>,
    /// By this it was known before. Anything that was never given leads to nothing.
    #[serde(deserialize_with = "given")]
    pid: Option<String>,
    /// The cursor of the last event that it was told; the same holds.
    #[serde(deserialize_with = "given")]
    offset: Option<String>,
    /// The names of the topics that it listens to.
    topics: Option<Vec<String>>,
}

/// A field that only gives back what it was given: whatever else it is, is as good as a wrong text.
fn given<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(field)?;
    Ok(Some(value.as_str().unwrap_or_default().to_owned()))
}

impl Auth {
    fn read(auth: Option<&str>) -> Result<Auth, Fault> {
        let Some(auth) = auth else { return Ok(Auth::default()) };
        let invalid = |words: &str| Fault::new(Code::Invalid, format!("auth.{words}"));
        let Ok(fields) = json::object(auth) else {
            return Err(Fault::new(
                Code::Invalid,
                "auth: one object, with numbers that can be held",
            ));
        };
        parse(fields).map_err(|fault| invalid(&fault.message))
    }
}

impl Shard {
    /// Serves a packet, if it is whole.
    pub(super) fn packet(&mut self, line: LineId, packet: Option<Packet>, now_ms: u64) {
        match packet {
            Some(Packet::Connect { namespace, auth }) => {
                self.connect(line, &namespace, auth.as_deref(), now_ms);
            }
            Some(Packet::Disconnect { namespace }) => self.disconnected(line, &namespace, now_ms),
            Some(Packet::Event(event)) => self.event(line, event, now_ms),
            Some(Packet::Ack(ack)) => self.acked(line, &ack),
            None => {}
        }
    }

    /// Only what a conformance server says asks for an answer.
    fn acked(&mut self, line: LineId, ack: &Ack) {
        if self.seat(line, &ack.namespace).is_some_and(|seat| seat.session.is_none()) {
            self.show_ack(line, ack);
        }
    }

    /// The number of the namespace with this path.
    fn space(&self, namespace: &str) -> Option<u8> {
        match &self.setup.door {
            Some(door) => door.tables.space(namespace),
            None => echo::NAMESPACES.iter().position(|n| *n == namespace).map(|n| n as u8),
        }
    }

    pub(super) fn seat(&mut self, line: LineId, namespace: &str) -> Option<Seat> {
        let number = self.space(namespace)?;
        let seats = &self.engine(line)?.seats;
        seats.iter().copied().find(|seat| seat.namespace == number)
    }

    /// A client wants to come into a namespace.
    fn connect(&mut self, line: LineId, namespace: &str, auth: Option<&str>, now_ms: u64) {
        let Some(space) = self.space(namespace) else {
            self.refuse(line, namespace, "Invalid namespace", now_ms);
            return;
        };
        if self.seat(line, namespace).is_some() {
            self.violate(line, "already in this namespace", now_ms);
            return;
        }
        let Some(door) = self.door() else {
            self.greet(line, usize::from(space), auth, now_ms);
            return;
        };
        let auth = match Auth::read(auth) {
            Ok(auth) => auth,
            Err(fault) => return self.refuse(line, namespace, &fault.message, now_ms),
        };
        let Some(credential) = self.credential(line, &door, auth.token.as_deref()) else { return };
        if !self.is_within_limits(line, credential.as_ref().ok()) {
            self.setup.metrics.rate_limited.increment(1);
            self.close(line, None, 4429, "too many", now_ms);
            return;
        }
        match credential {
            Ok(credential) => self.begin_session(line, space, credential, auth, now_ms),
            Err(words) => self.refuse(line, namespace, &words, now_ms),
        }
    }

    /// With what credential a client comes: the token that it shows, else what its handshake showed; or why
    /// with none.
    fn credential(
        &mut self,
        line: LineId,
        door: &Door,
        token: Option<&str>,
    ) -> Option<Result<Credential, String>> {
        if let Some(token) = token {
            let claims = door.keyring.verify(token, self.setup.clock.now());
            return Some(match claims {
                Some(claims) => Ok(Credential::Token { jti: claims.jti }),
                None => Err(BAD_TOKEN.to_owned()),
            });
        }
        Some(match &self.engine(line)?.handshake.admission {
            Admission::Credential(credential) => Ok(credential.clone()),
            Admission::Refused(fault) => Err(fault.message.to_string()),
            Admission::FirstMessage => Err(NO_CREDENTIAL.to_owned()),
        })
    }

    /// Whether the limits of connections let one with this credential in.
    fn is_within_limits(&mut self, line: LineId, credential: Option<&Credential>) -> bool {
        let Some(limits) = self.setup.connections.clone() else { return true };
        let Some(from) = self.engine(line).map(|engine| engine.handshake.from) else { return true };
        let caller = match credential {
            Some(Credential::Token { jti }) => Caller::Principal(jti),
            Some(Credential::Guest) => Caller::Anonymous,
            None => Caller::Bad,
        };
        limits.admit(caller, from).is_ok()
    }

    /// Does not let a client in, and says why, unless it asks too often.
    fn refuse(&mut self, line: LineId, namespace: &str, words: &str, now_ms: u64) {
        if self.may_refuse(line, now_ms) {
            let error = socketio::connect_error(namespace, words, None);
            self.hub.say(line, frame::text(&error));
        }
    }

    /// Begins a session in a namespace.
    fn begin_session(
        &mut self,
        line: LineId,
        space: u8,
        credential: Credential,
        auth: Auth,
        now_ms: u64,
    ) {
        let Some(door) = self.door() else { return };
        let Some(sid) = self.engine(line).map(|engine| engine.sid) else { return };
        let there = door.tables.spaces[usize::from(space)];
        let mut names = auth.topics.unwrap_or_else(|| there.topics());
        let mut known = HashSet::new();
        names.retain(|name| known.insert(name.clone()));
        let audience = match door.tables.audience(there.service(), names.iter().map(String::as_str))
        {
            Ok(audience) => audience,
            Err(fault) => return self.refuse(line, there.path, &fault.message, now_ms),
        };
        let recover = auth.recover.unwrap_or(false);
        let shape = match (there.own, recover) {
            (None, false) => Shape::Root,
            (None, true) => Shape::RootCursor,
            (Some(_), false) => Shape::Own,
            (Some(_), true) => Shape::OwnCursor,
        };
        let id = self.hub.join(line, shape);
        let sid = format!("{}.{}", sid.as_str(), id.serial);
        let topics = names.iter().map(|name| Listened::from((name.clone(), 0))).collect();
        let listening = Listening { topics, sid: sid.clone(), ..Listening::default() };
        let talk = Talk::new(id, line, Mount::Namespace(space), recover);
        let talk = Talk { audience, listening: Some(Box::new(listening)), ..talk };
        place(&mut self.talks, id.slot, talk);
        let seat = Seat { namespace: space, session: Some(id) };
        if let Some(engine) = self.engine(line) {
            engine.seats.push(seat);
            engine.put_out_of &= !(1 << space);
        }
        let reading = match recover {
            true => Reading::Recover(Recoverable {
                credential,
                namespace: there.path,
                within: there.service(),
                sid,
                names,
                pid: auth.pid,
                offset: auth.offset,
            }),
            false => Reading::Connect { credential, since: Since::Unasked },
        };
        self.read_for(id, reading, now_ms);
    }

    /// What says that a client is in its namespace.
    pub(super) fn connect_frame(&self, path: &str, listening: &Listening) -> Bytes {
        let pid = listening.pid.as_deref();
        // Who is recovered has its id again.
        let sid = pid.map_or_else(|| Sid::fresh(self.setup.number), Sid::of);
        frame::text(&socketio::connect(path, sid.as_str(), pid))
    }

    /// A client is not let in after all.
    pub(super) fn refuse_session(&mut self, id: SessionId, fault: &Fault, now_ms: u64) {
        let Some((line, path)) = self.leave_namespace(id, now_ms) else { return };
        self.forget_talk(id, Door::forget);
        self.refuse(line, path, &fault.message, now_ms);
    }

    /// A client may not stay in a namespace, and is told why. It does not come back by itself.
    pub(super) fn disconnect(&mut self, id: SessionId, why: &Fault, now_ms: u64) {
        let said = Said::refused("error".to_owned(), why);
        let cursor = self.setup.speller.cursor(self.hub.told_upto(id));
        let cursor = self.talk(id).is_some_and(|talk| talk.cursor).then_some(cursor);
        let number = match self.talk(id).map(|talk| talk.mount) {
            Some(Mount::Namespace(number)) => number,
            _ => return,
        };
        let seat = self.leave_namespace(id, now_ms);
        if let Some((line, path)) = seat {
            self.hub.say(line, said::event(path, &said, cursor.as_deref()));
            self.hub.say(line, frame::text(&socketio::disconnect(path)));
            if let Some(engine) = self.engine(line) {
                engine.put_out_of |= 1 << number;
            }
        }
        self.forget_talk(id, Door::forget);
        if let Some((line, _)) = seat {
            self.parted(line, now_ms);
        }
    }

    /// The session is not in its namespace any more; says where that was, if it was.
    fn leave_namespace(&mut self, id: SessionId, now_ms: u64) -> Option<(LineId, &'static str)> {
        let (line, mount) = self.talk(id).map(|talk| (talk.line, talk.mount))?;
        let path = self.path(mount)?;
        let seat =
            self.engine(line)?.seats.iter().copied().find(|seat| seat.session == Some(id))?;
        self.give_up_seat(line, seat, now_ms);
        Some((line, path))
    }

    /// From now on the client has to be in another namespace, within some time.
    fn give_up_seat(&mut self, line: LineId, seat: Seat, now_ms: u64) {
        let until_ms = now_ms + self.setup.engine.connect_within_ms;
        let Some(engine) = self.engine(line) else { return };
        engine.seats.retain(|other| other.namespace != seat.namespace);
        engine.lobby_until_ms = engine.lobby_until_ms.max(until_ms);
        self.schedule(line, until_ms);
    }

    /// Forgets a session. If it has a `pid`, the door is told whether that is still good: [`Door::leave`],
    /// or [`Door::forget`].
    pub(super) fn forget_talk(&mut self, id: SessionId, tell: fn(&Door, String, String)) {
        self.hub.leave(id);
        let Some(talk) = self.talk(id) else { return };
        let line = talk.line;
        let listening = talk.listening.take();
        self.talks[id.slot as usize] = None;
        self.tell_end(listening, tell);
        // There may be room again for what waits to be read.
        self.defer(line);
    }

    fn tell_end(&self, listening: Option<Box<Listening>>, tell: fn(&Door, String, String)) {
        if let (Some(door), Some(listening)) = (&self.setup.door, listening)
            && let Some(pid) = listening.pid
        {
            tell(door, pid, listening.sid);
        }
    }

    /// A client leaves a namespace. What it asked before is still done.
    fn disconnected(&mut self, line: LineId, namespace: &str, now_ms: u64) {
        let Some(seat) = self.seat(line, namespace) else { return };
        let Some(id) = seat.session else {
            self.give_up_seat(line, seat, now_ms);
            return;
        };
        self.leave_namespace(id, now_ms);
        let Some(talk) = self.talk(id) else { return };
        if !talk.is_asking() || talk.principal.is_none() {
            self.forget_talk(id, Door::forget);
            return;
        }
        talk.stage = Stage::Leaving;
        let listening = talk.listening.take();
        let reading = talk.reading.take();
        talk.forget_read();
        if let (
            Some(Reading::Subscribe { call, .. } | Reading::Listen { call, first: false, .. }),
            Some(calls),
        ) = (reading.as_deref(), &mut talk.calls)
        {
            calls.answer(*call, None, false);
        }
        self.hub.mute(id);
        self.tell_end(listening, Door::forget);
        self.work(id, now_ms);
    }

    fn event(&mut self, line: LineId, event: Event, now_ms: u64) {
        let Some(seat) = self.seat(line, &event.namespace) else {
            let number = self.space(&event.namespace);
            let engine = self.engine(line);
            let crossed = number.zip(engine).is_some_and(|(n, e)| e.put_out_of & (1 << n) != 0);
            if !crossed {
                self.violate(line, "an event before its namespace", now_ms);
            }
            return;
        };
        let Some(id) = seat.session else { return self.send_back(line, &event) };
        let Event { name, mut args, ack, attachments, .. } = event;
        let argument = match (args.pop(), args.len()) {
            _ if !attachments.is_empty() => Err("binary is not taken here"),
            (None, _) => Ok("{}".to_owned()),
            (Some(argument), 0) => Ok(argument),
            _ => Err("an event has one argument"),
        };
        self.calls(id, |calls| calls.push(Unread::Event { name, argument }, ack));
        self.work(id, now_ms);
    }

    /// Another connection goes on with what the one of this id had.
    pub(super) fn replace(&mut self, sid: &str) {
        let Some(sid) = sid.split('.').next().and_then(Sid::parse) else { return };
        if let Some(feed) = self.setup.peers.get(usize::from(sid.shard())) {
            feed.send(Message::Replaced(sid));
        }
    }

    /// The connection of this id is over.
    pub(super) fn replaced(&mut self, sid: Sid, now_ms: u64) {
        if let Some(&line) = self.sids.get(&sid) {
            self.close(line, None, 1008, "another connection goes on with it", now_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_shows_is_read_strictly() {
        let check = |auth: &str, words: Result<(Option<&str>, bool), &str>| {
            let read =
                Auth::read(Some(auth)).map(|auth| (auth.token, auth.recover.unwrap_or(false)));
            let read = read.map_err(|fault| fault.message);
            match (read, words) {
                (Ok(read), Ok((token, recover))) => {
                    assert_eq!(read, (token.map(str::to_owned), recover), "{auth}");
                }
                (Err(message), Err(words)) => assert!(message.contains(words), "{message}"),
                (read, _) => panic!("{auth}: {read:?}"),
            }
        };
        check("{}", Ok((None, false)));
        check(r#"{"token":"x","recover":true,"app":{"version":3}}"#, Ok((Some("x"), true)));
        check(r#"{"pid":"p","offset":"o","topics":["states"]}"#, Ok((None, false)));
        check(r#"{"pid":7,"offset":null}"#, Ok((None, false)));
        check(r#"{"token":null,"recover":null,"topics":null}"#, Ok((None, false)));
        check(r#"{"token":""}"#, Ok((Some(""), false)));
        check(r#"{"token":7}"#, Err("auth.token"));
        check(r#"{"recover":"yes"}"#, Err("auth.recover"));
        check(r#"{"topics":"states"}"#, Err("auth.topics"));
        check(r#"{"topics":[1]}"#, Err("auth.topics[0]"));
        check("[]", Err("auth"));
        assert!(Auth::read(None).is_ok_and(|auth| auth.token.is_none()));
    }
}
