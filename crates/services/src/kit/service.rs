//! A service is a value: the table of what it offers.

use std::collections::HashSet;

use bellwire_store::{migrate::Migrations, tx::Statement};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use super::{
    Answer, Code, Ctx, Fault, Outcome, Payload, Principal, ReadTx, Reply, Role, Rooms, Route, Said,
    Settings, Spelling, Stream, Topic, Tx, due, parse,
};

/// Decides, and may run more than once.
pub type Decision = Box<dyn Fn(&mut Tx<'_>, &Ctx<'_>) -> Result<Outcome<Answer>, Fault> + Send>;
/// Reads what a command's slow work needs.
pub type Look = Box<dyn FnOnce(&ReadTx<'_>, &Ctx<'_>) -> Result<Work, Fault> + Send>;
/// Slow work that needs nothing but what it was given, such as hashing a password.
pub type Work = Box<dyn FnOnce() -> Result<Decision, Fault> + Send>;
/// A query whose request was read.
pub type BoundQuery = Box<dyn FnOnce(&ReadTx<'_>, &Ctx<'_>) -> Result<Answer, Fault> + Send>;

/// A command whose request was read.
pub enum BoundCommand {
    /// It can be decided.
    Decide(Decision),
    /// It needs slow work first.
    Prepare(Look),
}

/// The code behind a command that replies with `R`.
type Decide<C, R> = fn(&mut Tx<'_>, &Ctx<'_>, &C) -> Result<Outcome<R>, Fault>;

type Bind<B> = Box<dyn Fn(Payload) -> Result<B, Fault> + Send + Sync>;

/// A command with slow, stateless work before its transaction.
pub struct Prepared<C, M, P, R> {
    /// Reads what the work needs.
    pub look: fn(&ReadTx<'_>, &Ctx<'_>, &C) -> Result<M, Fault>,
    /// Does it, outside of any transaction.
    pub work: fn(&C, M) -> Result<P, Fault>,
    /// Decides, given what came of it.
    pub decide: DecidePrepared<C, P, R>,
}

/// The code behind a command that was prepared.
type DecidePrepared<C, P, R> = fn(&mut Tx<'_>, &Ctx<'_>, &C, &P) -> Result<Outcome<R>, Fault>;

/// Who may call something, before its own rules are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without any credential: to get one.
    Anyone,
    /// Anyone: a credential is optional. One that is shown must be good, and its holder is the caller.
    Visitor,
    /// Whoever the server lets in: holders of tokens, and guests where there are any.
    Caller,
    /// Holders of tokens.
    Bearer,
    /// Holders of tokens, who do something with that very token: a key of retries is the token's, not its user's.
    Credential,
    /// Admins, and the operator.
    Admin,
    /// The server itself and its operator.
    Operator,
}

impl Access {
    /// Whether callers without a credential may be let through.
    pub fn admits_guests(self) -> bool {
        matches!(self, Access::Anyone | Access::Visitor | Access::Caller)
    }

    /// Whether this caller is let through.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] if a credential could help, [`Code::Forbidden`] if another is needed.
    pub fn check(self, principal: &Principal) -> Result<(), Fault> {
        let role = principal.role;
        let admitted = match self {
            Access::Anyone | Access::Visitor => true,
            Access::Caller => role != Role::Pairing,
            Access::Bearer | Access::Credential => !matches!(role, Role::Guest | Role::Pairing),
            Access::Admin => matches!(role, Role::Admin | Role::System),
            Access::Operator => role == Role::System,
        };
        match role {
            _ if admitted => Ok(()),
            Role::Guest | Role::Pairing => {
                Err(Fault::new(Code::Unauthenticated, "authentication required"))
            }
            _ => Err(Fault::new(Code::Forbidden, "Forbidden")),
        }
    }
}

/// Something that changes the world when asked.
pub struct Command {
    /// Its documented name, in every dialect.
    pub name: &'static str,
    /// The service that offers it.
    pub service: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Reads a request.
    pub bind: Bind<BoundCommand>,
    /// What it costs its caller, if that is limited.
    pub meter: Option<Meter>,
    /// Whether it may move the session of its caller: see [`Service::moving`].
    pub moves: bool,
}

/// What a command costs its caller, who may spend so much a second. All metered commands of a service
/// are paid from the same purse.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    /// What is counted, e.g. `readings`.
    pub what: &'static str,
    /// How many of that a request has, by its fields as they came: nothing is known of them yet. A request counts
    /// for one at the least.
    pub weigh: fn(&Payload) -> u32,
    /// How many a caller may send in a second, and twice that at once.
    pub per_second: fn(&Settings) -> u32,
}

