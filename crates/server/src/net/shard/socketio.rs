//! Socket.IO: how clients come into namespaces and leave them, and what they say there.

use std::collections::HashSet;

use bellwire_services::{
    areas::pairing,
    kit::{Code, Fault, Said, parse},
};
use bellwire_wire::{
    frame, json,
    socketio::{self, Event, Packet},
};
use bytes::Bytes;
use serde::Deserialize;

use super::{Message, Shard, echo, place};
use crate::{
    door::{Door, Hears, Recoverable, Wish},
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

/// What is wrong with an event for a namespace in which its client is not.
pub(super) const EARLY: &str = "an event before its namespace";

/// What a client shows when it comes into a namespace. What else it says is the application's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Auth {
    /// Who it is.
    token: Option<String>,
    /// Who it is that has no token yet: a screen that waits to be paired.
    #[serde(rename = "deviceCode")]
    device_code: Option<String>,
    /// Whether it acknowledges critical events.
    ack: Option<bool>,
    /// Whether it wants what goes out together in one event.
    batch: Option<bool>,
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
        let auth: Auth = parse(fields).map_err(|fault| invalid(&fault.message))?;
        if auth.ack == Some(true) && auth.batch == Some(true) {
            return Err(invalid("batch: what is acknowledged comes one by one"));
        }
        Ok(auth)
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
            Some(Packet::Ack(ack)) => self.acked(line, &ack, now_ms),
            None => {}
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
        self.hasten_goodbyes(line, namespace, None, now_ms);
        let Some(door) = self.door() else {
            self.greet(line, usize::from(space), auth, now_ms);
            return;
        };
        let auth = match Auth::read(auth) {
            Ok(auth) => auth,
            Err(fault) => return self.refuse(line, namespace, &fault.message, now_ms),
        };
        let Some(credential) = self.credential(line, &door, space, &auth) else { return };
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

    /// With what credential a client comes into a namespace: the token that it shows, else what its handshake showed,
    /// else none where that is open; or why with none.
    fn credential(
        &mut self,
        line: LineId,
        door: &Door,
        space: u8,
        auth: &Auth,
    ) -> Option<Result<Credential, String>> {
        if let Some(token) = &auth.token {
            let claims = door.keyring.verify(token, self.setup.clock.now());
            return Some(match claims {
                Some(claims) => Ok(Credential::Token { jti: claims.jti }),
                None => Err(BAD_TOKEN.to_owned()),
            });
        }
        if let Some(code) = &auth.device_code {
            return Some(Ok(Credential::DeviceCode { digest: pairing::digest(code) }));
        }
        let handshake = &self.engine(line)?.handshake;
        let service = door.tables.spaces[usize::from(space)].service();
        let stranger = handshake.stranger.zip(service);
        if let Some(guest) = stranger.and_then(|(stranger, service)| stranger.at(door, service)) {
            return Some(guest.map_err(|fault| fault.message.into_owned()));
        }
        Some(match &handshake.admission {
            Admission::Credential(credential) => Ok(credential.clone()),
            Admission::Refused(fault) => Err(fault.message.to_string()),
            Admission::FirstMessage => Err(NO_CREDENTIAL.to_owned()),
        })
    }

    /// Whether the limits of connections let one with this credential in.
    pub(super) fn is_within_limits(
        &mut self,
        line: LineId,
        credential: Option<&Credential>,
    ) -> bool {
        let Some(limits) = self.setup.connections.clone() else { return true };
        let Some(from) = self.engine(line).map(|engine| engine.handshake.from) else { return true };
        let caller = match credential {
            Some(Credential::Token { jti }) => Caller::Principal(jti),
            Some(Credential::Guest(_) | Credential::DeviceCode { .. }) => Caller::Anonymous,
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
        let hears = match auth.topics {
            None => Hears::Unasked(space),
            Some(mut names) => {
                let mut known = HashSet::new();
                names.retain(|name| known.insert(name.clone()));
                Hears::Named(space, names)
            }
        };
        // Who waits to be paired misses nothing: what became of it is read when it comes back.
        let is_pairing = matches!(credential, Credential::DeviceCode { .. });
        let asks = auth.ack.unwrap_or(false) && !is_pairing;
        let recover = auth.recover.unwrap_or(false) && !is_pairing;
        let shape = Shape::socketio(there.own.is_some(), recover, asks);
        let id = self.hub.join(line, shape);
        if auth.batch.unwrap_or(false) {
            self.hub.batch(id);
        }
        let sid = format!("{}.{}", sid.as_str(), id.serial);
        let listening = Listening { sid: sid.clone(), ..Listening::default() };
        let talk = Talk::new(id, line, Mount::Namespace(space), shape);
        let talk = Talk { listening: Some(Box::new(listening)), ..talk };
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
                hears,
                asks,
                pid: auth.pid,
                offset: auth.offset,
            }),
            false => {
                let wish = Wish { hears, asks };
                Reading::Connect { credential, wish, since: Since::Unasked }
            }
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
    pub(super) fn disconnect(&mut self, id: SessionId, said: &Said, now_ms: u64) {
        let cursor = self.setup.speller.cursor(self.hub.told_upto(id));
        let shape = self.talk(id).map(|talk| talk.shape);
        let Some((line, path)) = self.put_out(id, now_ms) else { return };
        let cursor = shape.is_some_and(Shape::has_cursor).then_some(cursor.as_str());
        self.hub.say(line, said::event(path, said, cursor));
        self.hub.say(line, frame::text(&socketio::disconnect(path)));
        self.parted(line, now_ms);
    }

    /// The session ends, and its client is put out of its namespace, which is for the caller to say; says where
    /// that was.
    pub(super) fn put_out(&mut self, id: SessionId, now_ms: u64) -> Option<(LineId, &'static str)> {
        let number = match self.talk(id).map(|talk| talk.mount) {
            Some(Mount::Namespace(number)) => number,
            _ => return None,
        };
        let seat = self.leave_namespace(id, now_ms);
        if let Some((line, _)) = seat
            && let Some(engine) = self.engine(line)
        {
            engine.put_out_of |= 1 << number;
        }
        self.forget_talk(id, Door::forget);
        seat
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
        talk.say_goodbye();
        if !talk.is_asking() || talk.principal.is_none() {
            self.forget_talk(id, Door::forget);
            return;
        }
        talk.stage = Stage::Leaving;
        let listening = talk.listening.take();
        let reading = talk.reading.take();
        talk.forget_read();
        if let (
            Some(
                Reading::Subscribe { call, .. }
                | Reading::Listen { call, first: false, .. }
                | Reading::Move { call, .. },
            ),
            Some(calls),
        ) = (reading.as_deref(), &mut talk.calls)
        {
            calls.answer(*call, None, false);
        }
        self.hub.mute(id);
        self.tell_end(listening, Door::forget);
        self.work(id, now_ms);
    }

    /// Whether an event may be for this namespace: the client is in it, or was put out of it and may not know yet.
    pub(super) fn may_cross(&mut self, line: LineId, namespace: &str) -> bool {
        let was_put_out = |shard: &mut Self| {
            let number = shard.space(namespace)?;
            Some(shard.engine(line)?.put_out_of & (1 << number) != 0)
        };
        self.seat(line, namespace).is_some() || was_put_out(self).unwrap_or_default()
    }

    fn event(&mut self, line: LineId, event: Event, now_ms: u64) {
        let Some(seat) = self.seat(line, &event.namespace) else {
            if !self.may_cross(line, &event.namespace) {
                self.violate(line, EARLY, now_ms);
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
        check(r#"{"deviceCode":"x","ack":true}"#, Ok((None, false)));
        check(r#"{"deviceCode":7}"#, Err("auth.deviceCode"));
        check(r#"{"ack":1}"#, Err("auth.ack"));
        check(r#"{"ack":false,"batch":true}"#, Ok((None, false)));
        check(r#"{"ack":true,"batch":true}"#, Err("auth.batch"));
        check("[]", Err("auth"));
        assert!(Auth::read(None).is_ok_and(|auth| auth.token.is_none()));
    }
}
