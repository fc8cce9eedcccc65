//! Calls that somebody waits for: over HTTP, from the operator, and the server's own.

use std::sync::Arc;

use bellwire_services::{
    identity,
    kit::{
        Answer, BoundCommand, Claims, Code, Command, Ctx, Decision, Fault, Look, Payload,
        Principal, Work, idempotency,
    },
};
use bellwire_store::tx::ReadTx;
use serde_json::value::RawValue;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    task::spawn_blocking,
};

use super::{
    Asking, Door, Lane, Precondition,
    connecting::{TOKEN_USED, used},
    overloaded, retries_as, unknown,
};
use crate::{opening::Credential, sequencer::ReplyTo};

/// How much slow work (hashing a password) is done at once: it takes a core and 19 MiB each.
const SLOW_AT_ONCE: usize = 2;
/// How much of it may wait; more is refused.
const SLOW_WAITING_MAX: usize = 32;

/// Turns for slow work. Semaphores: calls from everywhere wait here without holding a thread; shared,
/// since work goes on when its caller is gone, and so keeps its turn.
pub struct SlowWork {
    waiting: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl SlowWork {
    /// Nothing is being done.
    pub fn new() -> SlowWork {
        let waiting = Arc::new(Semaphore::new(SLOW_AT_ONCE + SLOW_WAITING_MAX));
        SlowWork { waiting, turns: Arc::new(Semaphore::new(SLOW_AT_ONCE)) }
    }

    /// A place among those who wait.
    fn place(&self) -> Result<Place, Fault> {
        self.waiting.clone().try_acquire_owned().map(Place).map_err(|_| overloaded())
    }

    /// Waits for a turn and does the work. Place and turn are given back when the work is done, also
    /// when nobody waits for it any more.
    async fn run<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| overloaded())?;
        let done = spawn_blocking(move || {
            let _held = (place, turn);
            work()
        });
        let failed = |error| Fault::new(Code::Internal, format!("slow work failed: {error}"));
        done.await.map_err(failed)?
    }
}

impl Default for SlowWork {
    fn default() -> Self {
        SlowWork::new()
    }
}

