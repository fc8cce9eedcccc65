//! What all services offer, by name.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bellwire_services::kit::{
    Access, Code, Command, Fault, Names, Query, Rooms, Route, Service, Stream, Subscription,
    due::Decide,
};

use super::spaces::Space;
use crate::audience::{Roots, Streams};

/// What a name in a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It changes something.
    Command,
    /// The same, and it may move its session: it runs alone.
    Move,
    /// It answers.
    Query,
    /// It changes what the connection hears, and answers with a snapshot.
    Subscription,
    /// It changes which topics a session of Socket.IO hears.
    Topics,
}

/// What all services offer, by name.
pub struct Tables {
    pub(super) commands: HashMap<&'static str, Command>,
    pub(super) queries: HashMap<&'static str, Query>,
    pub(super) subscriptions: HashMap<&'static str, Subscription>,
    /// The services whose topics have names, and what these mean.
    pub(super) names: Vec<(&'static str, Names)>,
    /// The services of events.
    pub(super) events: HashMap<&'static str, &'static str>,
    /// The services that have events to be acknowledged.
    pub(super) critical: Vec<&'static str>,
    /// What runs when rows of these kinds are due.
    pub(super) due: BTreeMap<&'static str, Decide>,
    /// On which streams topics are heard.
    pub roots: Arc<Roots>,
    /// What rooms are, by what their names begin with.
    pub rooms: Vec<(&'static str, Rooms)>,
    /// The services whose guests may be pages of any origin.
    public: Vec<&'static str>,
    /// The calls whose argument is no object.
    pub(super) bare: Vec<&'static str>,
    /// The live endpoints.
    pub streams: Vec<Stream>,
    /// The namespaces of Socket.IO; the first is `/`.
    pub spaces: Vec<Space>,
    /// Where calls are found over HTTP.
    pub routes: Vec<Route>,
    /// The finer names of refusals of single fields, by service.
    field_names: Vec<(&'static str, &'static [(&'static str, &'static str)])>,
}

impl Tables {
    /// The tables of these services.
    pub fn of(services: Vec<Service>) -> Tables {
        let mut tables = Tables {
            commands: HashMap::new(),
            queries: HashMap::new(),
            subscriptions: HashMap::new(),
            names: Vec::new(),
            events: HashMap::new(),
            critical: Vec::new(),
            due: BTreeMap::new(),
            roots: Arc::default(),
            rooms: Vec::new(),
            public: Vec::new(),
            bare: Vec::new(),
            streams: Vec::new(),
            spaces: Space::all(&services),
            routes: Vec::new(),
            field_names: Vec::new(),
        };
        let mut roots = Vec::new();
        let named = |service: &Service| {
            let commands = service.commands.iter().map(|command| command.name);
            commands.chain(service.queries.iter().map(|query| query.name)).collect::<Vec<_>>()
        };
        let mut names: Vec<_> = services.iter().flat_map(named).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|one, other| one < other), "two calls of one name: {names:?}");
        for service in services {
            tables.events.extend(service.told().map(|told| (told.name, service.name)));
            tables.critical.extend(service.told().any(|told| told.asks).then_some(service.name));
            tables.commands.extend(service.commands.into_iter().map(|c| (c.name, c)));
            tables.queries.extend(service.queries.into_iter().map(|q| (q.name, q)));
            tables.subscriptions.extend(service.subscriptions.into_iter().map(|s| (s.name, s)));
            tables.names.extend(service.names.map(|named| (service.name, named)));
            if let Some(rooms) = service.rooms {
                tables.rooms.extend(service.topics.iter().map(|root| (*root, rooms)));
            }
            tables.public.extend(service.public.then_some(service.name));
            tables.bare.extend(service.bare);
            roots.extend(service.topics.iter().map(|root| (*root, service.name)));
            tables.streams.extend(service.streams);
            tables.routes.extend(service.routes);
            tables.field_names.push((service.name, service.field_names));
            for declared in service.due {
                let other = tables.due.insert(declared.kind, declared.decide);
                assert!(other.is_none(), "two services have rows {:?}", declared.kind);
            }
        }
        let streams_of = |(root, service)| (root, tables.streams_of(service));
        let roots = Roots::of(roots.into_iter().map(streams_of));
        tables.roots = Arc::new(roots);
        assert!(tables.spaces.len() <= usize::from(u8::MAX), "more namespaces than have a number");
        assert!(tables.streams.len() <= Streams::MAX, "more streams than a set of them holds");
        let call = |route: &Route| tables.access(route.call).is_some();
        tables.streams.iter().for_each(|stream| tables.check_stream(stream));
        let by_guests = |command: &&Command| {
            command.access.admits_guests() && tables.public.contains(&command.service)
        };
        let found = tables.commands().find(by_guests).map(|command| command.name);
        assert!(found.is_none(), "pages of anywhere could change something: {found:?}");
        let lost = tables.routes.iter().find(|route| !call(route));
        assert!(lost.is_none(), "a route leads to no call: {lost:?}");
        tables
    }

