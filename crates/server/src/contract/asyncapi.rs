//! The contract as a document of AsyncAPI 3.0: what a client may receive, and where.
//!
//! Each stream is a channel, and so is each namespace of Socket.IO. A message is there in each form that it is told in
//! ([`As`]); behind its key stands which one it is.

use bellwire_services::kit::{Service, Stream};
use serde_json::{Map, Value, json};

use super::{Contract, Form, GENERATED, Name, Part, SCHEMAS, Told};

/// What readers of the document have to know beside it.
const ABOUT: &str = "What a client of Bellwire is told: operations are its own, so it receives. Over WebSocket each \
                     message is a JSON object whose `type` is its name. Over Socket.IO that is the event's name, and \
                     the message is its argument. What a client may send, and how it says who it is, is in \
                     docs/protocol.md.";

/// Where messages refer to.
const MESSAGES: &str = "#/components/messages/";

/// The document.
pub fn asyncapi(contract: &Contract) -> String {
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bellwire",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": env!("CARGO_PKG_LICENSE") },
        },
        "defaultContentType": "application/json",
        "servers": servers(),
        "channels": channels(contract),
        "operations": operations(contract),
        "components": {
            "messages": messages(contract),
            "schemas": contract.schemas,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The token of a user, a device or a paired client.",
                },
            },
        },
        "x-generated": format!("This is {GENERATED}."),
    });
    format!("{document:#}\n")
}

fn servers() -> Value {
    json!({
        "plain": {
            "host": "localhost:8080",
            "protocol": "ws",
            "description": "Plain WebSocket: one JSON object per text message.",
        },
        "plainTls": {
            "host": "localhost:8443",
            "protocol": "wss",
            "description": "The same behind TLS.",
        },
        "socketIo": {
            "host": "localhost:8080",
            "pathname": "/socket.io/",
            "protocol": "socketio",
            "protocolVersion": "5",
            "description": "Socket.IO 4 clients, over WebSocket or long polling.",
        },
    })
}

/// A channel: where something is heard.
struct Channel<'a> {
    id: String,
    channel: Value,
    services: Vec<&'a str>,
    /// Whether nobody comes there without a token.
    needs_token: bool,
}

/// The form in which something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    /// A plain frame, with its name.
    Frame,
    /// A plain frame without its name, on a stream where that is usual.
    Bare,
    /// An argument over Socket.IO.
    Argument,
}

/// The streams of all services, then the namespaces.
fn all_channels(contract: &Contract) -> Vec<Channel<'_>> {
    let streams = contract.parts.iter().flat_map(|part| {
        part.service.streams.iter().map(|stream| {
            let frames = part
                .told_here(contract)
                .chain(&contract.own)
                .map(|told| key(contract, told, As::Frame));
            let bare = part.told_here(contract).filter(|_| stream.bare);
            let bare = bare.map(|told| key(contract, told, As::Bare));
            Channel {
                id: stream_id(stream),
                channel: of_stream(stream, bare.chain(frames)),
                services: vec![part.service.name],
                needs_token: !stream.access.admits_guests(),
            }
        })
    });
    let arguments = |parts: &[&Part]| -> Vec<String> {
        let told =
            parts.iter().flat_map(|part| part.told_here(contract)).chain(over_socket_io(contract));
        told.map(|told| key(contract, told, As::Argument)).collect()
    };
    let all: Vec<&Part> = contract.parts.iter().collect();
    let root = Channel {
        id: "socketio".to_owned(),
        channel: of_namespace("/", "What is heard of all services.", arguments(&all)),
        services: contract.parts.iter().map(|part| part.service.name).collect(),
        needs_token: false,
    };
    let namespaces = contract.parts.iter().filter_map(|part| {
        let path = part.service.namespace?.path;
        let summary = format!("What is heard of {}.", part.service.name);
        Some(Channel {
            id: format!("socketio{}", path.replace('/', ".")),
            channel: of_namespace(path, &summary, arguments(&[part])),
            services: vec![part.service.name],
            needs_token: !guests_come(&part.service),
        })
    });
    streams.chain([root]).chain(namespaces).collect()
}

