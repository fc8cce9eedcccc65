//! What may happen next, and how likely it is.

use std::sync::Arc;

use bellwire_services::kit::{Payload, Principal};
use serde_json::json;

use super::{
    Mutant, is_mutant,
    node::Read,
    oracle::topics_of,
    world::{ENTITIES, Op, World, note},
};
use crate::{
    hub::SessionId,
    sequencer::{CallId, ReplyTo},
};

/// Rights that tokens may have.
const SCOPES: &[&str] = &[
    "states:read",
    "states:read:light.*",
    "states:read:light.*",
    "states:read:light.a",
    "states:read:lock.*",
    "states:read:light.a",
    "states:write:light.a",
    "states:read:lock.a",
];

fn payload(json: serde_json::Value) -> Payload {
    match json {
        serde_json::Value::Object(fields) => fields,
        other => panic!("{other} has no fields"),
    }
}

impl World {
    /// One thing happens.
    pub fn step(&mut self) -> Result<(), String> {
        let client = self.chance.below(self.clients.len());
        match self.chance.below(200) {
            0..46 => self.write(),
            46..74 if is_mutant(Mutant::PublishBeforeCommit) && self.chance.one_in(30) => {
                self.publish_too_early()
            }
            46..74 => {
                let count = 1 + self.chance.below(4);
                self.commit(count)?;
                if !self.chance.one_in(4) {
                    self.node().publish();
                }
                Ok(())
            }
            74..100 => {
                let shards = self.node().shards.len();
                let (shard, batches) = (self.chance.below(shards), 1 + self.chance.below(6));
                if self.chance.one_in(self.knobs.lag) {
                    // A hub that is late catches up at a stroke, or little by little.
                    let all = self.chance.one_in(2);
                    self.deliver(shard, if all { usize::MAX } else { batches });
                    self.attend(shard)?;
                }
                Ok(())
            }
            100..136 => self.some_read(),
            136..164 => {
                let len = *self.chance.pick(&[0, 1, 100, 1 << 30, 1 << 30]);
                let room = self.room();
                self.receive(client, len, room)
            }
            164..176 => {
                // Whoever is away comes back soon.
                let count = self.clients.len();
                let away = |client: &usize| self.clients[*client].link.is_none();
                if let Some(client) = (client..count).chain(0..client).find(away) {
                    let room = self.room();
                    self.connect(client, false, room);
                }
                Ok(())
            }
            176..180 => self.disconnect(client),
            180..192 => {
                self.subscribe(client);
                Ok(())
            }
            192..194 => {
                self.pass_time();
                Ok(())
            }
            194..196 => self.prune(),
            196..197 if self.chance.one_in(2) => self.crash(),
            197..198 => {
                let copied = self.node().writer.checkpoint();
                copied.map(drop).map_err(|fatal| fatal.to_string())
            }
            _ => {
                self.node().publish();
                Ok(())
            }
        }
    }

    fn room(&mut self) -> usize {
        self.knobs.rooms[self.chance.below(self.knobs.rooms.len())]
    }

    /// Someone who does not matter for the hubs.
    pub fn nobody(&mut self) -> ReplyTo {
        self.numbers += 1;
        let session = SessionId { slot: u32::MAX, serial: 0 };
        ReplyTo::Call(CallId { shard: u16::MAX, session, call: self.numbers as u32 })
    }

    fn some_read(&mut self) -> Result<(), String> {
        self.node().collect_reads();
        let mut keys: Vec<_> = self.node().reads.iter().collect();
        // Reads begin soon, and come back late: that is where the races are.
        keys.sort_by_key(|(_, read)| matches!(read, Read::Done(_)));
        let keys: Vec<_> = keys.into_iter().map(|(key, _)| *key).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let key = *self.chance.pick(&keys);
        self.read(key, false)?;
        self.attend(key.0.into())
    }

    fn pass_time(&mut self) {
        self.now_ms += *self.chance.pick(&[500, 2_000, 11_000]);
        let now_ms = self.now_ms;
        note!(self, "it is {now_ms} ms");
        let mut tally = std::mem::take(&mut self.tally);
        self.node().shards.iter_mut().for_each(|shard| shard.tick(now_ms, &mut tally));
        self.tally = tally;
    }

    /// Something is asked of the writer.
    fn write(&mut self) -> Result<(), String> {
        let entity = ENTITIES[self.chance.below(ENTITIES.len())];
        self.numbers += 1;
        let number = self.numbers;
        if self.chance.below(64) < self.knobs.churn {
            return self.change_token();
        }
        match self.chance.below(64) {
            0..36 => {
                let padding = "~".repeat(self.padding());
                let fields = json!({
                    "entity_id": entity,
                    "state": format!("s{number}"),
                    "attributes": {"padding": padding},
                });
                self.ask("states:create", payload(fields))
            }
            36..42 => {
                let fields = json!({
                    "state_id": 1 + self.chance.below(30),
                    "state": format!("s{}", number - self.chance.below(2) as u64),
                });
                self.ask("states:update", payload(fields))
            }
            42..45 => {
                let fields = json!({"state_id": 1 + self.chance.below(40)});
                self.ask("states:delete", payload(fields))
            }
            45..46 => self.operate(vec![("states:remove", payload(json!({"entity_id": entity})))]),
            46..61 => {
                let note = self.a_note(entity);
                self.operate(vec![("sim:note", note)])
            }
            61..62 if self.chance.one_in(2) => self.revoke_token(),
            62..63 if self.tokens.len() < 8 => self.create_token(),
            _ => Ok(()),
        }
    }

