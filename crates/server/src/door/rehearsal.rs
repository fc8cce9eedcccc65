//! Calls that are read as all others, and run in a transaction that somebody else has, which is undone: for the fuzzers.

use std::sync::Arc;

use bellwire_services::{
    identity,
    kit::{
        Answer, BoundCommand, Code, Command, Ctx, Decision, Fault, Ids, Look, Micros, Outcome,
        Payload, Place, Principal, Subscribe, Tx,
        idempotency::{self, Key},
    },
};
use bellwire_store::batch::Run;
use serde_json::value::RawValue;

use super::{Access, Asking, Door, retries_as, unknown};
use crate::{credentials::chance, sequencer::ReplyTo};

impl Door {
    /// The names of all calls, in order.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        let tables = &self.tables;
        let names = tables.commands.keys().chain(tables.queries.keys());
        let mut names: Vec<_> = names.chain(tables.subscriptions.keys()).copied().collect();
        names.sort_unstable();
        names
    }

    /// Whether a repeat of this command is answered as the first was, if it has a key.
    pub(crate) fn keeps_answers(&self, name: &str) -> bool {
        let strangers = [Access::Anyone, Access::Visitor];
        let command = self.tables.commands.get(name);
        command.is_some_and(|command| !command.moves && !strangers.contains(&command.access))
    }

    /// Reads a request, and gives what would be done. It costs its caller nothing.
    ///
    /// # Errors
    /// What is said before anything is queued.
    pub(crate) fn rehearse(
        self: &Arc<Self>,
        name: &str,
        payload: Payload,
        principal: Arc<Principal>,
        place: Option<Place>,
    ) -> Result<Run<Answer>, Fault> {
        if let Some(query) = self.tables.queries.get(name) {
            self.check_access(query.service, query.access, &principal)?;
            let (access, mut bound) = (query.access, Some((query.bind)(payload)?));
            return Ok(self.run_as(principal, place, move |tx, ctx| {
                access.check(ctx.principal)?;
                once(&mut bound)(tx, ctx).map(Outcome::reply)
            }));
        }
        if let Some(subscription) = self.tables.subscriptions.get(name) {
            // Who is not let in to the service has no connection that subscribes.
            self.check_access(subscription.service, Access::Caller, &principal)?;
            let Subscribe { snapshot, .. } = (subscription.bind)(payload)?;
            let mut snapshot = Some(snapshot);
            return Ok(self.run_as(principal, place, move |tx, ctx| {
                let said = once(&mut snapshot)(tx, ctx.principal)?;
                let json = RawValue::from_string(said.payload);
                Ok(Outcome::reply(Answer::of(json.expect("a snapshot is JSON"))))
            }));
        }
        let command = self.tables.commands.get(name).ok_or_else(|| unknown(name))?;
        self.check_access(command.service, command.access, &principal)?;
        if let Some(meter) = &command.meter {
            (meter.weigh)(&payload);
        }
        let is_slow = payload.keys().any(|key| key.to_ascii_lowercase().contains("password"));
        let (key, bound) = self.read_request(command, payload)?;
        match bound {
            BoundCommand::Decide(decision) => {
                Ok(self.run_of(command, principal, place, key, decision))
            }
            BoundCommand::Prepare(look) => {
                let look = if is_slow { Err(look) } else { Ok(look) };
                Ok(self.run_prepared(command, principal, key, look))
            }
        }
    }

    fn run_of(
        &self,
        command: &Command,
        principal: Arc<Principal>,
        place: Option<Place>,
        key: Option<Key>,
        decision: Decision,
    ) -> Run<Answer> {
        let origin = "https://home.example".to_owned();
        let asking = Asking { principal, place, key, precondition: None, origin };
        let to = ReplyTo::Function(Box::new(|_| ()));
        self.write_of(command, asking, decision, to).run
    }

    /// What is looked at for slow work, then that, unless it is an `Err`: hashing a password takes a core for too long.
    fn run_prepared(
        self: &Arc<Self>,
        command: &Command,
        principal: Arc<Principal>,
        key: Option<Key>,
        look: Result<Look, Look>,
    ) -> Run<Answer> {
        let (door, name, access) = (self.clone(), command.name, command.access);
        let mut given = Some((look, key));
        self.run_as(principal.clone(), None, move |tx, ctx| {
            access.check(ctx.principal)?;
            let (look, key) = once(&mut given);
            let caller = (retries_as(access, ctx.principal), name);
            if let Some(key) = &key
                && let Some(answer) = idempotency::kept(tx, caller, key)?
            {
                return Ok(Outcome::reply(answer));
            }
            let work = match look {
                Ok(look) => look(tx, ctx)?,
                Err(look) => {
                    drop(look(tx, ctx)?);
                    return Err(Fault::new(Code::Unauthenticated, "a password is not looked at"));
                }
            };
            let command = &door.tables.commands[name];
            door.run_of(command, principal.clone(), None, key, work()?)(tx)
        })
    }

    /// In the name of somebody, who must still be let in.
    fn run_as(
        &self,
        principal: Arc<Principal>,
        place: Option<Place>,
        mut run: impl FnMut(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<Answer>, Fault> + Send + 'static,
    ) -> Run<Answer> {
        let (now, settings): (Micros, _) = (self.clock.now(), self.settings.clone());
        Box::new(move |tx: &mut Tx<'_>| {
            let changed = identity::check(tx, &principal, now)?;
            let principal = changed.as_ref().unwrap_or(&principal);
            let ids = Ids::new(chance());
            run(tx, &Ctx { now, principal, ids, settings: &settings, origin: "", place })
        })
    }
}

/// What is there for one run.
fn once<T>(taken: &mut Option<T>) -> T {
    taken.take().expect("a rehearsal is run once")
}
