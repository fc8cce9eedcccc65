//! Namespaces of Socket.IO: `/` for all services that are found there, and one for each.

use bellwire_services::kit::{Dialect, Namespace, Service};
use bellwire_wire::socketio::ROOT;

use super::{Kind, Tables};
use crate::audience::Streams;

/// The event by which a client adds topics to those that it hears.
pub const SUBSCRIBE: &str = "subscribe";
/// The event by which it takes some away.
pub const UNSUBSCRIBE: &str = "unsubscribe";

/// A namespace.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    /// Its path.
    pub path: &'static str,
    /// The service that alone is there, and its topic; `None`: all are there.
    pub own: Option<Namespace>,
}

impl Space {
    /// `/` and the namespaces of these services.
    pub(super) fn all(services: &[Service]) -> Vec<Space> {
        let own = services.iter().filter_map(|service| service.namespace);
        let own = own.map(|own| Space { path: own.path, own: Some(own) });
        std::iter::once(Space { path: ROOT, own: None }).chain(own).collect()
    }

    /// The service that alone is there.
    pub fn service(&self) -> Option<&'static str> {
        self.own.map(|own| own.service)
    }

    /// The names of the topics that are heard there unasked.
    pub fn topics(&self) -> Vec<String> {
        self.own.iter().map(|own| own.topic.to_owned()).collect()
    }
}

impl Tables {
    /// The number of the namespace with this path.
    pub fn space(&self, path: &str) -> Option<u8> {
        self.spaces.iter().position(|space| space.path == path).map(|number| number as u8)
    }

    /// What `name` means in a namespace; `None` if nothing.
    pub fn kind_in(&self, space: &Space, name: &str) -> Option<Kind> {
        if matches!(name, SUBSCRIBE | UNSUBSCRIBE) {
            return Some(Kind::Topics);
        }
        let (service, kind) = self.meaning(name)?;
        let is_there = match space.own {
            Some(own) => own.service == service,
            None => self.namespace_of(service).is_some(),
        };
        is_there.then_some(kind)
    }

    /// What a first call of this name begins to listen to on `/`: the name of a topic, and its streams.
    pub fn heard_by_calling(&self, name: &str) -> Option<(&'static str, Streams)> {
        let (service, _) = self.meaning(name)?;
        Some((self.namespace_of(service)?.topic, self.streams_of(service)))
    }

    /// How the service that offers this call spells its answers.
    pub fn dialect_of(&self, name: &str) -> Option<Dialect> {
        let (service, _) = self.meaning(name)?;
        self.streams.iter().find(|stream| stream.service == service).map(|stream| stream.dialect)
    }

    fn namespace_of(&self, service: &str) -> Option<Namespace> {
        let mut own = self.spaces.iter().filter_map(|space| space.own);
        own.find(|own| own.service == service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_events_mean_in_each_namespace() {
        let tables = Tables::of(bellwire_services::all());
        let check = |path: &str, name: &str, kind: Option<Kind>| {
            let number = tables.space(path).expect("it is a namespace");
            let space = &tables.spaces[usize::from(number)];
            assert_eq!((space.path, tables.kind_in(space, name)), (path, kind), "{name}");
        };
        for path in ["/", "/states"] {
            check(path, "states:create", Some(Kind::Command));
            check(path, "states:get", Some(Kind::Query));
            check(path, "subscribe_entities", Some(Kind::Subscription));
            check(path, "subscribe", Some(Kind::Topics));
            check(path, "unsubscribe", Some(Kind::Topics));
            // Of a service that is found over HTTP alone.
            check(path, "tokens.create", None);
            check(path, "ping", None);
            check(path, "", None);
        }
        for path in ["", "states", "/state", "/states/", "/identity"] {
            assert_eq!(tables.space(path), None, "{path}");
        }
        let (topic, streams) = tables.heard_by_calling("states:get").expect("it is heard");
        assert_eq!((topic, streams), ("states", Streams::one(0)));
        assert!(tables.heard_by_calling("tokens.create").is_none());
        assert_eq!(tables.spaces[0].topics(), Vec::<String>::new());
        assert_eq!(tables.spaces[1].topics(), ["states"]);
    }
}
