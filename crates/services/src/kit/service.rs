//! A service is a value: the table of what it offers.

use std::collections::HashSet;

use bellwire_store::{migrate::Migrations, tx::Statement};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Answer, Ctx, Dialect, Fault, Outcome, Payload, Principal, ReadTx, Signed, Spelling, Topic, Tx,
    parse,
};

/// A command whose request was read: running it decides. It may run more than once.
pub type BoundCommand = Box<dyn Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<Answer>, Fault> + Send>;
/// A query whose request was read.
pub type BoundQuery = Box<dyn FnOnce(&ReadTx<'_>, &Ctx<'_>) -> Result<Answer, Fault> + Send>;

/// The code behind a command that replies with `R`.
type Decide<C, R> = fn(&mut Tx<'_>, &Ctx<'_>, &C) -> Result<Outcome<R>, Fault>;

type Bind<B> = Box<dyn Fn(Payload) -> Result<B, Fault> + Send + Sync>;

/// Who may call something, before its own rules are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone with a connection to the service's stream.
    Socket,
    /// The server itself and its operator.
    Operator,
}

/// Something that changes the world when asked.
pub struct Command {
    /// Its documented name, in every dialect.
    pub name: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Reads a request.
    pub bind: Bind<BoundCommand>,
}

/// Something that answers and changes nothing.
pub struct Query {
    /// Its documented name, in every dialect.
    pub name: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Reads a request.
    pub bind: Bind<BoundQuery>,
}

/// A live endpoint: where events of the service are heard.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    /// Its path, e.g. `/api/ws`; a trailing slash is optional.
    pub path: &'static str,
    /// How it spells things.
    pub dialect: Dialect,
    /// What a principal hears there without asking for more.
    pub topics: fn(&Principal) -> Vec<Topic>,
}

/// What a subscription asks for.
pub struct Subscribe {
    /// From now on only events with these keys; `None`: all that the principal may hear.
    pub keys: Option<HashSet<String>>,
    /// Reads the snapshot that answers it, in the same transaction that decides where the live
    /// events go on: frame text.
    pub snapshot: Snapshot,
}

/// Reads a snapshot for a principal; the frame ends with what is to be added.
pub type Snapshot =
    Box<dyn FnOnce(&ReadTx<'_>, &Principal, Tail<'_>) -> Result<String, Fault> + Send>;

/// What a snapshot's frame holds besides the snapshot.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tail<'a> {
    /// The cursor of its place, if the connection has one.
    pub cursor: Option<&'a str>,
    /// The request's `id` as JSON text, if it had one.
    pub id: Option<&'a str>,
}

/// A message that changes what a live connection hears.
#[derive(Clone, Copy)]
pub struct Subscription {
    /// Its name.
    pub name: &'static str,
    /// Reads a request.
    pub bind: fn(Payload) -> Result<Subscribe, Fault>,
}

/// What a service offers.
pub struct Service {
    /// Its name; migrations are counted under it.
    pub name: &'static str,
    /// Its tables.
    pub migrations: Migrations,
    /// Its SQL, for the test that prepares each statement on both databases.
    pub statements: &'static [Statement],
    /// Its commands.
    pub commands: Vec<Command>,
    /// Its queries.
    pub queries: Vec<Query>,
    /// Its streams.
    pub streams: Vec<Stream>,
    /// What its streams' connections may subscribe to.
    pub subscriptions: Vec<Subscription>,
    /// Its events and their plain spelling.
    pub events: Vec<(&'static str, Spelling)>,
}

impl Service {
    /// A service that offers nothing yet.
    pub fn new(
        name: &'static str,
        steps: &'static [&'static str],
        statements: &'static [Statement],
    ) -> Self {
        Service {
            name,
            migrations: Migrations { service: name, steps },
            statements,
            commands: Vec::new(),
            queries: Vec::new(),
            streams: Vec::new(),
            subscriptions: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Adds a command.
    pub fn command<C, R>(self, name: &'static str, access: Access, decide: Decide<C, R>) -> Self
    where
        C: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
    {
        self.answering(name, access, move |tx, ctx, command: &C| {
            let outcome = decide(tx, ctx, command)?;
            let answer = Answer::of(&outcome.reply, None)?;
            Ok(outcome.map(|_| answer))
        })
    }

    /// Adds a command whose reply holds a token to sign.
    pub fn signing_command<C, R>(
        self,
        name: &'static str,
        access: Access,
        decide: Decide<C, Signed<R>>,
    ) -> Self
    where
        C: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
    {
        self.answering(name, access, move |tx, ctx, command: &C| {
            let outcome = decide(tx, ctx, command)?;
            let answer = Answer::of(&outcome.reply.reply, Some(outcome.reply.claims.clone()))?;
            Ok(outcome.map(|_| answer))
        })
    }

    fn answering<C>(
        mut self,
        name: &'static str,
        access: Access,
        decide: impl Fn(&mut Tx<'_>, &Ctx<'_>, &C) -> Result<Outcome<Answer>, Fault>
        + Copy
        + Send
        + Sync
        + 'static,
    ) -> Self
    where
        C: DeserializeOwned + Send + 'static,
    {
        let bind = move |payload: Payload| -> Result<BoundCommand, Fault> {
            let command: C = parse(payload)?;
            Ok(Box::new(move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| decide(tx, ctx, &command)))
        };
        self.commands.push(Command { name, access, bind: Box::new(bind) });
        self
    }

    /// Adds a query.
    pub fn query<Q, R>(
        mut self,
        name: &'static str,
        access: Access,
        read: fn(&ReadTx<'_>, &Ctx<'_>, &Q) -> Result<R, Fault>,
    ) -> Self
    where
        Q: DeserializeOwned + Send + 'static,
        R: Serialize + 'static,
    {
        let bind = move |payload: Payload| -> Result<BoundQuery, Fault> {
            let query: Q = parse(payload)?;
            Ok(Box::new(move |tx: &ReadTx<'_>, ctx: &Ctx<'_>| {
                Answer::of(&read(tx, ctx, &query)?, None)
            }))
        };
        self.queries.push(Query { name, access, bind: Box::new(bind) });
        self
    }

    /// Declares an event and its plain spelling.
    pub fn event(mut self, name: &'static str, spelling: Spelling) -> Self {
        self.events.push((name, spelling));
        self
    }

    /// Adds a live endpoint.
    pub fn stream(
        mut self,
        path: &'static str,
        dialect: Dialect,
        topics: fn(&Principal) -> Vec<Topic>,
    ) -> Self {
        self.streams.push(Stream { path, dialect, topics });
        self
    }

    /// Adds a message that changes what a connection hears.
    pub fn subscription(
        mut self,
        name: &'static str,
        bind: fn(Payload) -> Result<Subscribe, Fault>,
    ) -> Self {
        self.subscriptions.push(Subscription { name, bind });
        self
    }
}
