//! From a plan to bytes: what there is to ask for, and who asks.

use std::collections::HashMap;

use bellwire_services::kit::Route;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::plan::{Body, Change, Framing, Parameter, Plan, Segment, Who};
use crate::{
    document::Document,
    harness::{Manner, Server, Token},
    protocol::{is_at, name},
};

/// What stands in place of every password; no answer holds it.
pub const PASSWORD: &str = "s3cret-battery-staple";
/// A value that a limited user must not see.
pub const CANARY: &str = "Kanarie-4711";
/// The scopes of the limited user.
const LIMITS: [&str; 2] = ["states:read:light.*", "states:write:light.*"];
/// As many ids of a kind are remembered.
const SEEN_MAX: usize = 40;

/// What there is to ask for.
pub struct World {
    /// The server.
    pub server: Server,
    /// Every route of every service.
    pub routes: Vec<Route>,
    /// The document.
    pub document: Document,
    /// Ids that were seen in answers, by the names that paths have for them.
    seen: HashMap<String, Vec<String>>,
    /// The credential of the admin, who is a user.
    pub admin: Token,
    /// That of the limited user.
    pub limited: Token,
    /// How often the credentials were made anew.
    renewed: u32,
}

/// A request, ready to be sent.
pub struct Request {
    /// Whose credential it shows.
    pub who: Who,
    /// The route to which it leads, if there is one.
    pub route: Option<Route>,
    /// The method.
    pub method: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// How it is sent.
    pub manner: Manner,
}

impl Request {
    /// The same request with another method of the same length of answer.
    pub fn with_method(&self, method: &str) -> Request {
        let rest = &self.bytes[self.method.len()..];
        let bytes = [method.as_bytes(), rest].concat();
        let manner = Manner { bodiless: method == "HEAD", ..self.manner };
        Request { method: method.to_owned(), bytes, manner, ..*self }
    }
}

/// What paths call something that an answer has under this key, if it is an id.
fn in_paths(key: &str) -> Option<&str> {
    match key {
        "id" | "userId" | "entity_id" | "state_id" | "roomID" => Some(key),
        "conversationID" => Some("roomID"),
        "userID" => Some("houseworkerID"),
        _ => None,
    }
}

/// A credential that speaks for an admin, made for this.
fn admin(server: &Server, number: u32) -> Token {
    let login = format!("admin{number}");
    let user = json!({ "username": "Admin", "login": login, "role": "admin" });
    let user = server.operate("users.create", user).expect("a user is made");
    server.token_of("admin", user["userId"].as_str().expect("users have ids"), &[])
}

fn path(route: &Route) -> &'static str {
    route.pattern.split('?').next().expect("a pattern has a path")
}

impl World {
    /// A server with something in it.
    pub fn new() -> World {
        let server = Server::start();
        let routes = bellwire_services::all().iter().flat_map(|s| s.routes.clone()).collect();
        let (admin, limited) = (admin(&server, 0), server.token("user", &LIMITS));
        let document = Document::read();
        World { server, routes, document, seen: HashMap::new(), admin, limited, renewed: 0 }
    }

    /// Makes the credentials anew: a request may have ended them.
    pub fn renew(&mut self) {
        self.renewed += 1;
        self.admin = admin(&self.server, self.renewed);
        self.limited = self.server.token("user", &LIMITS);
    }

    /// Remembers the ids in an answer, but for those that the test needs to be left alone.
    pub fn note(&mut self, answer: &Value) {
        match answer {
            Value::Array(items) => items.iter().for_each(|item| self.note(item)),
            Value::Object(fields) if fields.get("entity_id") == Some(&"canary.bird".into()) => {}
            // Of tokens only those that a request made.
            Value::Object(fields)
                if fields.contains_key("revoked") && !fields.contains_key("token") => {}
            Value::Object(fields) => {
                for (key, value) in fields {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    if value.is_array() || value.is_object() {
                        self.note(value);
                    } else if let Some(name) = in_paths(key) {
                        let seen = self.seen.entry(name.to_owned()).or_default();
                        seen.retain(|known| *known != text);
                        seen.insert(0, text);
                        seen.truncate(SEEN_MAX);
                    }
                }
            }
            _ => {}
        }
    }

    /// The request of a plan.
    pub fn request(&self, plan: &Plan) -> Request {
        let route = plan.route.get(&self.routes);
        let method = plan.method.unwrap_or(name(route.method));
        let target = self.target(plan, route);
        let body = self.body(plan, route, method);
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{}", self.headers(plan));
        let mut bytes = head.into_bytes();
        bytes.extend(framed(plan.framing, &body));
        // HEAD is asked where GET is.
        let asked = if method == "HEAD" { "GET" } else { method };
        let found = self.routes.iter().filter(|route| name(route.method) == asked);
        let place = target.split('?').next().map(|path| path.strip_suffix('/').unwrap_or(path));
        let found = found.filter(|route| place.is_some_and(|place| is_at(path(route), place)));
        // Of two that fit, the one with the fixed segment is meant.
        let fixed = |route: &&Route| path(route).find('{').unwrap_or(usize::MAX);
        let found = found.max_by_key(fixed).copied();
        let manner = Manner {
            bodiless: method == "HEAD",
            last: plan.framing == Framing::TooShort,
            broken: plan.framing.is_broken(),
        };
        Request { who: plan.who, route: found, method: method.to_owned(), bytes, manner }
    }

