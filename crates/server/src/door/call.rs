//! Calls that somebody waits for: over HTTP, from the operator, and the server's own.

use std::sync::Arc;

use bellwire_services::{
    identity,
    kit::{Answer, BoundCommand, Code, Decision, Fault, Look, Payload, Principal},
};
use bellwire_store::tx::ReadTx;
use serde_json::value::RawValue;
use tokio::{
    sync::{Semaphore, oneshot},
    task::spawn_blocking,
};

use super::{Door, Precondition, overloaded, unknown};
use crate::{opening::Credential, sequencer::ReplyTo};

/// How much slow work (hashing a password) is done at once: it takes a core and 19 MiB each.
const SLOW_AT_ONCE: usize = 2;
/// How much of it may wait; more is refused.
const SLOW_WAITING_MAX: usize = 32;

/// Turns for slow work. Semaphores: calls from everywhere wait here without holding a thread.
pub struct SlowWork {
    waiting: Semaphore,
    turns: Semaphore,
}

impl SlowWork {
    /// Nothing is being done.
    pub fn new() -> SlowWork {
        let waiting = Semaphore::new(SLOW_AT_ONCE + SLOW_WAITING_MAX);
        SlowWork { waiting, turns: Semaphore::new(SLOW_AT_ONCE) }
    }
}

impl Default for SlowWork {
    fn default() -> Self {
        SlowWork::new()
    }
}

/// A call with its caller.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// The command or query.
    pub name: &'a str,
    /// Its fields.
    pub payload: Payload,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// What the caller saw of the thing that is to be changed.
    pub precondition: Option<Precondition>,
}

impl Door {
    /// Runs a command or a query to its end and gives its reply, with a token or ticket in it if there
    /// is one to sign.
    ///
    /// # Errors
    /// What the call refuses.
    pub async fn ask(
        &self,
        name: &str,
        payload: Payload,
        principal: Arc<Principal>,
    ) -> Result<Box<RawValue>, Fault> {
        let call = Call { name, payload, principal, precondition: None };
        Ok(self.call(call).await?.json)
    }

    /// The same, with everything that the answer says.
    ///
    /// # Errors
    /// What the call refuses.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, Fault> {
        let Call { name, payload, principal, precondition } = call;
        if self.tables.queries.contains_key(name) {
            let (sender, answer) = oneshot::channel();
            // The caller may have gone; then nobody wants the answer.
            self.query(name, payload, principal, move |result| drop(sender.send(result)))?;
            return Ok(self.signed(answer.await.map_err(|_| overloaded())??));
        }
        if !self.tables.commands.contains_key(name) {
            return Err(unknown(name));
        }
        let (command, key, bound) = self.bind(name, payload, &principal)?;
        let decision = match bound {
            BoundCommand::Decide(decision) => decision,
            BoundCommand::Prepare(look) => self.prepare(look, principal.clone()).await?,
        };
        let (sender, answer) = oneshot::channel();
        let to = ReplyTo::Function(Box::new(move |result| drop(sender.send(result))));
        let write = self.write_of(command, principal, key, precondition, decision, to);
        self.store.write(write).map_err(|_| overloaded())?;
        Ok(self.signed(answer.await.map_err(|_| overloaded())??))
    }

    /// Reads what slow work needs, waits for a turn, and does it.
    async fn prepare(&self, look: Look, principal: Arc<Principal>) -> Result<Decision, Fault> {
        let _waiting = self.slow.waiting.try_acquire().map_err(|_| overloaded())?;
        let work = self.read_now(principal, look).await?;
        let turn = self.slow.turns.acquire().await.map_err(|_| overloaded())?;
        let done = spawn_blocking(work).await;
        drop(turn);
        done.map_err(|error| Fault::new(Code::Internal, format!("slow work failed: {error}")))?
    }

    async fn read_now<T: Send + 'static>(
        &self,
        principal: Arc<Principal>,
        read: impl FnOnce(&ReadTx<'_>, &bellwire_services::kit::Ctx<'_>) -> Result<T, Fault>
        + Send
        + 'static,
    ) -> Result<T, Fault> {
        let (sender, answer) = oneshot::channel();
        self.read_as(principal, read, move |result| drop(sender.send(result)))?;
        answer.await.map_err(|_| overloaded())?
    }

    /// Who shows this credential.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when it ended before its time.
    pub async fn identify(&self, credential: &Credential) -> Result<Arc<Principal>, Fault> {
        let Credential::Token { jti } = credential else {
            return Ok(Arc::new(Principal::guest()));
        };
        let (sender, answer) = oneshot::channel();
        let (wanted, now) = (jti.clone(), self.clock.now());
        self.read(move |tx| {
            let found = tx.and_then(|tx| identity::principal(tx, &wanted, now));
            let _ = sender.send(found);
        })?;
        let found = answer.await.map_err(|_| overloaded())?;
        if found.as_ref().is_err_and(|fault| fault.code == Code::Unauthenticated) {
            self.keyring.note_ended(jti);
        }
        found.map(Arc::new)
    }

    /// Uses a ticket up, and gives the credential that it stands for; `None` if it is no good ticket.
    ///
    /// # Errors
    /// When too much waits already.
    pub async fn redeem(&self, ticket: &str) -> Result<Option<Credential>, Fault> {
        let Some(claims) = self.keyring.verify_ticket(ticket, self.clock.now()) else {
            return Ok(None);
        };
        let mut payload = Payload::new();
        payload.insert("jti".into(), claims.jti.into());
        payload.insert("exp".into(), claims.exp.into());
        match self.ask("auth.use_ticket", payload, Arc::new(Principal::system())).await {
            Ok(_) => Ok(Some(Credential::Token { jti: claims.sub })),
            Err(fault) if fault.code == Code::Unauthenticated => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// The answer, with what it has to sign in its reply, in the first place.
    fn signed(&self, answer: Answer) -> Answer {
        let Some(claims) = &answer.sign else { return answer };
        let mut reply: Payload =
            serde_json::from_str(answer.json.get()).expect("a signed reply is an object");
        let key = if claims.is_ticket() { "ticket" } else { "token" };
        reply.shift_insert(0, key.into(), self.keyring.sign(claims).into());
        let json = serde_json::value::to_raw_value(&reply).expect("an object serialises");
        Answer { json, ..answer }
    }
}
