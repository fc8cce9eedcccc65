//! What all services offer, by name.

use std::{collections::HashMap, sync::Arc};

use bellwire_services::kit::{Access, Command, Names, Query, Route, Service, Stream, Subscription};

use super::spaces::Space;
use crate::audience::{Roots, Streams};

/// What a name in a message means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It changes something.
    Command,
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
    /// On which streams topics are heard.
    pub roots: Arc<Roots>,
    /// The live endpoints.
    pub streams: Vec<Stream>,
    /// The namespaces of Socket.IO; the first is `/`.
    pub spaces: Vec<Space>,
    /// Where calls are found over HTTP.
    pub routes: Vec<Route>,
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
            roots: Arc::default(),
            streams: Vec::new(),
            spaces: Space::all(&services),
            routes: Vec::new(),
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
            roots.extend(service.topics.iter().map(|root| (*root, service.name)));
            tables.streams.extend(service.streams);
            tables.routes.extend(service.routes);
        }
        let streams_of = |(root, service)| (root, tables.streams_of(service));
        let roots = Roots::of(roots.into_iter().map(streams_of));
        tables.roots = Arc::new(roots);
        assert!(tables.spaces.len() <= usize::from(u8::MAX), "more namespaces than have a number");
        assert!(tables.streams.len() <= Streams::MAX, "more streams than a set of them holds");
        let call = |route: &Route| tables.access(route.call).is_some();
        let lost = tables.routes.iter().find(|route| !call(route));
        assert!(lost.is_none(), "a route leads to no call: {lost:?}");
        tables
    }

    /// What `name` means on a stream of `service`; `None` if nothing.
    pub fn kind(&self, service: &str, name: &str) -> Option<Kind> {
        self.meaning(name).filter(|(offers, _)| *offers == service).map(|(_, kind)| kind)
    }

    /// The service that offers a call of this name, and what kind of call that is.
    pub(super) fn meaning(&self, name: &str) -> Option<(&'static str, Kind)> {
        let command = self.commands.get(name).map(|command| (command.service, Kind::Command));
        let query = || self.queries.get(name).map(|query| (query.service, Kind::Query));
        let subscription =
            || self.subscriptions.get(name).map(|found| (found.service, Kind::Subscription));
        command.or_else(query).or_else(subscription)
    }

    /// Who may make this call; `None` if there is no such command or query.
    pub fn access(&self, name: &str) -> Option<Access> {
        let command = self.commands.get(name).map(|command| command.access);
        command.or_else(|| self.queries.get(name).map(|query| query.access))
    }
}