    fn target(&self, plan: &Plan, route: &Route) -> String {
        let (path, declared) = route.pattern.split_once('?').unwrap_or((route.pattern, ""));
        let mut chosen = plan.segments.iter();
        let segments = path.split('/').map(|segment| {
            let Some(field) = segment.strip_prefix('{') else { return segment.to_owned() };
            let field = field.trim_end_matches('}').trim_end_matches(":int");
            match chosen.next().expect("two segments at most are open") {
                Segment::Text(text) => text.clone(),
                Segment::Seen(at) => {
                    self.seen.get(field).map_or("light.a".to_owned(), |seen| at.get(seen).clone())
                }
            }
        });
        let path = segments.collect::<Vec<_>>().join("/") + plan.tail;
        let declared: Vec<&str> = declared.split('&').collect();
        let query: Vec<String> = plan
            .query
            .iter()
            .map(|parameter| match parameter {
                Parameter::Text(text) => text.clone(),
                Parameter::Declared(at, text) => {
                    format!("{}={text}", at.get(&declared).trim_end_matches(":int"))
                }
            })
            .collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    fn headers(&self, plan: &Plan) -> String {
        let mut headers: Vec<String> = Vec::new();
        match plan.who {
            Who::Admin => headers.push(format!("Authorization: Bearer {}", self.admin.text)),
            Who::Limited => headers.push(format!("Authorization: Bearer {}", self.limited.text)),
            Who::Cookie => headers.extend([
                format!("Cookie: bellwire_session={}", self.admin.text),
                "Origin: http://localhost".to_owned(),
            ]),
            Who::Nobody => {}
            Who::Bad(header) => headers.push(header.to_owned()),
        }
        headers.extend(plan.media_type.map(|media_type| format!("Content-Type: {media_type}")));
        headers.extend(plan.headers.iter().cloned());
        headers.iter().map(|header| format!("{header}\r\n")).collect()
    }

    fn body(&self, plan: &Plan, route: &Route, method: &str) -> Vec<u8> {
        let (example, changes) = match &plan.body {
            Body::Bytes(bytes) => return bytes.clone(),
            Body::Example(..) if matches!(method, "GET" | "HEAD") && plan.method.is_none() => {
                return Vec::new();
            }
            Body::Example(example, changes) => (example, changes),
        };
        let bodies: Vec<&str> = self
            .document
            .exchanges()
            .filter(|exchange| exchange.method == name(route.method))
            .filter(|exchange| is_at(path(route), &exchange.target) && exchange.status < 300)
            .map(|exchange| exchange.body.as_str())
            .collect();
        match example.get(&bodies) {
            &"" if changes.is_empty() => Vec::new(),
            body => changed(body, changes),
        }
    }
}

/// An example's body with these changes; its passwords are replaced.
fn changed(example: &str, changes: &[Change]) -> Vec<u8> {
    let fields: serde_json::Map<String, Value> = serde_json::from_str(example).unwrap_or_default();
    let mut members: Vec<(String, String)> = fields
        .into_iter()
        .map(|(key, value)| match key.to_ascii_lowercase().contains("password") {
            true => (key, Value::from(PASSWORD).to_string()),
            false => (key, value.to_string()),
        })
        .collect();
    for change in changes {
        let at = |at: &Index| (!members.is_empty()).then(|| at.index(members.len()));
        match change {
            Change::Drop(place) => {
                at(place).map(|place| members.remove(place));
            }
            Change::Set(place, value) => {
                if let Some(place) = at(place) {
                    members[place].1.clone_from(value);
                }
            }
            Change::Double(place) => {
                if let Some(place) = at(place) {
                    members.push(members[place].clone());
                }
            }
            Change::Add(key, value) => {
                if !members.iter().any(|(known, _)| known == key) {
                    members.push(((*key).to_owned(), value.clone()));
                }
            }
            Change::Cut(_) | Change::Insert(..) => {}
        }
    }
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("{}:{value}", Value::from(&**key))).collect();
    let mut text = format!("{{{}}}", members.join(",")).into_bytes();
    for change in changes {
        match change {
            Change::Cut(place) => text.truncate(place.index(text.len() + 1)),
            Change::Insert(place, bytes) => {
                let place = place.index(text.len() + 1);
                text.splice(place..place, bytes.iter().copied());
            }
            _ => {}
        }
    }
    text
}

/// The end of a head, and the body.
fn framed(framing: Framing, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let chunked = || {
        let chunk = match len {
            0 => Vec::new(),
            _ => [format!("{len:x}\r\n").as_bytes(), body, b"\r\n"].concat(),
        };
        [&chunk[..], b"0\r\n\r\n"].concat()
    };
    let (headers, body) = match framing {
        Framing::Length if len == 0 => (String::new(), Vec::new()),
        Framing::Length => (format!("Content-Length: {len}\r\n"), body.to_vec()),
        Framing::Chunks => ("Transfer-Encoding: chunked\r\n".to_owned(), chunked()),
        Framing::Expect => {
            (format!("Expect: 100-continue\r\nContent-Length: {len}\r\n"), body.to_vec())
        }
        Framing::Twice => {
            (format!("Content-Length: {len}\r\nContent-Length: {len}\r\n"), body.to_vec())
        }
        Framing::TwoLengths => {
            let one_more = len + 1;
            (format!("Content-Length: {len}\r\nContent-Length: {one_more}\r\n"), body.to_vec())
        }
        Framing::Both => {
            (format!("Content-Length: {len}\r\nTransfer-Encoding: chunked\r\n"), chunked())
        }
        Framing::NoNumber => (format!("Content-Length: +{len}x\r\n"), body.to_vec()),
        Framing::TooShort => (format!("Content-Length: {}\r\n", len + 7), body.to_vec()),
        Framing::TooLong => (format!("Content-Length: {}\r\n", len / 2), body.to_vec()),
    };
    [headers.as_bytes(), b"\r\n", &body].concat()
}
