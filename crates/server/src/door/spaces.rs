//! Namespaces of Socket.IO: `/` for all services that are found there, and one for each.

use bellwire_services::kit::{
    Dialect, Fault, Micros, Namespace, Principal, Role, Said, Service, Stream,
};
use bellwire_wire::socketio::ROOT;

use super::{Kind, Tables, Tuning};
use crate::audience::{Audience, Filter, Streams};

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
}

/// What a new connection is to hear.
#[derive(Debug, Clone)]
pub enum Hears {
    /// What is heard on a stream.
    Stream(Tuning),
    /// The topics of these names, in the namespace of this number.
    Named(u8, Vec<String>),
    /// What is heard unasked in the namespace of this number.
    Unasked(u8),
}

impl Tables {
    /// What a principal that comes with this wish listens to, and the names of that in a namespace.
    ///
    /// # Errors
    /// When it is not let in, or a name means nothing.
    pub fn heard_by(
        &self,
        hears: &Hears,
        principal: &Principal,
    ) -> Result<(Audience, Option<Vec<String>>), Fault> {
        let (space, names) = match hears {
            Hears::Stream(tuning) => {
                self.streams[tuning.stream].access.check(principal)?;
                return Ok((tuning.audience(), None));
            }
            Hears::Named(space, names) => (&self.spaces[usize::from(*space)], names.clone()),
            Hears::Unasked(space) => {
                let space = &self.spaces[usize::from(*space)];
                (space, self.unasked(space, principal))
            }
        };
        let own = space.own.and_then(|own| self.stream_of(own.service));
        // Who waits to be paired may wait anywhere.
        if let Some(stream) = own.filter(|_| principal.role != Role::Pairing) {
            stream.access.check(principal)?;
        }
        let audience = self.audience(space.service(), names.iter().map(String::as_str))?;
        Ok((audience, Some(names)))
    }

    /// The names of the topics that a principal hears unasked in a namespace.
    fn unasked(&self, space: &Space, principal: &Principal) -> Vec<String> {
        let hears = |own: &Namespace| space.own.is_some() || (own.unasked)(principal);
        let all = self.spaces.iter().filter_map(|other| other.own);
        let there = all.filter(|own| space.own.is_none_or(|space| space.path == own.path));
        there.filter(hears).map(|own| own.topic.to_owned()).collect()
    }

    /// What a principal is told first on these streams: at its place of one that has places, and nothing where it
    /// hears single things only.
    pub fn greetings(
        &self,
        streams: Streams,
        filter: Option<&Filter>,
        principal: &Principal,
        now: Micros,
    ) -> Vec<Said> {
        let greeting = |number: usize| {
            let stream = self.streams.get(number)?;
            let own = filter.filter(|filter| filter.streams.meets(Streams::one(number)));
            let place = own.and_then(|filter| filter.place);
            let is_there = place.is_some() || (own.is_none() && !stream.has_places());
            (stream.greeting.filter(|_| is_there)?)(principal, place, now)
        };
        streams.numbers().filter_map(greeting).collect()
    }

    /// What is said of a fault that belongs to no operation, to a principal in a namespace: as the service spells
    /// it that is there, or that the principal hears there unasked.
    pub fn error_in(
        &self,
        space: &Space,
        principal: &Principal,
        fault: &Fault,
        now: Micros,
    ) -> Said {
        let unasked =
            || self.spaces.iter().filter_map(|s| s.own).find(|own| (own.unasked)(principal));
        let own = space.own.or_else(unasked).and_then(|own| self.stream_of(own.service));
        match own {
            Some(stream) => (stream.dialect.error)(fault, now),
            None => Said::refused("error".to_owned(), fault),
        }
    }

    fn stream_of(&self, service: &str) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.service == service)
    }

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
        self.stream_of(service).map(|stream| stream.dialect)
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
        let screen = Principal { role: Role::Client, ..Principal::guest() };
        let unasked =
            |space: usize, principal: &Principal| tables.unasked(&tables.spaces[space], principal);
        let board = Principal { role: Role::Device, ..Principal::guest() };
        assert_eq!(unasked(0, &board), Vec::<String>::new());
        assert_eq!(unasked(0, &Principal::guest()), ["chat"]);
        assert_eq!(unasked(0, &screen), ["areas"]);
        assert_eq!(unasked(1, &screen), ["states"]);
        assert_eq!(unasked(2, &Principal::operator()), ["areas"]);
    }

    #[test]
    fn who_comes_is_greeted_where_they_are() {
        let tables = Tables::of(bellwire_services::all());
        let stream = |path: &str| {
            let number = tables.streams.iter().position(|stream| stream.path == path);
            Streams::one(number.expect("it is a stream"))
        };
        let (all, one) = (stream("/ws/stations/"), stream("/ws/stations/{station_id}/"));
        let check = |streams: Streams, filter: Option<Filter>, expected: &[&str]| {
            let said = tables.greetings(streams, filter.as_ref(), &Principal::guest(), 0);
            let said: Vec<_> = said.iter().map(|said| said.payload.as_str()).collect();
            assert_eq!(said, expected);
        };
        let everything = r#"{"message":"Connected to all_stations","station_id":null}"#;
        check(all, None, &[everything]);
        // All of the service, in its namespace of Socket.IO.
        check(all.and(one), None, &[everything]);
        let keys = |streams, place| {
            let filter = Filter::by_keys(streams, ["7".to_owned()].into());
            Some(Filter { place, ..filter })
        };
        let seventh = r#"{"message":"Connected to station_7","station_id":7}"#;
        check(one, keys(one, Some(7)), &[seventh]);
        // Single stations by name have no place.
        check(all.and(one), keys(all.and(one), None), &[]);
        let both = all.and(one).and(stream("/ws/notifications/"));
        check(both, keys(all.and(one), None), &[r#"{"message":"Connected to notifications"}"#]);
    }
}
