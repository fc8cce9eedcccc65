//! One server without threads: the production store, sequencer, hubs and openings. Dropping it is
//! a crash.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use bellwire_services::{
    identity,
    kit::{
        Answer, BoundCommand, Command, Ctx, Decision, Fault, Ids, Micros, Payload, Principal,
        Reply as _, Service, Settings, Stream, Told,
    },
};
use bellwire_store::{
    batch::{Batch, Write},
    change::Outcome,
    log::{Keep, prune},
    migrate::Migrations,
    sqlite::{Options, Reader, Writer},
};

use super::{
    notes,
    shard::{Reading, Setup, Shard},
};
use crate::{
    audience::{Audience, Filter, Filtered, Roots, Streams},
    clock::Clock,
    hub::{
        SessionId,
        recent::{Recent, Speller},
    },
    metrics::Metrics,
    opening::{self, Asked, Opened, Sources},
    sequencer::{ReplyTo, Sequencer},
};

/// What a seed sets once.
#[derive(Debug, Clone)]
pub struct Knobs {
    pub shards: u16,
    /// Rows that are kept in memory.
    pub recent_rows: usize,
    pub outbox_len_max: usize,
    /// Bytes that a payload is padded with, at most.
    pub padding: usize,
    /// How many of 64 writes change rights.
    pub churn: usize,
    /// Whether clients read at once what a hub was told.
    pub eager: bool,
    /// Rows of one large burst, more than a block of the log, if there is one.
    pub burst: u64,
    /// How late hubs are told, against others.
    pub lag: usize,
    /// What clients make room for, in bytes, when they read.
    pub rooms: [usize; 6],
}

/// The tables of the services.
pub struct Tables {
    commands: BTreeMap<&'static str, Command>,
    subscription: bellwire_services::kit::Subscription,
    pub stream: Stream,
    events: Vec<Told>,
    migrations: Vec<Migrations>,
}

impl Default for Tables {
    /// Those of the product, and the simulation's own.
    fn default() -> Tables {
        let services: Vec<Service> =
            bellwire_services::all().into_iter().chain([notes::service()]).collect();
        let mut streams = services.iter().flat_map(|service| &service.streams);
        let mut subscriptions = services.iter().flat_map(|service| &service.subscriptions);
        Tables {
            stream: *streams.next().expect("the states have a stream"),
            subscription: *subscriptions.next().expect("the states have a subscription"),
            events: services.iter().flat_map(|service| service.told()).collect(),
            migrations: services.iter().map(|service| service.migrations).collect(),
            commands: services
                .into_iter()
                .flat_map(|service| service.commands)
                .map(|command| (command.name, command))
                .collect(),
        }
    }
}

impl Tables {
    /// The schema of all of them.
    pub fn migrations(&self) -> &[Migrations] {
        &self.migrations
    }

    /// Reads a call, as the door does, and gives what decides it.
    pub fn bind(&self, name: &str, payload: Payload) -> Result<Decision, String> {
        let command = self.commands.get(name).ok_or_else(|| format!("there is no {name}"))?;
        match (command.bind)(payload).map_err(|fault| format!("{name}: {fault}"))? {
            BoundCommand::Decide(decision) => Ok(decision),
            BoundCommand::Prepare(_) => Err(format!("{name} is slow")),
        }
    }
}

/// A read that is under way.
pub enum Read {
    /// It has not begun.
    Queued(Reading),
    /// It is done, and on its way back.
    Done(Box<Result<Opened, Fault>>),
}

/// A server.
pub struct Node {
    pub writer: Writer,
    pub reader: Reader,
    recent: Arc<Recent>,
    speller: Arc<Speller>,
    sequencer: Sequencer,
    pub shards: Vec<Shard>,
    /// Writes that wait for the writer.
    pub queue: Vec<Write<Answer, ReplyTo>>,
    /// What was committed and not published yet.
    pub committed: Option<Batch<Answer, ReplyTo>>,
    /// Reads, by shard and session.
    pub reads: BTreeMap<(u16, SessionId), Read>,
}

impl Node {
    /// Opens the database and starts with empty hubs.
    pub fn open(path: &Path, tables: &Tables, knobs: &Knobs, now: Micros) -> Result<Node, String> {
        let mut options = Options::new(path, "simulation", now);
        // Limits of real time: a run must not depend on the machine.
        options.command_time_max = Duration::from_secs(600);
        options.read_time_max = Duration::from_secs(600);
        options.writer_cache_kib = 1_024;
        options.reader_cache_kib = 1_024;
        let failed = |error| format!("the database does not open: {error}");
        let writer = Writer::open(&options, &tables.migrations).map_err(failed)?;
        let reader = Reader::open(&options).map_err(failed)?;
        let recent = Arc::new(Recent::new(writer.log_stats().head, knobs.recent_rows, 8 << 20));
        let speller = Arc::new(Speller::new(writer.epoch(), tables.events.iter().copied()));
        let setup = Setup {
            recent: recent.clone(),
            speller: speller.clone(),
            outbox_len_max: knobs.outbox_len_max,
            stream: tables.stream,
        };
        let shards: Vec<Shard> = (0..knobs.shards).map(|n| Shard::new(n, &setup)).collect();
        let feeds = shards.iter().map(|shard| shard.feed.clone()).collect();
        let clock = Arc::new(Clock::new());
        let sequencer = Sequencer::new(recent.clone(), feeds, clock, Arc::new(Metrics::new()));
        Ok(Node {
            writer,
            reader,
            recent,
            speller,
            sequencer,
            shards,
            queue: Vec::new(),
            committed: None,
            reads: BTreeMap::new(),
        })
    }

