//! The one door: every call enters here, from wherever it comes, and runs inside a transaction.
//!
//! The door finds the call in the services' tables, reads its fields into the service's type,
//! and queues it: commands for the writer, queries for the readers. Inside the write transaction
//! it first asks whether the caller's credential still holds, then whether the request's idempotency
//! key was used before; then the service decides.
//!
//! What a live session listens to enters here too: streams in `tuning`, names of topics in `names`, namespaces in
//! `spaces`, connections that are to be recovered in `recovery` and `partings`.
//! What is due at a time is run by `due`.

mod acknowledged;
mod call;
mod connecting;
mod due;
mod guests;
mod meters;
mod names;
mod partings;
mod recovery;
#[cfg(any(test, fuzzing))]
pub(crate) mod rehearsal;
mod spaces;
mod tables;
mod tuning;

pub use acknowledged::{Acknowledgement, Unsettled};
pub use call::{Call, SlowWork};
pub use connecting::Wish;
pub use due::{DueRun, PUT_OFF_MICROS, PUT_OFF_SOON_MICROS};
pub use guests::Guests;
pub use meters::Meters;
pub use names::NAMES_MAX;
pub use partings::Partings;
pub use recovery::{Kept, Listen, Moves, Recoverable, Recovered};
pub use spaces::{Hears, SUBSCRIBE, Space, UNSUBSCRIBE};
pub use tables::{Kind, Tables};
pub use tuning::Tuning;

use std::sync::{Arc, Mutex, Weak};

use bellwire_services::{
    identity,
    kit::{
        Access, Answer, BoundCommand, Code, Command, Ctx, Decision, Fault, Ids, Micros, Payload,
        Place, Principal, Reply as _, Settings, Subscribe, idempotency,
    },
    live_sessions::Listened,
};
use bellwire_store::{
    batch::Write,
    change::{Offset, Outcome},
    log::Cursor,
    sqlite::Store,
    tx::{ReadTx, Tx},
};
use tokio::sync::oneshot;

use crate::{
    audience::Audience,
    clock::Clock,
    credentials::{Keyring, chance},
    etag::Tags,
    hub::recent::{Recent, Speller},
    online::Online,
    opening::{self, Asked, Opened, REPLAY_TIME_MAX_MS, Sources},
    presence::Presence,
    sequencer::{Feeds, LAG_OVERLOADED_MS, Lag, ReplyTo},
    signals::Signals,
    thinning::Thinning,
};

/// How often a write of the server's own is tried that takes too long.
const OWN_TRIES: u32 = 5;

/// The tables of all services, and what calls need to run.
pub struct Door {
    /// What can be asked.
    pub tables: Arc<Tables>,
    /// Where everything is kept.
    pub store: Store<Answer, ReplyTo>,
    /// Signs and verifies tokens.
    pub keyring: Keyring,
    /// Where callers without a credential are admitted.
    pub guests: Guests,
    /// What callers may still spend on metered commands.
    pub meters: Meters,
    /// The time.
    pub clock: Arc<Clock>,
    /// The newest rows of the log.
    pub recent: Arc<Recent>,
    /// Spells events.
    pub speller: Arc<Speller>,
    /// How far the shards are behind.
    pub lag: Arc<Lag>,
    /// The way to them of events that pass. Nothing that was decided goes that way: it is committed first.
    pub feeds: Arc<Feeds>,
    /// What the operator set about the services.
    pub settings: Arc<Settings>,
    /// Turns for slow work.
    pub slow: SlowWork,
    /// Which paired clients are connected. Shared with their connections.
    pub presence: Arc<Presence>,
    /// Who listens to thinned streams. Shared with their sessions.
    pub thinning: Arc<Thinning>,
    /// What goes on that sessions began. Shared with them.
    pub signals: Arc<Signals>,
    /// Which users are online. Shared with their connections.
    pub online: Arc<Online>,
    /// Connections that ended and are to be noted. Shared with the writes that note them.
    pub partings: Arc<Partings>,
}