/// A place among those who wait for slow work.
struct Place(#[expect(dead_code, reason = "it is held, not looked at")] OwnedSemaphorePermit);

/// What comes of preparing a command.
enum Prepared {
    /// It can be decided.
    Decision(Decision),
    /// It was decided before.
    Answer(Answer),
}

/// A call with its caller.
pub struct Call<'a> {
    /// The command or query.
    pub name: &'a str,
    /// Its fields.
    pub payload: Payload,
    /// Who asks.
    pub principal: Arc<Principal>,
    /// What the caller saw of the thing that is to be changed.
    pub precondition: Option<Precondition>,
    /// The origin at which the caller found this server; empty where nobody knows.
    pub origin: String,
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
        let origin = String::new();
        let call = Call { name, payload, principal, precondition: None, origin };
        Ok(self.call(call).await?.json)
    }

    /// The same, with everything that the answer says.
    ///
    /// # Errors
    /// What the call refuses.
    pub async fn call(&self, call: Call<'_>) -> Result<Answer, Fault> {
        let Call { name, payload, principal, precondition, origin } = call;
        if self.tables.queries.contains_key(name) {
            let (sender, answer) = oneshot::channel();
            // Held as long as the caller waits: who has gone is passed over.
            let waiting = Arc::new(());
            let wanted = Arc::downgrade(&waiting);
            self.query(name, payload, principal, None, wanted, move |result| {
                drop(sender.send(result))
            })?;
            return Ok(self.signed(answer.await.map_err(|_| overloaded())??));
        }
        if !self.tables.commands.contains_key(name) {
            return Err(unknown(name));
        }
        let (command, key, bound) = self.bind(name, payload, &principal)?;
        let decision = match bound {
            BoundCommand::Decide(decision) => decision,
            BoundCommand::Prepare(look) => {
                match self.prepare(look, command, key.clone(), principal.clone()).await? {
                    Prepared::Decision(decision) => decision,
                    Prepared::Answer(answer) => return Ok(self.signed(answer)),
                }
            }
        };
        let (sender, answer) = oneshot::channel();
        let to = ReplyTo::Function(Box::new(move |result| drop(sender.send(result))));
        let asking = Asking { principal, place: None, key, precondition, origin };
        let write = self.write_of(command, asking, decision, to);
        self.store.write(write).map_err(|_| overloaded())?;
        Ok(self.signed(answer.await.map_err(|_| overloaded())??))
    }

    /// Reads what slow work needs, waits for a turn, and does it; unless this is a retry, whose answer is
    /// known.
    async fn prepare(
        &self,
        look: Look,
        command: &Command,
        key: Option<idempotency::Key>,
        principal: Arc<Principal>,
    ) -> Result<Prepared, Fault> {
        enum Looked {
            Work(Work),
            Kept(Answer),
        }
        let place = self.slow.place()?;
        let (name, access) = (command.name, command.access);
        let look = move |tx: &ReadTx<'_>, ctx: &Ctx<'_>| {
            access.check(ctx.principal)?;
            let caller = retries_as(access, ctx.principal);
            let kept = match &key {
                Some(key) => idempotency::kept(tx, (caller, name), key)?,
                None => None,
            };
            Ok(match kept {
                Some(answer) => Looked::Kept(answer),
                None => Looked::Work(look(tx, ctx)?),
            })
        };
        Ok(match self.read_now(principal, look).await? {
            Looked::Kept(answer) => Prepared::Answer(answer),
            Looked::Work(work) => Prepared::Decision(self.slow.run(place, work).await?),
        })
    }

    async fn read_now<T: Send + 'static>(
        &self,
        principal: Arc<Principal>,
        read: impl FnOnce(&ReadTx<'_>, &Ctx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (sender, answer) = oneshot::channel();
        let waiting = Arc::new(());
        let wanted = Arc::downgrade(&waiting);
        self.read_as(principal, None, Lane::Usual, wanted, read, move |result| {
            drop(sender.send(result))
        })?;
        answer.await.map_err(|_| overloaded())?
    }

    /// Who shows this credential.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when it ended before its time.
    pub async fn identify(&self, credential: &Credential) -> Result<Arc<Principal>, Fault> {
        let jti = match credential {
            Credential::Token { jti } => jti,
            Credential::Guest(from) => return Ok(Arc::new(Principal::guest_from(*from))),
            Credential::DeviceCode { .. } => return Ok(Arc::new(Principal::guest())),
        };
        let (sender, answer) = oneshot::channel();
        let (shown, now) = (jti.clone(), self.clock.now());
        let waiting = Arc::new(());
        self.read_while(Lane::Usual, Arc::downgrade(&waiting), move |tx| {
            let found = tx.and_then(|tx| identity::principal(tx, &shown, now));
            drop(sender.send(found));
        })?;
        let found = answer.await.map_err(|_| overloaded())?;
        if found.as_ref().is_err_and(|fault| fault.code == Code::Unauthenticated) {
            self.keyring.note_ended(jti);
        }
        let principal = found?;
        if principal.unused {
            let noted = self.ask(TOKEN_USED, used(&principal), Arc::new(Principal::system()));
            noted.await.map(drop).or_else(|fault| match fault.code {
                Code::Full => Ok(()),
                _ => Err(fault),
            })?;
        }
        Ok(Arc::new(principal))
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

    /// The answer, with what it has to sign in its reply: in the first place, behind an `id`.
    fn signed(&self, answer: Answer) -> Answer {
        let Some(claims) = &answer.sign else { return answer };
        Answer { json: self.with_token(answer.json.get(), claims), ..answer }
    }

    /// An object, as JSON text, with a token that says this.
    pub(super) fn with_token(&self, object: &str, claims: &Claims) -> Box<RawValue> {
        let mut members: Payload =
            serde_json::from_str(object).expect("a service's own object is JSON");
        let key = if claims.is_ticket() { "ticket" } else { "token" };
        let place = usize::from(members.keys().next().is_some_and(|first| first == "id"));
        members.shift_insert(place, key.into(), self.keyring.sign(claims).into());
        serde_json::value::to_raw_value(&members).expect("an object serialises")
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{
            atomic::{AtomicUsize, Ordering},
            mpsc,
        },
        task::{Context, Waker},
    };

    use super::*;

    /// Who asks and goes away at once has work done that nobody waits for: it counts all the same.
    #[tokio::test]
    async fn work_keeps_its_turn_when_its_caller_is_gone() {
        let slow = SlowWork::new();
        let running = Arc::new(AtomicUsize::new(0));
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        for _ in 0..2 * SLOW_AT_ONCE {
            let (running, released) = (running.clone(), released.clone());
            let work = move || {
                running.fetch_add(1, Ordering::SeqCst);
                let _ = released.lock().expect("nobody panics under this lock").recv();
                Ok(())
            };
            let place = slow.place().expect("there is room");
            let mut call = pin!(slow.run(place, work));
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(slow.turns.available_permits(), 0, "both are being done");
        let left = SLOW_WAITING_MAX;
        assert_eq!(slow.waiting.available_permits(), left, "the others gave up, and their places");
        drop(release);
        // A third would be done as soon as one of the two is, when the other may not have begun.
        let both = u32::try_from(SLOW_AT_ONCE).expect("they are few");
        drop(slow.turns.acquire_many(both).await.expect("turns are never closed"));
        let place = slow.place().expect("there is room");
        assert_eq!(slow.run(place, || Ok(7)).await, Ok(7));
        assert_eq!(running.load(Ordering::SeqCst), SLOW_AT_ONCE);
    }
}