    /// Queues calls that make one decision, as the door does.
    pub fn write(
        &mut self,
        tables: &Tables,
        calls: Vec<(&str, Payload)>,
        principal: Arc<Principal>,
        (now, seed): (Micros, [u8; 32]),
        to: ReplyTo,
    ) -> Result<(), String> {
        let bound: Result<Vec<Decision>, String> =
            calls.into_iter().map(|(name, payload)| tables.bind(name, payload)).collect();
        let bound = bound?;
        let run = move |tx: &mut bellwire_services::kit::Tx<'_>| {
            let changed = identity::check(tx, &principal, now)?;
            let principal = changed.as_ref().unwrap_or(&principal);
            let settings = Settings::default();
            let ids = Ids::new(seed);
            let ctx = Ctx { now, principal, ids, settings: &settings, origin: "", place: None };
            let mut all = Outcome::reply(serde_json::json!({}).answer()?);
            for decide in &bound {
                let one = decide(tx, &ctx)?;
                all.reply = one.reply;
                all.events.extend(one.events);
                all.effects.extend(one.effects);
            }
            Ok(all)
        };
        self.queue.push(Write { at: now, run: Box::new(run), to });
        Ok(())
    }

    /// Commits the oldest writes of the queue.
    pub fn commit(&mut self, count: usize) -> Result<(), String> {
        let writes = self.queue.drain(..count.min(self.queue.len())).collect();
        let batch = self.writer.batch(writes).map_err(|fatal| fatal.to_string())?;
        if let Some(incident) = batch.incidents.first() {
            return Err(format!("a command failed: {}", incident.cause));
        }
        self.committed = Some(batch);
        Ok(())
    }

    /// Lets go of all but the newest rows of the log.
    pub fn prune(&mut self, now: Micros, events: u64, to: ReplyTo) -> Result<(), String> {
        let keep = Keep { time: 0, events, bytes_max: u64::MAX };
        let run = move |tx: &mut bellwire_services::kit::Tx<'_>| {
            prune(tx, now, &keep)?;
            Ok(Outcome::reply(().answer()?))
        };
        let batch = self.writer.batch(vec![Write { at: now, run: Box::new(run), to }]);
        batch.map(drop).map_err(|fatal| fatal.to_string())
    }

    /// Gives what was committed to the sequencer.
    pub fn publish(&mut self) {
        if let Some(batch) = self.committed.take() {
            self.sequencer.publish(batch);
            self.shards.iter_mut().for_each(Shard::collect);
        }
    }

    /// Takes in the reads that the shards want.
    pub fn collect_reads(&mut self) {
        for shard in &mut self.shards {
            let wanted = shard.wanted.drain(..);
            let number = shard.number;
            self.reads.extend(wanted.map(|(id, r)| ((number, id), Read::Queued(r))));
        }
        let shards = &self.shards;
        self.reads.retain(|(shard, id), _| shards[*shard as usize].conns.contains_key(id));
    }

    /// Runs the read transaction of a session: it sees the database as it is now.
    pub fn run_read(
        &mut self,
        tables: &Tables,
        (shard, id): (u16, SessionId),
        now: Micros,
        out_of_time: bool,
    ) -> Result<(), String> {
        let Some(Read::Queued(reading)) = self.reads.get(&(shard, id)) else { return Ok(()) };
        let Some(conn) = self.shards[shard as usize].conns.get(&id) else { return Ok(()) };
        let audience = || Audience { filter: conn.filter.clone(), ..Audience::of(0) };
        let sources = Sources {
            streams: std::slice::from_ref(&tables.stream),
            rooms: &[],
            roots: &Roots::default(),
            recent: &self.recent,
            speller: &self.speller,
            now,
            out_of_time: &|| out_of_time,
        };
        let result = self.reader.read(|tx| match (reading, &conn.principal) {
            (Reading::Connect { credential, since }, _) => {
                let caller = opening::caller(tx, credential, now)?;
                opening::connect(tx, caller.principal, &Audience::of(0), since, &sources)
            }
            (Reading::CatchUp { after }, Some(principal)) => {
                opening::catch_up(tx, principal, &audience(), *after, &sources)
            }
            (Reading::Subscribe { payload, .. }, Some(principal)) => {
                let subscribe = (tables.subscription.bind)(payload.clone())?;
                let streams = Streams::ALL;
                let filter = |keys| Arc::new(Filter::by_keys(streams, keys));
                let filter: Filtered = subscribe.keys.map(filter);
                let audience = Audience { filter, ..Audience::of(0) };
                let asked = Asked { audience, shown: streams, snapshot: subscribe.snapshot };
                let after = self.shards[shard as usize].hub.told_upto(id);
                opening::subscribe(tx, principal, asked, after, &sources)
            }
            _ => panic!("only a session with a principal subscribes or catches up"),
        });
        let result = result.map_err(|fault| format!("a read does not begin: {fault}"))?;
        self.reads.insert((shard, id), Read::Done(Box::new(result)));
        Ok(())
    }
}