/// A call of a subscription.
pub struct SubscribeCall<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its fields.
    pub payload: Payload,
    /// The topics that the connection listens to so far.
    pub topics: Vec<Listened>,
    /// The last row that it was told, or need not be.
    pub after: Offset,
}

/// What the caller of a command has seen of the thing that it changes: the query that shows the thing,
/// with the fields of that, and which versions of the answer are good.
#[derive(Debug, Clone)]
pub struct Precondition {
    /// The query's name.
    pub query: &'static str,
    /// Its fields.
    pub payload: Payload,
    /// The versions.
    pub if_match: Tags,
}

impl Precondition {
    fn check(&self, tables: &Tables, tx: &ReadTx<'_>, ctx: &Ctx<'_>) -> Result<(), Fault> {
        let query = tables.queries.get(self.query).ok_or_else(|| unknown(self.query))?;
        query.access.check(ctx.principal)?;
        let shown = (query.bind)(self.payload.clone()).and_then(|bound| bound(tx, ctx));
        match shown {
            Ok(answer) if self.if_match.admits(answer.json.get()) => Ok(()),
            Err(fault) if fault.code != Code::NotFound => Err(fault),
            _ => Err(Fault::new(
                Code::PreconditionFailed,
                "it was changed since: read it again, and send its new ETag",
            )),
        }
    }
}

/// Who asks for a command, and how.
struct Asking {
    principal: Arc<Principal>,
    /// The stream that it came from, if it did.
    place: Option<Place>,
    key: Option<idempotency::Key>,
    precondition: Option<Precondition>,
    /// The origin at which the caller found this server, if that is known.
    origin: String,
}

/// A command that can be decided, and everything else that its transaction needs.
struct Bound {
    command: &'static str,
    access: Access,
    principal: Arc<Principal>,
    place: Option<Place>,
    key: Option<idempotency::Key>,
    precondition: Option<Precondition>,
    decision: Decision,
    origin: String,
    now: Micros,
    seed: [u8; 32],
}

impl Bound {
    /// Asks whether the caller still may, whether the key was used before, whether the thing is what the
    /// caller saw; then decides.
    fn run(
        &self,
        tables: &Tables,
        settings: &Settings,
        tx: &mut Tx<'_>,
    ) -> Result<Outcome<Answer>, Fault> {
        let changed = identity::check(tx, &self.principal, self.now)?;
        let principal = changed.as_ref().unwrap_or(&self.principal);
        self.access.check(principal)?;
        let (now, ids, place) = (self.now, Ids::new(self.seed), self.place);
        let ctx = Ctx { now, principal, ids, settings, origin: &self.origin, place };
        let decide = |tx: &mut Tx<'_>| {
            if let Some(precondition) = &self.precondition {
                precondition.check(tables, tx, &ctx)?;
            }
            (self.decision)(tx, &ctx)
        };
        match &self.key {
            Some(key) => {
                let caller = retries_as(self.access, principal);
                idempotency::once(tx, &ctx, (caller, self.command), key, decide)
            }
            None => decide(tx),
        }
    }
}

/// Whose retries the requests of this caller are. What is done with a credential is done with this one, not with another
/// of the same user.
fn retries_as(access: Access, principal: &Principal) -> &str {
    if access == Access::Credential { &principal.token } else { principal.retries_as() }
}

