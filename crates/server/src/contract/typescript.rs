//! The contract as declarations of TypeScript: an interface for each payload, and lists of what is told under which
//! name, in the plain form and over Socket.IO.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::{Contract, Form, GENERATED, Name, Told, asyncapi::over_socket_io, referred};

/// What stands before all that is generated.
const PRELUDE: &str = "
/**
 * An event as a plain connection is told it: `type` is its name. With `?since` it bears the place behind it,
 * `cursor`.
 */
export type Frame<Type extends string, Payload> = { type: Type } & Payload & { cursor?: string };

/** The same of an event whose payload is no object, or has a `type` of its own. */
export type NestedFrame<Type extends string, Payload> = { type: Type; data: Payload; cursor?: string };

/** What is told beside events, as a plain connection is told it. */
export type Said<Type extends string, Payload> = { type: Type } & Payload;

/** What may answer a request: where that had an `id`, it has it too. */
export type Answering<Payload> = Payload & { id?: string | number };

/** The same as a plain connection is told it. */
export type Answer<Type extends string, Payload> = Frame<Type, Answering<Payload>>;
";

/// What stands behind it.
const POSTLUDE: &str = "
/** Any event, as a plain connection is told it. */
export type AnyEvent = Events[keyof Events];

/** Anything that a plain connection is told. */
export type AnyMessage = Messages[keyof Messages];

/** What is told over Socket.IO, as listeners take it: the parameter of `Socket` of `socket.io-client`. */
export type SocketIoListeners = { [Name in keyof SocketIoEvents]: (...told: SocketIoEvents[Name]) => void };
";

/// The declarations.
///
/// # Panics
/// If a payload's schema has something in it for which there is no rule here.
pub fn typescript(contract: &Contract) -> String {
    let mut text = format!("// Over 600 lines: {GENERATED}.\n{PRELUDE}");
    for (name, schema) in &contract.schemas {
        declare(&mut text, name, schema);
    }
    let events = || contract.parts.iter().flat_map(|part| &part.events);
    text += "\n/** Every event by its name, as a plain connection is told it. */\n";
    text += "export interface Events {\n";
    for told in events() {
        list(&mut text, &[told], &frame(&[told]));
    }
    text += "}\n\n/** All that a plain connection is told, by its `type`. */\n";
    text += "export interface Messages extends Events {\n";
    for alike in beside(contract).chain(contract.own.iter().map(|told| vec![told])) {
        list(&mut text, &alike, &frame(&alike));
    }
    text += "}\n\n/**\n * What is told over Socket.IO, as lists of arguments. An offset is the last one where a connection asked \
             for\n * `auth.recover`.\n */\nexport interface SocketIoEvents {\n";
    let own = over_socket_io(contract).map(|told| vec![told]);
    for alike in events().map(|told| vec![told]).chain(beside(contract)).chain(own) {
        list(&mut text, &alike, &arguments(&alike, &payloads(&alike)));
    }
    text + "}\n" + POSTLUDE
}

/// What services say beside events: what has the same name together, of each type once.
fn beside(contract: &Contract) -> impl Iterator<Item = Vec<&Told>> {
    let mut names: Vec<(&Name, Vec<&Told>)> = Vec::new();
    for told in contract.parts.iter().flat_map(|part| &part.says) {
        match names.iter_mut().find(|(name, _)| **name == told.name) {
            Some((_, alike)) if alike.iter().any(|other| other.payload == told.payload) => {}
            Some((_, alike)) => alike.push(told),
            None => names.push((&told.name, vec![told])),
        }
    }
    names.into_iter().map(|(_, alike)| alike)
}

/// Adds a member to the list that is written.
fn list(text: &mut String, alike: &[&Told], kind: &str) {
    let summary: Vec<&str> = alike.iter().map(|told| &*told.summary).collect();
    document(text, "  ", &summary.join(" Or: "));
    let key = match &alike[0].name {
        Name::Exactly(name) => key(name),
        pattern => format!("[name: {}]", literal(pattern)),
    };
    writeln!(text, "  {key}: {kind};").expect("a text can be written");
}

/// The type of a plain frame.
fn frame(alike: &[&Told]) -> String {
    let (name, payload) = (literal(&alike[0].name), payloads(alike));
    match alike[0].form {
        Form::Spread => format!("Frame<{name}, {payload}>"),
        Form::Nested => format!("NestedFrame<{name}, {payload}>"),
        Form::Answer => format!("Answer<{name}, {payload}>"),
        Form::Alone => format!("Said<{name}, {payload}>"),
    }
}

/// The types of payloads.
fn payloads(alike: &[&Told]) -> String {
    alike.iter().map(|told| &*told.payload).collect::<Vec<_>>().join(" | ")
}

/// The arguments of a listener over Socket.IO.
fn arguments(alike: &[&Told], payload: &str) -> String {
    if alike[0].asks {
        let acknowledged = "offsetOrAcknowledge?: string | (() => void)";
        return format!("[payload: {payload} & {{ eventId?: string }}, {acknowledged}]");
    }
    if alike[0].form == Form::Answer {
        return format!("[payload: Answering<{payload}>, offset?: string]");
    }
    format!("[payload: {payload}, offset?: string]")
}