    /// What is declared of a stream goes together: a place is of use to who hears by it, and a subscription would undo
    /// what the stream hears.
    fn check_stream(&self, stream: &Stream) {
        let path = stream.path;
        let places = path.matches('{').count();
        assert!(
            places == 0 || (places == 1 && stream.hears.is_some()),
            "a place of no use: {path}"
        );
        assert!(stream.exists.is_none() || places == 1, "what would be looked for: {path}");
        assert!(stream.options.is_empty() || stream.hears.is_some(), "options of no use: {path}");
        let subscribes = self.subscriptions.values().any(|it| it.service == stream.service);
        assert!(stream.hears.is_none() || !subscribes, "a subscription undoes its parts: {path}");
    }

    /// What `name` means on a stream of `service`; `None` if nothing.
    pub fn kind(&self, service: &str, name: &str) -> Option<Kind> {
        self.meaning(name).filter(|(offers, _)| *offers == service).map(|(_, kind)| kind)
    }

    /// The service that offers a call of this name, and what kind of call that is.
    pub(super) fn meaning(&self, name: &str) -> Option<(&'static str, Kind)> {
        let kind = |moves| if moves { Kind::Move } else { Kind::Command };
        let command = self.commands.get(name).map(|command| (command.service, kind(command.moves)));
        let query = || self.queries.get(name).map(|query| (query.service, Kind::Query));
        let subscription =
            || self.subscriptions.get(name).map(|found| (found.service, Kind::Subscription));
        command.or_else(query).or_else(subscription)
    }

    /// Whether the argument of this call is no object over Socket.IO.
    pub fn is_bare(&self, call: &str) -> bool {
        self.bare.contains(&call)
    }

    /// Whether pages of any origin may be guests of this service, where it is open.
    pub fn is_public(&self, service: &str) -> bool {
        self.public.contains(&service)
    }

    /// All commands.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        self.commands.values()
    }

    /// The service that offers this call; `None` if there is no such call.
    pub fn service_of(&self, name: &str) -> Option<&'static str> {
        self.meaning(name).map(|(service, _)| service)
    }

    /// A call's refusal as a number in this field cannot be held.
    pub fn unheld(&self, call: &str, field: &str) -> Fault {
        let fault = Fault::new(Code::Invalid, format!("{field}: a number that cannot be held"));
        let service = self.meaning(call).map(|(service, _)| service);
        let mut of_service = self.field_names.iter().filter(|(name, _)| Some(*name) == service);
        let named = of_service.find_map(|(_, names)| names.iter().find(|(name, _)| *name == field));
        match named {
            Some((_, finer)) => fault.named(finer),
            None => fault,
        }
    }

    /// Who may make this call; `None` if there is no such command or query.
    pub fn access(&self, name: &str) -> Option<Access> {
        let command = self.commands.get(name).map(|command| command.access);
        command.or_else(|| self.queries.get(name).map(|query| query.access))
    }
}
