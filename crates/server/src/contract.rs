//! What clients are told, as a contract that programs read: TypeScript and AsyncAPI.
//!
//! Both are written from the types that are serialised: each event of a service is declared with the type of its
//! payload, whose documentation goes along. `cargo xtask contract` writes the files, and a test compares those that are
//! committed with what the code says.
//!
//! | module | what is in it |
//! |---|---|
//! | `typescript` | `clients/js/src/events.d.ts` |
//! | `asyncapi` | `contract/asyncapi.json` |
//! | [`words`] | what the server itself says on every plain connection |
//!
//! Not here: what clients send, and what each call replies with.

mod asyncapi;
mod typescript;
pub mod words;

pub use asyncapi::asyncapi;
pub use typescript::typescript;

use bellwire_services::kit::{PayloadSchema, Service, Spelling};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

/// Where the schemas of payloads refer to each other.
const SCHEMAS: &str = "/components/schemas";

/// What a text of the contract says of itself.
const GENERATED: &str =
    "written by `cargo xtask contract` from the types that the server serialises: do not edit it";

/// All that clients may be told.
pub struct Contract {
    /// What each service tells that is heard anywhere.
    parts: Vec<Part>,
    /// What the server itself says on every plain connection.
    own: Vec<Told>,
    /// What payloads are made of, by name, as JSON schemas of draft 7, in the order in which they are needed first.
    schemas: Map<String, Value>,
}

/// What a service tells.
struct Part {
    service: Service,
    events: Vec<Told>,
    says: Vec<Told>,
}

/// Something that is told under one name.
struct Told {
    name: Name,
    /// The name of its payload's schema.
    payload: String,
    /// What it means.
    summary: String,
    form: Form,
    /// Whether a client that acknowledges events acknowledges it.
    asks: bool,
    /// Whether it is told wherever anything is.
    everywhere: bool,
}

/// The name under which something is told.
#[derive(PartialEq, Eq)]
enum Name {
    /// This one.
    Exactly(String),
    /// One that begins so and ends in somebody's number.
    Numbered(String),
    /// The name of a call, and this behind it.
    Behind(String),
}

/// What stands in a plain frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// An event: `type`, the payload's keys, and with a cursor `cursor`.
    Spread,
    /// An event: `type`, the payload as `data`, and with a cursor `cursor`.
    Nested,
    /// As a spread event, and behind that the `id` of the request that it answers, if it answers one.
    Answer,
    /// `type` and the payload's keys, and nothing else.
    Alone,
}

impl Contract {
    /// The contract of these services.
    ///
    /// # Panics
    /// If a payload's type has no name or no documentation.
    pub fn of(services: Vec<Service>) -> Contract {
        let mut settings = SchemaSettings::draft07().for_serialize();
        settings.definitions_path = SCHEMAS.into();
        let mut generator = settings.into_generator();
        let mut parts: Vec<Part> = Vec::new();
        let heard = |service: &Service| !service.streams.is_empty() || service.namespace.is_some();
        for service in services.into_iter().filter(heard) {
            let events = service.events.iter().map(|told| {
                let form = match told.spelling {
                    Spelling::Spread => Form::Spread,
                    Spelling::Nested => Form::Nested,
                };
                Told {
                    asks: told.asks,
                    summary: told.means.unwrap_or_default().to_owned(),
                    ..Told::new(&mut generator, told.name, told.payload, form)
                }
            });
            let events = events.collect();
            let says = service.says.iter().map(|said| {
                let form = if said.answers { Form::Answer } else { Form::Alone };
                let everywhere = said.everywhere;
                Told { everywhere, ..Told::new(&mut generator, said.name, said.payload, form) }
            });
            let says = says.collect();
            parts.push(Part { service, events, says });
        }
        let own = words(&mut generator);
        let unordered = generator.take_definitions(true);
        let mut contract = Contract { parts, own, schemas: Map::new() };
        let payloads: Vec<String> = contract.told().map(|told| told.payload.clone()).collect();
        let mut schemas = Map::new();
        payloads.iter().for_each(|name| in_order(name, &unordered, &mut schemas));
        contract.schemas = schemas;
        let of_services = contract.parts.iter_mut();
        let of_services = of_services.flat_map(|part| part.events.iter_mut().chain(&mut part.says));
        for told in of_services.chain(&mut contract.own).filter(|told| told.summary.is_empty()) {
            told.summary = summary(&contract.schemas, &told.payload);
        }
        contract
    }

