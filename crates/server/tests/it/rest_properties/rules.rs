//! What holds for any answer to any request.

use std::collections::BTreeSet;

use bellwire_services::kit::Method;
use serde_json::Value;

use super::{
    plan::Who,
    request::{CANARY, PASSWORD, Request, World},
};
use crate::{document::Document, harness::Reply, protocol::is_at};

/// The longest body of an error: what a client sends does not come back at length.
const ERROR_LEN_MAX: usize = 2_000;

/// What no answer has in it.
const NEVER: &[&str] =
    &[PASSWORD, "$argon2", "panicked", "backtrace", ".rs:", "SQLITE_", "sqlite", "bellwire.db"];

/// Statuses and codes that the document knows.
pub struct Rules {
    codes: BTreeSet<(u16, String)>,
}

impl Rules {
    /// Those of the document.
    pub fn of(document: &Document) -> Rules {
        let of = |row: &[String], status: usize, code: usize| {
            (row[status].parse().expect("a status"), row[code].clone())
        };
        let faults = document.table("Fault codes");
        let http = document.table("Codes of HTTP");
        let sensors = document.table("Codes of sensors");
        let faults = faults.iter().chain(&sensors).map(|row| of(row, 1, 0));
        let codes = faults.chain(http.iter().map(|row| of(row, 0, 1))).collect();
        Rules { codes }
    }

    /// Checks an answer.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self, world: &World, request: &Request, reply: &Reply) -> Result<(), String> {
        let body = String::from_utf8(reply.body.clone()).map_err(|_| "not UTF-8")?;
        let everything = format!("{:?}{body}", reply.headers);
        for never in NEVER.iter().copied().chain([&*world.admin.text, &*world.limited.text]) {
            if everything.contains(never) {
                return Err(format!("{never:?} is in it"));
            }
        }
        if !matches!(request.who, Who::Admin | Who::Cookie) && everything.contains(CANARY) {
            return Err("it shows what is not for this user".into());
        }
        match reply.status {
            500.. => return Err("a failure of the server".into()),
            204 | 304 => {}
            400.. => self.error(request, reply, &body)?,
            200..300 => success(world, request, reply, &body)?,
            _ => return Err("an unexpected status".into()),
        }
        let guards = [reply.header("x-content-type-options"), reply.header("cache-control")];
        if !reply.body.is_empty() && (guards[0] != Some("nosniff") || guards[1].is_none()) {
            return Err("browsers may guess its type, or keep it".into());
        }
        let is_allowed = |status| matches!(status, 400..) || request.method == "OPTIONS";
        if !may_come(request) && !is_allowed(reply.status) {
            return Err("nobody is let in".into());
        }
        Ok(())
    }

    fn error(&self, request: &Request, reply: &Reply, body: &str) -> Result<(), String> {
        if is_bare(request, reply) {
            return Ok(());
        }
        if reply.header("content-type") != Some("application/problem+json") {
            return Err("an error that is no problem".into());
        }
        if request.manner.bodiless {
            return Ok(());
        }
        let problem: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let keys: Vec<&String> = problem.as_object().into_iter().flat_map(|o| o.keys()).collect();
        let code = problem["code"].as_str().unwrap_or_default();
        // What a screen is told that asks whether it was paired has the words of RFC 8628, too.
        let standard = ["AUTHORIZATION_PENDING", "SLOW_DOWN", "ACCESS_DENIED", "EXPIRED_TOKEN"];
        let is_as_due = match standard.contains(&code) {
            true => {
                keys == ["title", "status", "code", "detail", "error"]
                    && problem["error"] == code.to_ascii_lowercase()
            }
            false => keys == ["title", "status", "code", "detail"],
        };
        if !is_as_due {
            return Err(format!("a problem with {keys:?}"));
        }
        if problem["status"] != reply.status || !self.codes.contains(&(reply.status, code.into())) {
            return Err(format!("{code} with {} is not documented", reply.status));
        }
        if !problem["title"].is_string() || problem["detail"].as_str().is_none_or(str::is_empty) {
            return Err("a problem without words".into());
        }
        if body.len() > ERROR_LEN_MAX {
            return Err(format!("an error of {} bytes", body.len()));
        }
        for (status, header) in [(401, "www-authenticate"), (405, "allow"), (429, "retry-after")] {
            if reply.status == status && reply.header(header).is_none() {
                return Err(format!("{status} without {header}"));
            }
        }
        Ok(())
    }
}

/// Whether such a caller may change something by such a request.
pub fn may_come(request: &Request) -> bool {
    let call = request.route.map(|route| route.call);
    match request.who {
        // Who knows a password signs in, whatever else they show.
        _ if call == Some("auth.login") => true,
        Who::Bad(_) => false,
        // A screen that has no credential yet asks for one, and anybody may see stations.
        Who::Nobody => call.is_some_and(|call| FOR_ANYBODY.contains(&call)),
        _ => true,
    }
}

/// The calls that nobody needs a credential for.
const FOR_ANYBODY: [&str; 4] = ["pairing.start", "stations.list", "stations.get", "batteries.list"];

/// What HTTP itself does not read is answered before there is anything to be asked for.
fn is_bare(request: &Request, reply: &Reply) -> bool {
    let is_head = matches!(reply.status, 414 | 431);
    let is_framing = reply.status == 400 && request.manner.broken;
    let is_unreadable = reply.status == 400 && request.bytes.iter().any(|b| *b >= 0x80 || *b == 0);
    reply.body.is_empty() && (is_head || is_framing || is_unreadable)
}

fn success(world: &World, request: &Request, reply: &Reply, body: &str) -> Result<(), String> {
    if reply.header("content-type") != Some("application/json") {
        return Err("a success that is no JSON".into());
    }
    if request.manner.bodiless {
        return Ok(());
    }
    let answer: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let Some(route) = request.route else { return Ok(()) };
    let path = route.pattern.split('?').next().unwrap_or_default();
    let reads = route.method == Method::Get;
    if reads && reply.header("etag").is_none() {
        return Err("no version".into());
    }
    let mut examples = world
        .document
        .exchanges()
        .filter(|exchange| exchange.method == request.method && exchange.status == reply.status)
        .filter(|exchange| is_at(path, &exchange.target))
        .filter_map(|exchange| serde_json::from_str(&exchange.answer).ok());
    match examples.any(|example| fits(&example, &answer)) {
        true => Ok(()),
        false => Err(format!("no example of {path} is like it")),
    }
}

/// Whether an answer has the keys of an example, in their order.
fn fits(example: &Value, answer: &Value) -> bool {
    match (example, answer) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.keys().eq(found.keys())
                && wanted.iter().all(|(key, value)| key == "attributes" || fits(value, &found[key]))
        }
        (Value::Array(wanted), Value::Array(found)) => found.iter().all(|found| match found {
            Value::Object(_) => wanted.iter().any(|wanted| fits(wanted, found)),
            _ => !wanted.iter().any(Value::is_object),
        }),
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => false,
        _ => true,
    }
}