impl Door {
    /// Reads a command's request, which came from this stream if it came from one, and makes a write of it, for the
    /// store. Its answer comes with the batch that commits it.
    ///
    /// # Errors
    /// What can be said at once: the request is wrong, or the shards are too far behind.
    pub fn command(
        &self,
        name: &str,
        payload: Payload,
        principal: Arc<Principal>,
        place: Option<Place>,
        to: ReplyTo,
    ) -> Result<Write<Answer, ReplyTo>, Fault> {
        let (command, key, bound) = self.bind(name, payload, &principal)?;
        match bound {
            // What strangers may ask has its limits by address over HTTP.
            BoundCommand::Decide(_)
                if matches!(command.access, Access::Anyone | Access::Visitor) =>
            {
                Err(asked_over_http(name))
            }
            BoundCommand::Decide(decision) => {
                let origin = String::new();
                let asked = Asking { principal, place, key, precondition: None, origin };
                Ok(self.write_of(command, asked, decision, to))
            }
            BoundCommand::Prepare(_) => Err(asked_over_http(name)),
        }
    }

    fn bind(
        &self,
        name: &str,
        payload: Payload,
        principal: &Principal,
    ) -> Result<(&Command, Option<idempotency::Key>, BoundCommand), Fault> {
        let command = self.tables.commands.get(name).ok_or_else(|| unknown(name))?;
        self.check_access(command.service, command.access, principal)?;
        if self.lag.ms(self.clock.elapsed_ms()) > LAG_OVERLOADED_MS {
            return Err(overloaded());
        }
        self.meters.pay(command, &payload, principal, self.clock.elapsed_ms())?;
        let (key, bound) = self.read_request(command, payload)?;
        Ok((command, key, bound))
    }

    /// Reads the fields of a request that may be made.
    fn read_request(
        &self,
        command: &Command,
        mut payload: Payload,
    ) -> Result<(Option<idempotency::Key>, BoundCommand), Fault> {
        let key = idempotency::Key::take(&mut payload, self.keyring.digest_secret())?;
        // Keys are kept per principal: who is nobody yet has none.
        let is_kept = !command.moves && !matches!(command.access, Access::Anyone | Access::Visitor);
        let key = key.filter(|_| is_kept);
        Ok((key, (command.bind)(payload)?))
    }

    fn write_of(
        &self,
        command: &Command,
        Asking { principal, place, key, precondition, origin }: Asking,
        decision: Decision,
        to: ReplyTo,
    ) -> Write<Answer, ReplyTo> {
        let (command, access) = (command.name, command.access);
        let (now, seed) = (self.clock.now(), chance());
        let bound = Bound {
            command,
            access,
            principal,
            place,
            key,
            precondition,
            decision,
            origin,
            now,
            seed,
        };
        let (tables, settings) = (self.tables.clone(), self.settings.clone());
        let run = move |tx: &mut Tx<'_>| bound.run(&tables, &settings, tx);
        Write { at: now, run: Box::new(run), to }
    }

    /// Queues a query, which came from this stream if it came from one; `answer` is called on a reader's thread, unless nobody waits for it any more.
    ///
    /// # Errors
    /// What can be said at once: the request is wrong, or too much waits already.
    pub fn query(
        &self,
        name: &str,
        payload: Payload,
        principal: Arc<Principal>,
        place: Option<Place>,
        wanted: Weak<()>,
        answer: impl FnOnce(Result<Answer, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let query = self.tables.queries.get(name).ok_or_else(|| unknown(name))?;
        let access = query.access;
        self.check_access(query.service, access, &principal)?;
        let bound = (query.bind)(payload)?;
        let read = move |tx: &ReadTx<'_>, ctx: &Ctx<'_>| {
            access.check(ctx.principal)?;
            bound(tx, ctx)
        };
        let lane = if query.is_long { Lane::Long } else { Lane::Usual };
        self.read_as(principal, place, lane, wanted, read, answer)
    }

    /// Queues a read in the name of somebody, who must still be let in.
    fn read_as<T>(
        &self,
        principal: Arc<Principal>,
        place: Option<Place>,
        lane: Lane,
        wanted: Weak<()>,
        read: impl FnOnce(&ReadTx<'_>, &Ctx<'_>) -> Result<T, Fault> + Send + 'static,
        answer: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let (now, settings) = (self.clock.now(), self.settings.clone());
        self.read_while(lane, wanted, move |tx| {
            let run = |tx: &ReadTx<'_>| {
                let changed = identity::check(tx, &principal, now)?;
                let principal = changed.as_ref().unwrap_or(&principal);
                let ids = Ids::new(chance());
                read(tx, &Ctx { now, principal, ids, settings: &settings, origin: "", place })
            };
            answer(tx.and_then(run));
        })
    }

