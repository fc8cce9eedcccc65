//! Which topics a session of Socket.IO hears: `subscribe` and `unsubscribe`, and on `/` by calling.

use std::collections::HashSet;

use bellwire_services::kit::{self, Code, Fault, Payload, Said};
use serde::Deserialize;

use super::Shard;
use crate::{
    door::{Door, UNSUBSCRIBE},
    hub::SessionId,
    net::talk::{Listening, Mount, Reading, Stage},
};

/// What `subscribe` and `unsubscribe` ask for.
#[derive(Debug, Deserialize)]
struct Topics {
    topics: Vec<String>,
}

impl Shard {
    /// `subscribe` and `unsubscribe`: the session listens to these topics too, or not any more.
    ///
    /// # Errors
    /// When the request is wrong.
    pub(super) fn change_topics(
        &mut self,
        id: SessionId,
        call: u32,
        name: &str,
        payload: Payload,
        now_ms: u64,
    ) -> Result<(), Fault> {
        let names = self.names_after(id, name, payload)?;
        if self.talk(id).and_then(|talk| talk.listening.as_deref()).map(self::names)
            == Some(names.clone())
        {
            self.answer_listening(id, call);
            return Ok(());
        }
        self.hub.suspend(id);
        self.read_for(id, Reading::Listen { call, first: false, names }, now_ms);
        Ok(())
    }

    fn names_after(
        &mut self,
        id: SessionId,
        name: &str,
        payload: Payload,
    ) -> Result<Vec<String>, Fault> {
        let Topics { topics } = kit::parse(payload)?;
        let listening = self.talk(id).and_then(|talk| talk.listening.as_ref());
        let mut names = listening.map(|listening| names(listening)).unwrap_or_default();
        if name == UNSUBSCRIBE {
            let gone: HashSet<String> = topics.into_iter().collect();
            let before = names.len();
            names.retain(|name| !gone.contains(name));
            if before - names.len() != gone.len() {
                let why = "topics: one that is not listened to";
                return Err(Fault::new(Code::Invalid, why));
            }
            return Ok(names);
        }
        let mut known: HashSet<String> = names.iter().cloned().collect();
        names.extend(topics.into_iter().filter(|topic| known.insert(topic.clone())));
        Ok(names)
    }

    /// Answers with the topics that are heard by now.
    pub(super) fn answer_listening(&mut self, id: SessionId, number: u32) {
        let Some(talk) = self.talk(id) else { return };
        let names = talk.listening.as_ref().map(|listening| names(listening));
        let names = serde_json::to_string(&names.unwrap_or_default()).expect("texts serialise");
        let payload = format!(r#"{{"success":true,"topics":{names}}}"#);
        let Some(call) = talk.calls.as_ref().and_then(|calls| calls.unanswered(number)) else {
            return;
        };
        let said = Said::response(&call.name, payload);
        self.answer_with(id, number, said, false);
    }

    /// On `/`, the first call to a service begins to listen to it, and starts when that is done. Says
    /// whether it has to wait for that.
    pub(super) fn listens_first(&mut self, id: SessionId, door: &Door, now_ms: u64) -> bool {
        let Some(talk) = self.talk(id) else { return false };
        let (Mount::Namespace(space), Stage::Open) = (talk.mount, talk.stage) else { return false };
        if door.tables.spaces[usize::from(space)].own.is_some() {
            return false;
        }
        let (Some(listening), Some(calls)) = (&talk.listening, &talk.calls) else { return false };
        let Some((number, name)) = calls.next() else { return false };
        let heard = door.tables.heard_by_calling(name);
        let Some((topic, _)) = heard.filter(|(_, streams)| !listening.known.meets(*streams)) else {
            return false;
        };
        let names = names(listening).into_iter().chain([topic.to_owned()]).collect();
        talk.stage = Stage::Opening;
        self.hub.suspend(id);
        self.read_for(id, Reading::Listen { call: number, first: true, names }, now_ms);
        true
    }
}

fn names(listening: &Listening) -> Vec<String> {
    listening.topics.iter().map(|topic| topic.name.clone()).collect()
}