    /// All that is told, in order.
    fn told(&self) -> impl Iterator<Item = &Told> {
        self.parts.iter().flat_map(Part::told).chain(&self.own)
    }
}

impl Part {
    /// All that is told where this is heard: by it, and by others wherever anything is.
    fn told_here<'a>(&'a self, contract: &'a Contract) -> impl Iterator<Item = &'a Told> {
        let others = contract.parts.iter().filter(|part| !std::ptr::eq(*part, self));
        self.told().chain(others.flat_map(Part::told).filter(|told| told.everywhere))
    }

    /// All that it tells.
    fn told(&self) -> impl Iterator<Item = &Told> {
        self.events.iter().chain(&self.says)
    }
}

impl Told {
    fn new(
        generator: &mut SchemaGenerator,
        name: &str,
        payload: PayloadSchema,
        form: Form,
    ) -> Told {
        let schema = payload(generator);
        let payload = schema.get("$ref").and_then(Value::as_str).and_then(referred);
        let payload =
            payload.unwrap_or_else(|| panic!("{name}: the type of its payload has no name"));
        let payload = payload.to_owned();
        let name = match name.strip_prefix('*') {
            Some(rest) => Name::Behind(rest.to_owned()),
            None if name.ends_with('-') => Name::Numbered(name.to_owned()),
            None => Name::Exactly(name.to_owned()),
        };
        Told { name, payload, summary: String::new(), form, asks: false, everywhere: false }
    }
}

/// What the server itself says on every plain connection.
fn words(generator: &mut SchemaGenerator) -> Vec<Told> {
    fn told<T: JsonSchema>(generator: &mut SchemaGenerator, name: &str, form: Form) -> Told {
        Told::new(generator, name, SchemaGenerator::subschema_for::<T>, form)
    }
    vec![
        told::<words::Resumed<'_>>(generator, "resumed", Form::Alone),
        told::<words::Reset<'_>>(generator, "reset", Form::Alone),
        told::<words::Pong>(generator, "pong", Form::Answer),
        told::<words::Batch>(generator, "batch", Form::Spread),
        told::<words::Reply>(generator, "*:response", Form::Answer),
    ]
}

/// The name of the schema that a reference leads to.
fn referred(reference: &str) -> Option<&str> {
    reference.strip_prefix('#')?.strip_prefix(SCHEMAS)?.strip_prefix('/')
}

/// Adds a schema, and behind it those that it needs, each once.
fn in_order(name: &str, all: &Map<String, Value>, ordered: &mut Map<String, Value>) {
    if ordered.contains_key(name) {
        return;
    }
    let schema = &all[name];
    ordered.insert(name.to_owned(), schema.clone());
    let mut needed = Vec::new();
    references(schema, &mut needed);
    needed.into_iter().for_each(|name| in_order(name, all, ordered));
}

/// The names of the schemas to which a schema refers.
fn references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(keys) => keys.iter().for_each(|(key, value)| match (&**key, value) {
            ("$ref", Value::String(reference)) => found.extend(referred(reference)),
            _ => references(value, found),
        }),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

/// What the documentation of a payload's type says.
fn summary(schemas: &Map<String, Value>, payload: &str) -> String {
    let words = schemas[payload]["description"].as_str();
    words.unwrap_or_else(|| panic!("{payload} has no documentation")).to_owned()
}