/// What the server itself says over Socket.IO too.
pub(super) fn over_socket_io(contract: &Contract) -> impl Iterator<Item = &Told> {
    contract.own.iter().filter(|told| matches!(&*told.payload, "Batch" | "Reply"))
}

/// Whether somebody without a token may come where a service is heard.
fn guests_come(service: &Service) -> bool {
    service.streams.iter().any(|stream| stream.access.admits_guests())
}

/// The id of a stream's channel: the words of its path.
fn stream_id(stream: &Stream) -> String {
    let words = stream.path.split(['/', '{', '}']).filter(|word| !word.is_empty());
    let words: Vec<&str> = ["plain"].into_iter().chain(words).collect();
    words.join(".")
}

fn of_stream(stream: &Stream, told: impl Iterator<Item = String>) -> Value {
    let parameters: Map<String, Value> = stream
        .path
        .split('/')
        .filter_map(|word| word.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| (name.to_owned(), json!({ "description": "A whole number from 1 on." })))
        .collect();
    let mut channel = json!({
        "address": stream.path,
        "summary": format!("What is heard of {}.", stream.service),
        "servers": [{ "$ref": "#/servers/plain" }, { "$ref": "#/servers/plainTls" }],
        "messages": referring(told),
        "bindings": {
            "ws": { "method": "GET", "query": query(stream), "bindingVersion": "0.1.0" },
        },
    });
    if stream.bare {
        channel["description"] =
            json!("Events are their payloads alone, unless `typed=1` asks for their names.");
    }
    if !parameters.is_empty() {
        channel["parameters"] = parameters.into();
    }
    channel
}

/// The query parameters that a stream takes.
fn query(stream: &Stream) -> Value {
    let on = json!({ "type": "string", "const": "1" });
    let described = |words: &str, schema: &Value| {
        let mut schema = schema.clone();
        schema["description"] = words.into();
        schema
    };
    let text = json!({ "type": "string" });
    let mut properties = Map::new();
    let mut add = |name: &str, words: &str, schema: &Value| {
        properties.insert(name.to_owned(), described(words, schema));
    };
    add("since", "A cursor, or `now`: what comes behind it is told, with a cursor each.", &text);
    add("batch", "Several events may be told in one message.", &on);
    if stream.snapshot.is_some() {
        add("snapshot", "What is known now is told first.", &on);
    }
    if stream.bare {
        add("typed", "Events are told with their names.", &on);
    }
    if stream.entries.is_some() {
        add("rooms", "The rooms in which the connection is from the start, between commas.", &text);
    }
    for option in stream.options {
        add(option, "See docs/protocol.md.", &text);
    }
    json!({ "type": "object", "properties": properties })
}

fn of_namespace(path: &str, summary: &str, told: Vec<String>) -> Value {
    json!({
        "address": path,
        "summary": summary,
        "description": "A namespace. A connection that asked for `auth.recover` gets an offset as the last argument; \
                        one that asked for `auth.ack` is asked to acknowledge some events.",
        "servers": [{ "$ref": "#/servers/socketIo" }],
        "messages": referring(told.into_iter()),
    })
}

/// References to messages, each once.
fn referring(keys: impl Iterator<Item = String>) -> Map<String, Value> {
    keys.map(|key| (key.clone(), json!({ "$ref": format!("{MESSAGES}{key}") }))).collect()
}

fn channels(contract: &Contract) -> Map<String, Value> {
    all_channels(contract).into_iter().map(|channel| (channel.id, channel.channel)).collect()
}

fn operations(contract: &Contract) -> Map<String, Value> {
    let operation = |Channel { id, services, needs_token, .. }: Channel<'_>| {
        let tags: Vec<Value> = services.iter().map(|name| json!({ "name": name })).collect();
        let mut operation = json!({
            "action": "receive",
            "channel": { "$ref": format!("#/channels/{id}") },
            "tags": tags,
        });
        if needs_token {
            operation["security"] = json!([{ "$ref": "#/components/securitySchemes/token" }]);
        }
        (format!("hear.{id}"), operation)
    };
    all_channels(contract).into_iter().map(operation).collect()
}