/// A name as a type.
fn literal(name: &Name) -> String {
    match name {
        Name::Exactly(name) => format!("'{name}'"),
        Name::Numbered(stem) => format!("`{stem}${{number}}`"),
        Name::Behind(end) => format!("`${{string}}{end}`"),
    }
}

/// A name as a key.
fn key(name: &str) -> String {
    let is_plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { name.to_owned() } else { format!("'{name}'") }
}

/// A comment with these words.
fn document(text: &mut String, indent: &str, words: &str) {
    let words = words.replace("*/", "*\\/");
    let lines: Vec<&str> = words.lines().map(str::trim).collect();
    let written = match &lines[..] {
        [] => return,
        [line] if indent.len() + line.len() + 7 <= 120 => format!("{indent}/** {line} */\n"),
        lines => {
            let lines = lines.iter().flat_map(|line| wrapped(line, 117 - indent.len()));
            let lines: String = lines
                .map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n")
                .collect();
            format!("{indent}/**\n{lines}{indent} */\n")
        }
    };
    *text += &written;
}

/// A line as several of at most so many characters, as far as its words allow.
fn wrapped(line: &str, chars_max: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().expect("there is one");
        if last.is_empty() {
            *last = word.to_owned();
        } else if last.chars().count() + 1 + word.chars().count() <= chars_max {
            *last = format!("{last} {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// A payload's declaration.
fn declare(text: &mut String, name: &str, schema: &Value) {
    text.push('\n');
    document(text, "", &documented(schema));
    // What is in it is no payload, but frames.
    if name == "Batch" {
        *text += "export interface Batch {\n  /** The events, each as it is told alone. */\n  events: AnyEvent[];\n}\n";
        return;
    }
    match schema["properties"].as_object() {
        Some(properties) => {
            writeln!(text, "export interface {name} {{").expect("a text can be written");
            members(text, "  ", schema, properties);
            *text += "}\n";
        }
        None => {
            let kind = kind(schema);
            writeln!(text, "export type {name} = {kind};").expect("a text can be written");
        }
    }
}

/// The keys of an object.
fn members(text: &mut String, indent: &str, schema: &Value, properties: &Map<String, Value>) {
    let required = schema["required"].as_array();
    for (name, schema) in properties {
        document(text, indent, &documented(schema));
        let is_required = required.is_some_and(|required| required.iter().any(|key| key == name));
        let (key, mark) = (key(name), if is_required { "" } else { "?" });
        writeln!(text, "{indent}{key}{mark}: {};", kind(schema)).expect("a text can be written");
    }
    if schema["additionalProperties"] == true {
        *text += &format!("{indent}[key: string]: unknown;\n");
    }
}

/// What a schema's documentation says, and that of the texts that it lists.
fn documented(schema: &Value) -> String {
    let mut words = schema["description"].as_str().unwrap_or_default().to_owned();
    for listed in schema["oneOf"].as_array().into_iter().flatten() {
        if let (Some(text), Some(meaning)) =
            (listed["const"].as_str(), listed["description"].as_str())
        {
            write!(words, "\n- `{text}`: {meaning}").expect("a text can be written");
        }
    }
    words
}

/// A schema as a type.
fn kind(schema: &Value) -> String {
    let Value::Object(keys) = schema else {
        assert_eq!(*schema, true, "nothing fits this schema");
        return "unknown".to_owned();
    };
    let known = |key: &String| KNOWN.contains(&&**key);
    assert!(keys.keys().all(known), "there is a key without a rule in {schema}");
    let several = |schemas: &Value, between: &str| -> String {
        let kinds = schemas.as_array().into_iter().flatten().map(kind);
        kinds.collect::<Vec<_>>().join(between)
    };
    if let Some(reference) = schema["$ref"].as_str() {
        return referred(reference).expect("it is one of a payload").to_owned();
    }
    if let Some(one) = keys.get("const") {
        return quoted(one);
    }
    if let Some(texts) = schema["enum"].as_array() {
        return texts.iter().map(quoted).collect::<Vec<_>>().join(" | ");
    }
    for (key, between) in [("oneOf", " | "), ("anyOf", " | "), ("allOf", " & ")] {
        if let Some(schemas) = keys.get(key) {
            return several(schemas, between);
        }
    }
    match &schema["type"] {
        Value::Array(types) => {
            let each = types.iter().map(|one| of_type(one.as_str().unwrap_or_default(), schema));
            each.collect::<Vec<_>>().join(" | ")
        }
        Value::String(one) => of_type(one, schema),
        _ => "unknown".to_owned(),
    }
}

/// The keys of schemas that are read here, or that types do not tell.
const KNOWN: &[&str] = &[
    "$ref",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minimum",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "type",
];

fn of_type(name: &str, schema: &Value) -> String {
    match name {
        "string" | "boolean" | "null" => name.to_owned(),
        "integer" | "number" => "number".to_owned(),
        "array" => {
            let of = kind(&schema["items"]);
            if of.contains([' ', '&']) { format!("({of})[]") } else { format!("{of}[]") }
        }
        "object" => {
            assert!(
                schema.get("properties").is_none(),
                "an object within another has a name: {schema}"
            );
            "{ [key: string]: unknown }".to_owned()
        }
        other => panic!("there is no type {other} in TypeScript"),
    }
}

/// A JSON value as a type.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    }
}
