//! Socket.IO: how clients come into namespaces and leave them, and what they say there.

use bellwire_services::kit::{Code, Fault, Said, parse};
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
        conn::{Admission, Patience},
        engine::{Seat, Sid},
        limits::Caller,
        said,
        talk::{Listening, Reading, Scope, Stage, Talk},
    },
    opening::{Credential, Since},
};

/// What a client shows when it comes into a namespace. What else it says is the application's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    /// Who it is.
    #[serde(deserialize_with = "present")]
    token: Option<String>,
    /// Whether it wants to be recovered after its connection broke.
    recover: bool,
    /// By this it was known before. Anything that was never given leads to nothing.
    #[serde(deserialize_with = "given")]
    pid: Option<String>,
    /// The cursor of the last event that it was told; the same holds.
    #[serde(deserialize_with = "given")]
    offset: Option<String>,
    /// The names of the topics that it listens to.
    topics: Option<Vec<String>>,
}

/// A field that is there, so it must be good.
fn present<'de, D: serde::Deserializer<'de>>(field: D) -> Result<Option<String>, D::Error> {
    String::deserialize(field).map(Some)
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
                self.knock(line, &namespace, auth.as_deref(), now_ms);
            }
            Some(Packet::Disconnect { namespace }) => self.go(line, &namespace, now_ms),
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
    fn knock(&mut self, line: LineId, namespace: &str, auth: Option<&str>, now_ms: u64) {
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
        if !self.is_admitted(line, credential.as_ref().ok()) {
            self.setup.metrics.rate_limited.increment(1);
            self.close(line, None, 4429, "too many", now_ms);
            return;
        }
        match credential {
            Ok(credential) => self.come_in(line, space, credential, auth, now_ms),
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
    fn is_admitted(&mut self, line: LineId, credential: Option<&Credential>) -> bool {
        let Some(limits) = self.setup.admitted.clone() else { return true };
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
        let Some(conn) = self.conn(line) else { return };
        let patience = conn.refusals.count(now_ms);
        self.setup.metrics.refusals.increment(1);
        match patience {
            Patience::Answer => {
                let error = socketio::connect_error(namespace, words, None);
                self.hub.say(line, frame::text(&error));
            }
            Patience::Silence => {}
            Patience::Close => self.close(line, None, 1008, "too many refused messages", now_ms),
        }
    }

    /// Begins a session in a namespace.
    fn come_in(
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
        let names = auth.topics.unwrap_or_else(|| there.topics());
        let audience = match door.tables.audience(there.service(), &names) {
            Ok(audience) => audience,
            Err(fault) => return self.refuse(line, there.path, &fault.message, now_ms),
        };
        let shape = match (there.own, auth.recover) {
            (None, false) => Shape::Root,
            (None, true) => Shape::RootCursor,
            (Some(_), false) => Shape::Own,
            (Some(_), true) => Shape::OwnCursor,
        };
        let id = self.hub.join(line, shape);
        let listening = Listening { names: names.clone(), ..Listening::default() };
        let talk = Talk::new(id, line, Scope::Namespace(space), auth.recover);
        let talk = Talk { audience, listening: Some(Box::new(listening)), ..talk };
        place(&mut self.talks, id.slot, talk);
        let seat = Seat { namespace: space, session: Some(id) };
        self.engine(line).into_iter().for_each(|engine| engine.seats.push(seat));
        let reading = match auth.recover {
            true => Reading::Recover(Recoverable {
                credential,
                namespace: there.path,
                within: there.service(),
                sid: sid.as_str().to_owned(),
                names,
                pid: auth.pid,
                offset: auth.offset,
            }),
            false => Reading::Connect { credential, since: Since::Unasked },
        };
        self.read_for(id, reading, now_ms);
    }

    /// What says that a client is in its namespace.
    pub(super) fn admission(&self, path: &str, listening: &Listening) -> Bytes {
        let sid = Sid::fresh(self.setup.number);
        frame::text(&socketio::connect(path, sid.as_str(), listening.pid.as_deref()))
    }

    /// A client is not let in after all.
    pub(super) fn turn_away(&mut self, id: SessionId, fault: &Fault, now_ms: u64) {
        let Some((line, path)) = self.unseat(id, now_ms) else { return };
        self.forget_talk(id);
        self.refuse(line, path, &fault.message, now_ms);
    }

    /// A client may not stay in a namespace, and is told why. It does not come back by itself.
    pub(super) fn put_out(&mut self, id: SessionId, why: &Fault, now_ms: u64) {
        let said = Said::refused("error".to_owned(), why);
        let cursor = self.setup.speller.cursor(self.hub.told_upto(id));
        let cursor = self.talk(id).is_some_and(|talk| talk.cursor).then_some(cursor);
        if let Some((line, path)) = self.unseat(id, now_ms) {
            self.hub.say(line, said::event(path, &said, cursor.as_deref()));
            self.hub.say(line, frame::text(&socketio::disconnect(path)));
        }
        self.forget_talk(id);
    }

    /// The session is not in its namespace any more; says where that was, if it was.
    fn unseat(&mut self, id: SessionId, now_ms: u64) -> Option<(LineId, &'static str)> {
        let (line, scope) = self.talk(id).map(|talk| (talk.line, talk.scope))?;
        let path = self.path(scope)?;
        let connect_within_ms = self.setup.engine.connect_within_ms;
        let engine = self.engine(line)?;
        let before = engine.seats.len();
        engine.seats.retain(|seat| seat.session != Some(id));
        if engine.seats.len() == before {
            return None;
        }
        engine.lobby_until_ms = engine.lobby_until_ms.max(now_ms + connect_within_ms);
        self.schedule(line, now_ms + connect_within_ms);
        Some((line, path))
    }

    /// Forgets a session, which is not to be recovered.
    pub(super) fn forget_talk(&mut self, id: SessionId) {
        self.hub.leave(id);
        let Some(talk) = self.talk(id) else { return };
        let (line, pid) = (talk.line, talk.listening.take().and_then(|listening| listening.pid));
        self.talks[id.slot as usize] = None;
        let sid = self.engine(line).map(|engine| engine.sid);
        if let (Some(door), Some(pid), Some(sid)) = (self.door(), pid, sid) {
            door.forget(pid, sid.as_str().to_owned());
        }
    }

    /// A client leaves a namespace. What it asked before is still done.
    fn go(&mut self, line: LineId, namespace: &str, now_ms: u64) {
        let Some(seat) = self.seat(line, namespace) else { return };
        let Some(id) = seat.session else {
            let connect_within_ms = self.setup.engine.connect_within_ms;
            let Some(engine) = self.engine(line) else { return };
            engine.seats.retain(|other| other.namespace != seat.namespace);
            engine.lobby_until_ms = now_ms + connect_within_ms;
            self.schedule(line, now_ms + connect_within_ms);
            return;
        };
        self.unseat(id, now_ms);
        let Some(talk) = self.talk(id) else { return };
        if !talk.is_asking() || talk.principal.is_none() {
            self.forget_talk(id);
            return;
        }
        talk.stage = Stage::Leaving;
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
        self.work(id, now_ms);
    }

    fn event(&mut self, line: LineId, event: Event, now_ms: u64) {
        let Some(seat) = self.seat(line, &event.namespace) else {
            self.violate(line, "an event before its namespace", now_ms);
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
        let Some(sid) = Sid::parse(sid) else { return };
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
            let read = Auth::read(Some(auth)).map(|auth| (auth.token, auth.recover));
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
        check(r#"{"token":null}"#, Err("auth.token: invalid type: null"));
        check(r#"{"token":7}"#, Err("auth.token"));
        check(r#"{"recover":"yes"}"#, Err("auth.recover"));
        check(r#"{"topics":"states"}"#, Err("auth.topics"));
        check(r#"{"topics":[1]}"#, Err("auth.topics[0]"));
        check("[]", Err("auth"));
        assert!(Auth::read(None).is_ok_and(|auth| auth.token.is_none()));
    }
}
