//! docs/protocol.md says what the server does: every example is sent, and every route, operation, event
//! and code has its place there.

use std::collections::{BTreeMap, BTreeSet};

use bellwire::faults;
use bellwire_services::kit::{Access, Code, Method, Service, Stream, declared};
use bellwire_wire::frame::Opcode;
use serde_json::Value;

use crate::{
    document::{Chapter, Document, Example, Exchange, Step, Texts},
    harness::{Client, Got, Server, Token, frame},
};

/// A server, as a chapter's examples find it, and what they have come to.
struct Stage {
    server: Server,
    texts: Texts,
    /// The connections by name; most chapters need one, without a name.
    clients: BTreeMap<String, Client>,
    /// Whose turn it is.
    turn: String,
    /// Whether it is where states are.
    at_states: bool,
}

impl Stage {
    fn new() -> Stage {
        let server = Server::start();
        let mut texts = Texts::default();
        let lights: &[&str] = &["states:read:light.*"];
        for (name, role, scopes) in
            [("$ADMIN", "admin", &[][..]), ("$LIGHTS", "user", lights), ("$SCREEN", "client", &[])]
        {
            let Token { text, .. } = server.token(role, scopes);
            texts.set(name, &text);
        }
        texts.set("$PASSWORD", &server.admin_password());
        Stage { server, texts, clients: BTreeMap::new(), turn: String::new(), at_states: false }
    }

    fn play(&mut self, chapter: &Chapter) {
        for example in &chapter.examples {
            self.turn.clear();
            match example {
                Example::Plain(steps) => {
                    steps.iter().for_each(|(line, step)| self.step(*line, step));
                    self.is_silent(steps);
                }
                Example::SocketIo(steps) => self.packets(steps),
                Example::Http(exchanges) => exchanges.iter().for_each(|e| self.exchange(e)),
            }
        }
    }

    fn step(&mut self, line: usize, step: &Step) {
        match step {
            Step::Turn(name) => self.turn.clone_from(name),
            Step::Open(target, headers) => {
                let dial = self.server.dial(&self.texts.fill(target));
                let headers = headers.iter().map(|header| self.texts.fill(header));
                self.at_states = target.starts_with("/api/ws");
                let client = headers.fold(dial, |dial, header| dial.header(&header)).open();
                self.clients.insert(self.turn.clone(), client);
            }
            Step::Say(text) if text == "close 1000" => {
                let code = 1_000_u16.to_be_bytes();
                self.client(line).send_bytes(&frame(Opcode::Close, &code));
                self.clients.remove(&self.turn);
            }
            Step::Say(text) => {
                let text = self.texts.fill(text);
                self.client(line).send(&text);
            }
            Step::Hear(text) => {
                let heard = match self.client(line).next() {
                    Got::Text(heard) => heard,
                    Got::Close(Some((code, reason))) => format!("close {code} {reason}"),
                    other => panic!("line {line}: {other:?} instead of {text}"),
                };
                assert!(self.texts.is(text, &heard), "line {line}: {text}\nis in truth: {heard}");
                if text.starts_with("close ") {
                    self.clients.remove(&self.turn);
                }
            }
        }
    }

    /// Plays a dialogue in packets. Nothing more comes than what is shown: a question behind it is answered
    /// next.
    fn packets(&mut self, steps: &[(usize, Step)]) {
        steps.iter().for_each(|(line, step)| self.step(*line, step));
        let Some(client) = self.clients.get_mut(&self.turn) else { return };
        client.send("40/behind,");
        client.hears(r#"44/behind,{"message":"Invalid namespace"}"#);
    }

    fn client(&mut self, line: usize) -> &mut Client {
        let client = self.clients.get_mut(&self.turn);
        client.unwrap_or_else(|| panic!("line {line}: no connection is open"))
    }

    /// Nothing more comes than what is shown.
    fn is_silent(&mut self, steps: &[(usize, Step)]) {
        let (line, last) = steps.last().expect("an example has lines");
        let first = match steps.first() {
            Some((_, Step::Turn(_))) => None,
            _ => Some(""),
        };
        let turns = steps.iter().filter_map(|(_, step)| match step {
            Step::Turn(name) => Some(name.as_str()),
            _ => None,
        });
        let spoke: BTreeSet<&str> = first.into_iter().chain(turns).collect();
        for (name, client) in
            self.clients.iter_mut().filter(|(name, _)| spoke.contains(name.as_str()))
        {
            match last {
                Step::Open(..) => {}
                _ if self.at_states => assert_eq!(client.told(), [""; 0], "behind line {line}"),
                // What was answered over HTTP was told before this is.
                _ => assert_eq!(
                    client.ask(r#"{"type":"ping"}"#),
                    r#"{"type":"pong"}"#,
                    "behind line {line} {name}"
                ),
            }
        }
    }

    fn exchange(&mut self, exchange: &Exchange) {
        let Exchange { line, method, target, headers, body, status, shown, answer } = exchange;
        let mut ask = self.server.ask(method, &self.texts.fill(target));
        for header in headers {
            let header = self.texts.fill(header);
            ask = match header.strip_prefix("Host: ") {
                Some(host) => ask.host(host),
                None => ask.header(&header),
            };
        }
        let response = ask.body(self.texts.fill(body).as_bytes()).send();
        assert_eq!(response.status, *status, "line {line}: {response:?}");
        for header in shown {
            let (name, value) = header.split_once(": ").expect("a header has a value");
            let mut values = response.head.lines().filter_map(|line| line.split_once(": "));
            let found = values.find(|(found, _)| found.eq_ignore_ascii_case(name));
            let is = found.is_some_and(|(_, found)| self.texts.is(value, found));
            assert!(is, "line {line}: {header}\nis in truth: {}", response.head);
        }
        let compact = serde_json::from_str(answer).map(|json: Value| json.to_string());
        let answer = compact.as_ref().unwrap_or(answer);
        let is = self.texts.is(answer, response.body.trim_end());
        assert!(is, "line {line}: {answer}\nis in truth: {}", response.body);
    }
}

#[test]
fn every_example_is_what_happens() {
    let document = Document::read();
    for chapter in document.chapters.iter().filter(|chapter| !chapter.examples.is_empty()) {
        Stage::new().play(chapter);
    }
}

/// Who a route or an operation is for, in the document's words.
fn who(access: Access) -> &'static str {
    match access {
        Access::Anyone | Access::Visitor => "anyone",
        Access::Caller => "caller",
        Access::Bearer | Access::Credential => "bearer",
        Access::Admin => "admin",
        Access::Operator => "operator",
    }
}

/// A method as it is written.
pub fn name(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    }
}