    /// A call by the server itself, or by a connected client.
    fn ask(&mut self, name: &'static str, payload: Payload) -> Result<(), String> {
        let client = self.chance.below(2 * self.clients.len());
        let link = self.clients.get(client).and_then(|client| client.link);
        let caller = link.and_then(|(shard, session)| {
            let conn = self.node().shards[shard as usize].conns.get(&session)?;
            Some((shard, session, conn.principal.clone()?))
        });
        let (to, principal) = match caller {
            Some((shard, session, principal)) => {
                let call = self.numbers as u32;
                (ReplyTo::Call(CallId { shard, session, call }), principal)
            }
            None => (self.nobody(), Arc::new(Principal::system())),
        };
        self.queue(vec![(name, payload)], principal, to, Op::Other)
    }

    /// Calls by the operator.
    fn operate(&mut self, calls: Vec<(&str, Payload)>) -> Result<(), String> {
        let to = self.nobody();
        self.queue(calls, Arc::new(Principal::operator()), to, Op::Other)
    }

    fn queue(
        &mut self,
        calls: Vec<(&str, Payload)>,
        principal: Arc<Principal>,
        to: ReplyTo,
        op: Op,
    ) -> Result<(), String> {
        if let ReplyTo::Call(call) = &to {
            self.ops.insert(call.call, op);
        }
        let names: Vec<&str> = calls.iter().map(|(name, _)| *name).collect();
        note!(self, "{} asks {names:?} {:?}", principal.id, calls.last().map(|call| &call.1));
        self.enqueue(calls, principal, to)
    }

    /// A note about an entity, to one audience or to several that overlap.
    fn a_note(&mut self, entity: &str) -> Payload {
        let [all, domain, own] = topics_of(entity);
        let audiences = match self.chance.below(4) {
            0 => vec![vec![all, domain, own]],
            2 => vec![vec![own], vec![domain], vec![all]],
            _ => vec![vec![all, own], vec![domain]],
        };
        let except = match self.chance.below(6) {
            0 => {
                let token = self.chance.below(self.tokens.len());
                vec![format!("principal/{}", self.tokens[token].id)]
            }
            1 => vec!["entity/lock.a".to_owned()],
            _ => vec![],
        };
        let times = match std::mem::take(&mut self.knobs.burst) {
            0 => *self.chance.pick(&[1, 1, 2, 5, 30]),
            burst => burst,
        };
        let number = self.numbers;
        self.numbers += times;
        payload(json!({
            "number": number,
            "about": entity,
            "audiences": audiences,
            "except": except,
            "times": times,
            "padding": self.padding(),
        }))
    }

    fn scopes(&mut self) -> Vec<String> {
        let count = *self.chance.pick(&[0, 1, 2, 2, 3]);
        (0..count).map(|_| (*self.chance.pick(SCOPES)).to_owned()).collect()
    }

    /// Rights change; sometimes in the very row that tells something.
    fn change_token(&mut self) -> Result<(), String> {
        let client = self.chance.below(self.clients.len());
        let (id, scopes) = match self.undo.pop() {
            Some(before) => before,
            // Most often the token of somebody who is there.
            None => (self.clients[client].ear.principal.clone(), self.scopes()),
        };
        let token = self.tokens.iter_mut().find(|token| token.id == id);
        if let Some(token) = token
            && token.scopes != scopes
        {
            // Rights that come and go, or go and come back, soon after.
            let before = std::mem::replace(&mut token.scopes, scopes.clone());
            if self.chance.one_in(2) {
                self.undo.push((id.clone(), before));
            }
        }
        let change = payload(json!({"id": id, "scopes": scopes}));
        let mut calls = vec![("tokens.change", change)];
        if self.chance.one_in(3) {
            let entity = *self.chance.pick(ENTITIES);
            calls.insert(0, ("sim:note", self.a_note(entity)));
        }
        let to = self.nobody();
        let operator = Arc::new(Principal::operator());
        self.queue(calls, operator, to, Op::Change { id, scopes })
    }

    fn revoke_token(&mut self) -> Result<(), String> {
        let id = self.chance.pick(&self.tokens).id.clone();
        self.operate(vec![("tokens.revoke", payload(json!({"id": id})))])
    }

    /// A token is made.
    pub fn create_token(&mut self) -> Result<(), String> {
        let scopes = self.scopes();
        let fields = json!({"role": "device", "scopes": scopes, "ttl": 86_400});
        let to = self.nobody();
        let calls = vec![("tokens.create", payload(fields))];
        self.queue(calls, Arc::new(Principal::operator()), to, Op::Create { scopes })
    }
}