    /// Reads on for a session that fell behind what is in memory.
    ///
    /// # Errors
    /// When too much waits already.
    pub fn catch_up(
        self: &Arc<Self>,
        principal: Arc<Principal>,
        audience: Audience,
        after: Offset,
        wanted: Weak<()>,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let door = self.clone();
        self.read_while(self.lane_after(after), wanted, move |tx| {
            answer(tx.and_then(|tx| {
                door.with_sources(|sources| {
                    opening::catch_up(tx, &principal, &audience, after, sources)
                })
            }));
        })
    }

    /// Reads the snapshot of a subscription. A connection that does not listen to its service yet does
    /// so from then on; what it misses of others while it is suspended is told to it. With `kept`, its row
    /// remembers what it listens to before `answer` is called.
    ///
    /// # Errors
    /// When the request is wrong or too much waits already.
    pub fn subscribe(
        self: &Arc<Self>,
        call: SubscribeCall<'_>,
        principal: Arc<Principal>,
        audience: Audience,
        kept: Option<Kept>,
        wanted: Weak<()>,
        answer: impl FnOnce(Result<Opened, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let subscription =
            self.tables.subscriptions.get(call.name).ok_or_else(|| unknown(call.name))?;
        let Subscribe { keys, topics, snapshot } = (subscription.bind)(call.payload)?;
        let own = self.tables.streams_of(subscription.service);
        let audience = audience.subscribed(own, keys)?;
        let asked = Asked { audience, shown: own, snapshot };
        let (before, names, after) = (call.topics, topics, call.after);
        let lane = if asked.hears_more() { self.lane_after(after) } else { Lane::Usual };
        let service = subscription.service;
        let door = self.clone();
        self.read_while(lane, wanted, move |tx| {
            let opened = tx.and_then(|tx| {
                door.with_sources(|sources| {
                    opening::subscribe(tx, &principal, asked, after, sources)
                })
            });
            let keeps = opened.map(|opened| {
                let since = door.tables.since(names, &before, opened.opening.at);
                let mut topics = door.tables.besides(service, before);
                topics.extend(since);
                Opened { topics: Some(topics), ..opened }
            });
            door.keep(kept, keeps, answer);
        })
    }

    /// Runs a write of the server's own, outside the services' tables. If it takes too long it is tried again: nobody but
    /// the server waits for it, and on a busy machine a start must not fail for that.
    ///
    /// # Errors
    /// The store's.
    pub async fn maintain<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>, Micros) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<T, Fault> {
        let work = Arc::new(work);
        let mut tries = 0;
        loop {
            let (sender, answer) = oneshot::channel();
            let work = work.clone();
            self.write_own(move |tx, now| work(tx, now), move |result| drop(sender.send(result)));
            tries += 1;
            match answer.await.map_err(|_| overloaded())? {
                Err(fault) if fault.code == Code::Timeout && tries < OWN_TRIES => {}
                result => return result,
            }
        }
    }