/// Something that answers and changes nothing.
pub struct Query {
    /// Its documented name, in every dialect.
    pub name: &'static str,
    /// The service that offers it.
    pub service: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Reads a request.
    pub bind: Bind<BoundQuery>,
    /// Whether it may look at much: others do not wait for it.
    pub is_long: bool,
}

/// The name under which an event is declared: one whose name ends in a number is declared without it, e.g.
/// `privateRatingNotify-` for `privateRatingNotify-2`.
pub fn declared(event: &str) -> &str {
    let stem = event.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.ends_with('-') { stem } else { event }
}

/// Describes the JSON of a payload, whose type brings it along.
pub type PayloadSchema = fn(&mut SchemaGenerator) -> Schema;

/// How an event is told.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// Its name.
    pub name: &'static str,
    /// What its payload is.
    pub payload: PayloadSchema,
    /// What it means; `None`: what its payload's type says.
    pub means: Option<&'static str>,
    /// Its plain spelling.
    pub spelling: Spelling,
    /// Whether a client that acknowledges events acknowledges this one.
    pub asks: bool,
    /// The namespace of Socket.IO where it is told, beside `/`.
    pub namespace: &'static str,
    /// The key of its payload that says to each receiver who they are, if there is one.
    pub own: Option<&'static str>,
}

impl Told {
    /// An event of this name, with payloads of type `T`.
    pub fn new<T: JsonSchema>(name: &'static str, spelling: Spelling) -> Told {
        let payload = SchemaGenerator::subschema_for::<T>;
        Told { name, payload, means: None, spelling, asks: false, namespace: "/", own: None }
    }
}

/// Something that a client may be told beside events and replies: a greeting, a snapshot, a refusal, last words.
#[derive(Debug, Clone, Copy)]
pub struct Spoken {
    /// Its name. In the plain form its payload is always spread.
    pub name: &'static str,
    /// What its payload is.
    pub payload: PayloadSchema,
    /// Whether it may answer a request, whose `id` it has then.
    pub answers: bool,
    /// Whether connections to other services are told it too.
    pub everywhere: bool,
}

/// What the name of a topic means to a client that asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// All that the principal may hear of the service.
    All,
    /// Of that only events with this key.
    Key(String),
    /// Of the service only this topic, if the principal may hear the service at all. Beside [`Named::All`] it is
    /// heard too, where that does not contain it.
    Part(Topic),
}

/// What the names of a service's topics mean; `None` for names that are not its own.
pub type Names = fn(&str) -> Option<Named>;

/// A namespace of Socket.IO that is a service's own. On `/` all services can be called.
#[derive(Debug, Clone, Copy)]
pub struct Namespace {
    /// The service.
    pub service: &'static str,
    /// Its path, e.g. `/states`.
    pub path: &'static str,
    /// The name of the topic that is heard there unasked; and on `/` from the connection's first call to
    /// the service on.
    pub topic: &'static str,
    /// Who hears it on `/` from the start.
    pub unasked: fn(&Principal) -> bool,
}

/// What a subscription asks for.
pub struct Subscribe {
    /// From now on only events with these keys; `None`: all that the principal may hear.
    pub keys: Option<HashSet<String>>,
    /// The same as names of topics, for a connection that may be recovered: in order, each once.
    pub topics: Vec<String>,
    /// Reads the snapshot that answers it, in the same transaction that decides where the live
    /// events go on.
    pub snapshot: Snapshot,
}