/// All messages, in each form in which they are told.
fn messages(contract: &Contract) -> Map<String, Value> {
    let mut messages = Map::new();
    let mut add = |told: &Told, form: As, tags: &Value| {
        let entry = messages.entry(key(contract, told, form));
        entry.or_insert_with(|| message(told, &payload(told, form), tags));
    };
    for part in &contract.parts {
        let is_bare = part.service.streams.iter().any(|stream| stream.bare);
        let forms = [As::Frame, As::Bare, As::Argument];
        for form in forms.into_iter().filter(|form| *form != As::Bare || is_bare) {
            let name = part.service.name;
            let of_event = json!([{ "name": name }, { "name": "event" }]);
            part.events.iter().for_each(|told| add(told, form, &of_event));
            part.says.iter().for_each(|told| add(told, form, &json!([{ "name": name }])));
        }
    }
    contract.own.iter().for_each(|told| add(told, As::Frame, &Value::Null));
    over_socket_io(contract).for_each(|told| add(told, As::Argument, &Value::Null));
    messages
}

fn message(told: &Told, payload: &Value, tags: &Value) -> Value {
    let name = match &told.name {
        Name::Exactly(name) => name.clone(),
        Name::Numbered(stem) => format!("{stem}ID"),
        Name::Behind(end) => format!("CALL{end}"),
    };
    let mut message = json!({ "name": name, "summary": told.summary, "payload": payload });
    if !tags.is_null() {
        message["tags"] = tags.clone();
    }
    message
}

/// The key of a message: its name, its type where another has the same name, and its form.
fn key(contract: &Contract, told: &Told, form: As) -> String {
    let mut key = match &told.name {
        Name::Exactly(name) => name.replace(':', "."),
        Name::Numbered(stem) => format!("{stem}ID"),
        Name::Behind(end) => end.trim_start_matches(':').to_owned(),
    };
    let is_ambiguous =
        contract.told().any(|other| other.name == told.name && other.payload != told.payload);
    if is_ambiguous {
        key = format!("{key}.{}", told.payload);
    }
    match form {
        As::Frame => key,
        As::Bare => format!("{key}.bare"),
        As::Argument => format!("{key}.argument"),
    }
}

/// The schema of a message; its keys are in the order in which they stand there.
fn payload(told: &Told, form: As) -> Value {
    let name = match &told.name {
        Name::Exactly(name) => json!({ "type": "string", "const": name }),
        Name::Numbered(stem) => {
            json!({ "type": "string", "pattern": format!("^{stem}[1-9][0-9]*$") })
        }
        Name::Behind(end) => json!({ "type": "string", "pattern": format!("^.+{end}$") }),
    };
    let payload = json!({ "$ref": format!("#{SCHEMAS}/{}", told.payload) });
    let cursor = json!({ "type": "string", "description": "The place behind it; with `since`." });
    if told.form == Form::Nested && form != As::Argument {
        return json!({
            "type": "object",
            "required": ["type", "data"],
            "properties": { "type": name, "data": payload, "cursor": cursor },
        });
    }
    let mut tail = Map::new();
    if matches!(told.form, Form::Spread | Form::Answer) && form != As::Argument {
        tail.insert("cursor".to_owned(), cursor);
    }
    if told.form == Form::Answer {
        let id = json!({
            "type": ["string", "integer"],
            "description": "That of the request which it answers, if that had one.",
        });
        tail.insert("id".to_owned(), id);
    }
    let mut all = Vec::new();
    if form == As::Frame {
        all.push(json!({ "type": "object", "required": ["type"], "properties": { "type": name } }));
    }
    all.push(payload.clone());
    if !tail.is_empty() {
        all.push(json!({ "properties": tail }));
    }
    if all.len() == 1 { payload } else { json!({ "allOf": all }) }
}