    /// The same for who does not wait: `reply` is called after COMMIT, on the writer's thread, or at
    /// once if there is no room.
    fn write_own<T: Send + 'static>(
        &self,
        work: impl Fn(&mut Tx<'_>, Micros) -> Result<T, Fault> + Send + 'static,
        reply: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) {
        let now = self.clock.now();
        let write = own(now, move |tx: &mut Tx<'_>| work(tx, now).map(Outcome::reply), reply);
        let refused = self.store.write(write);
        if let Err(Write { to: ReplyTo::Function(committed), .. }) = refused {
            committed(Err(overloaded()));
        }
    }

    /// Queues a read that is passed over if nobody waits for it any more when its turn comes: a
    /// storm of clients that give up and come back must not wait behind their earlier selves.
    fn read_while(
        &self,
        lane: Lane,
        wanted: Weak<()>,
        job: impl FnOnce(Result<&ReadTx<'_>, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let job = move |tx: Result<&ReadTx<'_>, Fault>| {
            if wanted.strong_count() > 0 {
                job(tx);
            }
        };
        match lane {
            Lane::Usual => self.read(job),
            Lane::Replays => self.store.replay(Box::new(job)).map_err(|_| overloaded()),
            Lane::Long => self.store.read_long(Box::new(job)).map_err(|_| overloaded()),
        }
    }

    /// Where a session waits that reads on after this place.
    fn lane_after(&self, after: Offset) -> Lane {
        if self.recent.covers(after) { Lane::Usual } else { Lane::Replays }
    }

    /// Where a client with this cursor waits. What follows its place may leave memory before its turn;
    /// then the usual lane has a replay for once.
    fn lane_from(&self, cursor: &str) -> Lane {
        match cursor.parse::<Cursor>() {
            Ok(cursor)
                if cursor.epoch == self.store.epoch() && !self.recent.covers(cursor.offset) =>
            {
                Lane::Replays
            }
            _ => Lane::Usual,
        }
    }

    fn read(
        &self,
        job: impl FnOnce(Result<&ReadTx<'_>, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        self.store.read(Box::new(job)).map_err(|_| overloaded())
    }

    fn with_sources<T>(&self, f: impl FnOnce(&Sources<'_>) -> T) -> T {
        let started_ms = self.clock.elapsed_ms();
        let out_of_time = || self.clock.elapsed_ms() - started_ms > REPLAY_TIME_MAX_MS;
        f(&Sources {
            streams: &self.tables.streams,
            roots: &self.tables.roots,
            rooms: &self.tables.rooms,
            recent: &self.recent,
            speller: &self.speller,
            now: self.clock.now(),
            out_of_time: &out_of_time,
        })
    }
}

/// A write of the server's own: `reply` is called on the writer's thread, after COMMIT, with what `work` came to.
fn own<T: Send + 'static>(
    at: Micros,
    work: impl Fn(&mut Tx<'_>) -> Result<Outcome<T>, Fault> + Send + 'static,
    reply: impl FnOnce(Result<T, Fault>) + Send + 'static,
) -> Write<Answer, ReplyTo> {
    // `run` may run twice and the last run counts; its value is handed out after COMMIT.
    let done = Arc::new(Mutex::new(None));
    let result = done.clone();
    let run = move |tx: &mut Tx<'_>| {
        let nothing = ().answer()?;
        let outcome = work(tx)?;
        Ok(outcome.map(|value| {
            *result.lock().expect("nobody panics under this lock") = Some(value);
            nothing
        }))
    };
    let committed = move |answer: Result<Answer, Fault>| {
        reply(answer.map(|_| {
            let value = done.lock().expect("nobody panics under this lock").take();
            value.expect("it was committed, so it ran")
        }));
    };
    Write { at, run: Box::new(run), to: ReplyTo::Function(Box::new(committed)) }
}

/// Where a read waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// Among the queries and the sessions that open, which take microseconds.
    Usual,
    /// Among those that read the log from disk, up to a second each.
    Replays,
    /// Among the queries that look at much.
    Long,
}

pub(crate) fn unknown(name: &str) -> Fault {
    Fault::new(Code::Invalid, format!("unknown operation {name:?}"))
}

fn asked_over_http(name: &str) -> Fault {
    Fault::new(Code::Invalid, format!("{name:?} is asked over HTTP"))
}

/// What is said when too much waits already.
pub fn overloaded() -> Fault {
    Fault::new(Code::Overloaded, "overloaded: try again later")
}