/// Whether a request target is one of a route with this path.
pub fn is_at(path: &str, target: &str) -> bool {
    let target = target.split('?').next().unwrap_or(target);
    let (wanted, found) = (path.split('/'), target.split('/'));
    wanted.clone().count() == found.clone().count()
        && wanted.zip(found).all(|(wanted, found)| match wanted.starts_with('{') {
            true => !found.is_empty(),
            false => wanted == found,
        })
}

/// Who may make a call, by its name.
fn access() -> BTreeMap<&'static str, Access> {
    let mut access = BTreeMap::new();
    for service in bellwire_services::all() {
        access.extend(service.commands.iter().map(|command| (command.name, command.access)));
        access.extend(service.queries.iter().map(|query| (query.name, query.access)));
    }
    access
}

#[test]
fn every_route_is_documented() {
    let document = Document::read();
    let access = access();
    let services = bellwire_services::all();
    let routes: Vec<_> = services.iter().flat_map(|service| &service.routes).collect();
    let rows: BTreeSet<Vec<String>> = routes
        .iter()
        .map(|route| {
            let who = who(access[route.call]);
            let status = route.status.to_string();
            let pattern = route.pattern.replace(":int", "");
            let (path, parameters) = pattern.split_once('?').unwrap_or((&pattern, ""));
            let parameters = parameters.replace('&', " ");
            [&format!("{} {path}", name(route.method)), &parameters, who, &status, route.call]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    let documented: BTreeSet<_> = document.table("Routes").into_iter().collect();
    assert_eq!(documented, rows);
    for route in routes {
        let path = route.pattern.split('?').next().unwrap_or_default();
        let (method, status) = (name(route.method), route.status);
        let found = document.exchanges().any(|exchange| {
            (&*exchange.method, exchange.status) == (method, status)
                && is_at(path, &exchange.target)
        });
        assert!(found, "{method} {path} has no example that is answered {status}");
    }
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

#[test]
fn every_operation_and_event_is_documented() {
    let document = Document::read();
    let (mut said, mut heard) = (BTreeSet::new(), BTreeSet::new());
    for step in document.steps() {
        let (set, text) = match step {
            Step::Say(text) => (&mut said, text),
            Step::Hear(text) => (&mut heard, text),
            Step::Open(..) | Step::Turn(_) => continue,
        };
        let Some(frame) = json(text) else { continue };
        let kind = declared(frame["type"].as_str().unwrap_or_default()).to_owned();
        set.insert((kind, frame["success"].as_bool()));
    }
    for service in bellwire_services::all().iter().filter(|service| !service.streams.is_empty()) {
        let opened = |stream: &Stream| {
            document.steps().any(|step| match step {
                Step::Open(target, _) => {
                    is_at(stream.path.trim_end_matches('/'), target.trim_end_matches('/'))
                }
                _ => false,
            })
        };
        let lost = service.streams.iter().find(|stream| !opened(stream));
        assert!(lost.is_none(), "no example of {lost:?}");
        let heading = HEADINGS.iter().find(|(name, ..)| *name == service.name);
        let (_, operations, events) =
            heading.unwrap_or_else(|| panic!("where is {}?", service.name));
        let calls = calls_of(service);
        let rows = |headings: &[&str]| -> Vec<Vec<String>> {
            headings.iter().flat_map(|heading| document.table(heading)).collect()
        };
        let documented: BTreeSet<Vec<String>> = rows(operations)
            .iter()
            .map(|row| row[..calls.first().map_or(0, Vec::len)].to_vec())
            .collect();
        assert_eq!(documented, calls);
        for call in &calls {
            let response = format!("{}:response", call[0]);
            // What strangers may ask is asked over HTTP.
            let answers: &[bool] = match (service.name, call.last().map(String::as_str)) {
                (_, Some("anyone")) => continue,
                ("states", Some("subscription")) => &[],
                ("states", _) => &[true, false],
                // Refusals are of no operation there.
                _ => &[true],
            };
            assert!(said.contains(&(call[0].clone(), None)), "no example of {}", call[0]);
            for success in answers {
                let answered = heard.contains(&(response.clone(), Some(*success)));
                assert!(answered, "no example of {response} with {success}");
            }
        }
        let told: BTreeSet<_> = service.told().map(|told| told.name.to_owned()).collect();
        assert_eq!(rows(events).iter().map(|row| row[0].clone()).collect::<BTreeSet<_>>(), told);
        // Who comes and goes is told in its own time.
        for event in told.iter().filter(|name| *name != "clients_present") {
            assert!(heard.contains(&(event.clone(), None)), "no example of {event}");
        }
    }
    for kind in ["states:snapshot", "resumed", "reset", "pong"] {
        assert!(heard.contains(&(kind.to_owned(), None)), "no example of {kind}");
    }
}

/// Where the operations and events of each service stand.
const HEADINGS: [(&str, &[&str], &[&str]); 6] = [
    ("states", &["Operations"], &["Events"]),
    ("areas", &["Operations of areas"], &["Events of areas"]),
    ("sensors", &["Operations of sensors"], &["Events of sensors"]),
    (
        "chat",
        &["Operations of chat", "Operations of the marketplace"],
        &["Events of chat", "Events of the marketplace"],
    ),
    ("stations", &["Operations of stations"], &["Events of stations"]),
    ("notifications", &["Operations of notifications"], &["Events of notifications"]),
];

/// The calls of a service as its table has them: the name and the kind, and whom each is for if that is not the
/// same for all.
fn calls_of(service: &Service) -> BTreeSet<Vec<String>> {
    let commands = service.commands.iter().map(|c| (c.name, c.access, "command"));
    let queries = service.queries.iter().map(|q| (q.name, q.access, "query"));
    let calls = commands.chain(queries).filter(|(_, access, _)| *access != Access::Operator);
    let calls: Vec<_> = calls.collect();
    let is_for_all = calls.iter().all(|(_, access, _)| *access == Access::Caller);
    let row = |(name, access, kind): &(&str, Access, &str)| {
        let mut row = vec![(*name).to_owned(), (*kind).to_owned()];
        if !is_for_all {
            row.push(who(*access).to_owned());
        }
        row
    };
    let subscriptions = service.subscriptions.iter();
    let subscriptions = subscriptions.map(|s| vec![s.name.to_owned(), "subscription".to_owned()]);
    calls.iter().map(row).chain(subscriptions).collect()
}

/// Every code, in the order in which they are declared.
fn codes() -> Vec<Code> {
    let next = |code| match code {
        Code::Invalid => Some(Code::Unauthenticated),
        Code::Unauthenticated => Some(Code::Forbidden),
        Code::Forbidden => Some(Code::NotFound),
        Code::NotFound => Some(Code::Conflict),
        Code::Conflict => Some(Code::PreconditionFailed),
        Code::PreconditionFailed => Some(Code::RateLimited),
        Code::RateLimited => Some(Code::AuthorizationPending),
        Code::AuthorizationPending => Some(Code::SlowDown),
        Code::SlowDown => Some(Code::AccessDenied),
        Code::AccessDenied => Some(Code::ExpiredToken),
        Code::ExpiredToken => Some(Code::Overloaded),
        Code::Overloaded => Some(Code::Full),
        Code::Full => Some(Code::Timeout),
        Code::Timeout => Some(Code::Internal),
        Code::Internal => None,
    };
    std::iter::successors(Some(Code::Invalid), |code| next(*code)).collect()
}

#[test]
fn the_table_of_codes_is_that_of_the_server() {
    let documented = Document::read().table("Fault codes");
    // The table above the code has the last column, which only people read.
    let source = include_str!("../../src/faults.rs");
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let advice: BTreeMap<&str, &str> = rows
        .filter_map(|row| {
            Some((row.split_once('`')?.0, row.trim_end_matches(" |").rsplit_once("| ")?.1))
        })
        .collect();
    let rows: Vec<Vec<String>> = codes()
        .into_iter()
        .map(|code| {
            let name = code.name();
            let (status, close) = (faults::status(code).as_u16(), faults::close(code).0);
            [name, &status.to_string(), &close.to_string(), advice[name]]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    assert_eq!(documented, rows);
}