/// Reads a snapshot for a principal.
pub type Snapshot = Box<dyn FnOnce(&ReadTx<'_>, &Principal) -> Result<Said, Fault> + Send>;

/// A message that changes what a live connection hears.
#[derive(Clone, Copy)]
pub struct Subscription {
    /// Its name.
    pub name: &'static str,
    /// The service that offers it.
    pub service: &'static str,
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
    pub statements: Vec<Statement>,
    /// Its commands.
    pub commands: Vec<Command>,
    /// Its queries.
    pub queries: Vec<Query>,
    /// Its streams.
    pub streams: Vec<Stream>,
    /// Where it is found over Socket.IO; `None`: nowhere.
    pub namespace: Option<Namespace>,
    /// What its streams' connections may subscribe to.
    pub subscriptions: Vec<Subscription>,
    /// Which names clients may use for what is heard of it, if there are some.
    pub names: Option<Names>,
    /// Its events.
    pub events: Vec<Told>,
    /// What it says beside them.
    pub says: Vec<Spoken>,
    /// What the topics begin with, before a `/` if there is one, that are heard on its streams.
    pub topics: &'static [&'static str],
    /// Where its commands and queries are found over HTTP.
    pub routes: Vec<Route>,
    /// Finer names of refusals of a request for one of its fields, which were made before the service saw it.
    pub field_names: &'static [(&'static str, &'static str)],
    /// What must happen at a time.
    pub due: Vec<due::Due>,
    /// What its rooms are, if it has some.
    pub rooms: Option<Rooms>,
    /// Its calls whose argument is no object.
    pub bare: &'static [&'static str],
    /// Whether pages of any origin may be its guests: see [`Service::public`].
    pub public: bool,
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
            statements: statements.to_vec(),
            commands: Vec::new(),
            queries: Vec::new(),
            streams: Vec::new(),
            namespace: None,
            subscriptions: Vec::new(),
            names: None,
            events: Vec::new(),
            says: Vec::new(),
            topics: &[],
            routes: Vec::new(),
            field_names: &[],
            due: Vec::new(),
            rooms: None,
            bare: &[],
            public: false,
        }
    }

    /// Adds statements of another of its modules.
    pub fn statements(mut self, statements: &[Statement]) -> Self {
        self.statements.extend(statements);
        self
    }

    /// Adds a command.
    pub fn command<C, R>(mut self, name: &'static str, access: Access, decide: Decide<C, R>) -> Self
    where
        C: DeserializeOwned + Send + 'static,
        R: Reply + 'static,
    {
        let bind = move |payload: Payload| -> Result<BoundCommand, Fault> {
            let command: C = parse(payload)?;
            Ok(BoundCommand::Decide(Box::new(move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
                answered(decide(tx, ctx, &command)?)
            })))
        };
        self.add_command(name, access, Box::new(bind));
        self
    }

    /// Adds a command with slow work.
    pub fn prepared_command<C, M, P, R>(
        mut self,
        name: &'static str,
        access: Access,
        prepared: Prepared<C, M, P, R>,
    ) -> Self
    where
        C: DeserializeOwned + Send + 'static,
        M: Send + 'static,
        P: Send + 'static,
        R: Reply + 'static,
    {
        let Prepared { look, work, decide } = prepared;
        let bind = move |payload: Payload| -> Result<BoundCommand, Fault> {
            let command: C = parse(payload)?;
            Ok(BoundCommand::Prepare(Box::new(move |tx: &ReadTx<'_>, ctx: &Ctx<'_>| {
                let material = look(tx, ctx, &command)?;
                Ok(Box::new(move || {
                    let prepared = work(&command, material)?;
                    Ok(Box::new(move |tx: &mut Tx<'_>, ctx: &Ctx<'_>| {
                        answered(decide(tx, ctx, &command, &prepared)?)
                    }) as Decision)
                }) as Work)
            })))
        };
        self.add_command(name, access, Box::new(bind));
        self
    }

    fn add_command(&mut self, name: &'static str, access: Access, bind: Bind<BoundCommand>) {
        self.commands.push(Command {
            name,
            service: self.name,
            access,
            bind,
            meter: None,
            moves: false,
        });
    }

    /// Says what a command of this name, which is there already, costs its caller.
    ///
    /// # Panics
    /// If there is no such command.
    pub fn metered(mut self, name: &'static str, meter: Meter) -> Self {
        let command = self.commands.iter_mut().find(|command| command.name == name);
        command.unwrap_or_else(|| panic!("{name} is no command")).meter = Some(meter);
        self
    }

    /// Says that the command of this name, which is there already, may move the session of its caller
    /// ([`Aside`](super::Aside)). So it runs alone, as queries do, and a retry does it again whatever its idempotency
    /// key: twice has to come to the same.
    ///
    /// # Panics
    /// If there is no such command.
    pub fn moving(mut self, name: &'static str) -> Self {
        let command = self.commands.iter_mut().find(|command| command.name == name);
        command.unwrap_or_else(|| panic!("{name} is no command")).moves = true;
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
        R: Reply + 'static,
    {
        let bind = move |payload: Payload| -> Result<BoundQuery, Fault> {
            let query: Q = parse(payload)?;
            Ok(Box::new(move |tx: &ReadTx<'_>, ctx: &Ctx<'_>| read(tx, ctx, &query)?.answer()))
        };
        let (service, bind) = (self.name, Box::new(bind));
        self.queries.push(Query { name, service, access, bind, is_long: false });
        self
    }

    /// Says that a query of this name, which is there already, may look at much.
    ///
    /// # Panics
    /// If there is no such query.
    pub fn long(mut self, name: &'static str) -> Self {
        let query = self.queries.iter_mut().find(|query| query.name == name);
        query.unwrap_or_else(|| panic!("{name} is no query")).is_long = true;
        self
    }

    /// Says where a command or query of this service is found over HTTP.
    pub fn rest(mut self, call: &'static str, route: Route) -> Self {
        self.routes.push(Route { call, ..route });
        self
    }

    /// Says what runs when a row of this kind is due; rows are armed with [`due::arm`]. It runs in the name of the
    /// server ([`Principal::system`]), once per row, and perhaps late. What it refuses is logged and tried again later.
    pub fn due(mut self, kind: &'static str, decide: due::Decide) -> Self {
        self.due.push(due::Due { kind, decide });
        self
    }

    /// Gives finer names to the refusal of a field whose number cannot be held, such as `1e400`.
    pub fn field_names(mut self, names: &'static [(&'static str, &'static str)]) -> Self {
        self.field_names = names;
        self
    }

    /// Declares an event, the type of its payload, and its plain spelling. The types are the contract with clients
    /// (`contract` in the server): after a change `cargo xtask contract` writes it anew.
    pub fn event<T: JsonSchema>(mut self, name: &'static str, spelling: Spelling) -> Self {
        self.events.push(Told::new::<T>(name, spelling));
        self
    }

    /// The same of an event that asks for an acknowledgement where a client wants to give one.
    pub fn critical_event<T: JsonSchema>(mut self, name: &'static str, spelling: Spelling) -> Self {
        self.events.push(Told { asks: true, ..Told::new::<T>(name, spelling) });
        self
    }

    /// Says what the event just declared means to who is told it, where its payload's type does not say that.
    pub fn means(mut self, words: &'static str) -> Self {
        let told = self.events.last_mut().expect("an event was declared before more is said of it");
        told.means = Some(words);
        self
    }

    /// Declares something that clients are told unasked, beside events, and the type of its payload.
    pub fn says<T: JsonSchema>(self, name: &'static str) -> Self {
        self.speak::<T>(name, false, false)
    }

    /// The same of what is told on all of a client's connections, whatever they listen to.
    pub fn says_everywhere<T: JsonSchema>(self, name: &'static str) -> Self {
        self.speak::<T>(name, false, true)
    }

    /// Declares a refusal or a snapshot, which may answer a request, and the type of its payload.
    pub fn answers<T: JsonSchema>(self, name: &'static str) -> Self {
        self.speak::<T>(name, true, false)
    }

    fn speak<T: JsonSchema>(mut self, name: &'static str, answers: bool, everywhere: bool) -> Self {
        let payload = SchemaGenerator::subschema_for::<T>;
        self.says.push(Spoken { name, payload, answers, everywhere });
        self
    }

    /// Says that the payload of this event, which is declared already, has this key once, at its top, with an empty text
    /// for its value: in its place each receiver is told the number of the user whose connection it is. A payload
    /// without it is told as it is, and so is an event that passes.
    ///
    /// # Panics
    /// If there is no such event.
    pub fn own(mut self, event: &'static str, key: &'static str) -> Self {
        let told = self.events.iter_mut().find(|told| told.name == event);
        told.unwrap_or_else(|| panic!("{event} is no event")).own = Some(key);
        self
    }

    /// Says what its rooms are.
    pub fn rooms(mut self, rooms: Rooms) -> Self {
        self.rooms = Some(rooms);
        self
    }

    /// Says that what guests see of it is for everybody: where it is open, a page of any origin may be a guest. Guests of
    /// such a service change nothing: its commands are for bearers.
    pub fn public(mut self) -> Self {
        self.public = true;
        self
    }

    /// Says of which calls the argument is no object over Socket.IO. In both dialects it is their field `data`.
    pub fn bare(mut self, calls: &'static [&'static str]) -> Self {
        self.bare = calls;
        self
    }

    /// Its events, with the namespace where they are told.
    pub fn told(&self) -> impl Iterator<Item = Told> {
        let namespace = self.namespace.map_or("/", |namespace| namespace.path);
        self.events.iter().map(move |told| Told { namespace, ..*told })
    }

    /// Says what the topics begin with that are heard on its streams.
    pub fn topics(mut self, topics: &'static [&'static str]) -> Self {
        self.topics = topics;
        self
    }

    /// Serves it over Socket.IO: in the namespace of this path, where the topic of that name is heard, and
    /// on `/`, where it is heard unasked by whom `unasked` says.
    pub fn namespace(
        mut self,
        path: &'static str,
        topic: &'static str,
        unasked: fn(&Principal) -> bool,
    ) -> Self {
        self.namespace = Some(Namespace { service: self.name, path, topic, unasked });
        self
    }

    /// Adds a message that changes what a connection hears.
    pub fn subscription(
        mut self,
        name: &'static str,
        bind: fn(Payload) -> Result<Subscribe, Fault>,
    ) -> Self {
        self.subscriptions.push(Subscription { name, service: self.name, bind });
        self
    }

    /// Says which names of topics are this service's, and what they mean. Rights are those of its
    /// streams: a name asks, it allows nothing.
    pub fn names(mut self, named: Names) -> Self {
        self.names = Some(named);
        self
    }
}

fn answered<R: Reply>(outcome: Outcome<R>) -> Result<Outcome<Answer>, Fault> {
    let answer = outcome.reply.answer()?;
    Ok(outcome.map(|_| answer))
}
