//! The same call over HTTP, and in both dialects.

use serde_json::{Value, json};

use super::{
    House,
    line::{self, Line, UNDONE, timeless},
};
use crate::harness::{Manner, Talk};

/// The way that a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// A request of REST, on a connection that is kept.
    Rest,
    /// A message of the plain stream of station 2.
    Plain,
    /// An event of Socket.IO, in `/stations`.
    SocketIo,
}

impl Via {
    /// All of them.
    pub const ALL: [Via; 3] = [Via::Rest, Via::Plain, Via::SocketIo];
}

/// What a refusal says: its code over HTTP, where there is one, and the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status and the code of the problem; none in the dialects.
    pub code: Option<(u16, String)>,
    /// Why.
    pub words: String,
}

/// Somebody who calls things.
pub struct Caller {
    way: Way,
}

enum Way {
    Rest(Talk, Option<String>),
    Line(Box<Line>),
}

impl Caller {
    /// With this token, or none.
    #[track_caller]
    pub fn new(house: &House, token: Option<&str>, via: Via) -> Caller {
        let open = |form| Way::Line(Box::new(Line::open(house, token, form, "a caller")));
        Caller {
            way: match via {
                Via::Rest => Way::Rest(Talk::new(house.server.address()), token.map(str::to_owned)),
                Via::Plain => open(line::TWO),
                Via::SocketIo => open(line::DEAF),
            },
        }
    }

    /// Calls something that is done; gives the answer as it is written, without times.
    #[track_caller]
    pub fn says(&mut self, call: &str, fields: Value) -> String {
        let answer = self.asks(call, fields.clone());
        timeless(&answer.unwrap_or_else(|refused| panic!("{call} {fields}: {refused:?}"))).0
    }

    /// Calls something that is done; gives the answer.
    #[track_caller]
    pub fn does(&mut self, call: &str, fields: Value) -> Value {
        let answer = self.asks(call, fields.clone());
        let answer = answer.unwrap_or_else(|refused| panic!("{call} {fields}: {refused:?}"));
        serde_json::from_str(&answer).expect("an answer is JSON")
    }

    /// Calls something that is refused with this status and code, in these words.
    #[track_caller]
    pub fn refused(&mut self, call: &str, fields: Value, code: (u16, &str), words: &str) {
        let refused = self.refusal(call, fields.clone(), code);
        assert_eq!(refused, words, "{call} {fields}");
    }

    /// Calls something that is refused with this status and code; gives the words.
    #[track_caller]
    pub fn refusal(&mut self, call: &str, fields: Value, (status, code): (u16, &str)) -> String {
        match self.asks(call, fields.clone()) {
            Ok(answer) => panic!("{call} {fields} is done: {answer}"),
            Err(refused) => {
                if let Some(told) = &refused.code {
                    assert_eq!(*told, (status, code.to_owned()), "{call} {fields}: {refused:?}");
                }
                refused.words
            }
        }
    }

    /// Calls something; gives the answer as it is written.
    ///
    /// # Errors
    /// What it is refused with.
    #[track_caller]
    pub fn asks(&mut self, call: &str, fields: Value) -> Result<String, Refused> {
        loop {
            match self.asks_once(call, fields.clone()) {
                Err(refused) if refused.words == UNDONE => {}
                answer => return answer,
            }
        }
    }

    #[track_caller]
    fn asks_once(&mut self, call: &str, mut fields: Value) -> Result<String, Refused> {
        match &mut self.way {
            Way::Rest(talk, token) => {
                let request = request(call, &mut fields, token.as_deref());
                let reply = talk.ask(&request, Manner::default()).expect("it is HTTP");
                let reply = reply.expect("it is answered");
                let body = String::from_utf8(reply.body).expect("bodies are UTF-8");
                match reply.status {
                    200..=299 => {
                        assert_eq!(reply.status, status(call), "{call}: {body}");
                        Ok(if body.is_empty() { "null".to_owned() } else { body })
                    }
                    status => Err(problem(status, &body)),
                }
            }
            Way::Line(line) => {
                let answer = line.asks(call, &fields);
                result(&answer)
            }
        }
    }
}

/// What an answer of either dialect comes to, which must be spelled exactly so.
#[track_caller]
pub fn result(answer: &str) -> Result<String, Refused> {
    const DONE: &str = r#"{"success":true,"data":"#;
    if let Some(data) = answer.strip_prefix(DONE) {
        return Ok(data.strip_suffix('}').expect("an object ends").to_owned());
    }
    let words = answer.strip_prefix(r#"{"message":"#).and_then(|rest| rest.strip_suffix('}'));
    let words = words.unwrap_or_else(|| panic!("{answer}"));
    let words: String = serde_json::from_str(words).unwrap_or_else(|why| panic!("{why}: {answer}"));
    Err(Refused { code: None, words })
}

#[track_caller]
fn problem(status: u16, body: &str) -> Refused {
    let problem: Value = serde_json::from_str(body).unwrap_or_else(|why| panic!("{why}: {body}"));
    let text = |key: &str| problem[key].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    assert_eq!(problem["status"], status);
    Refused { code: Some((status, text("code"))), words: text("detail") }
}

/// What REST answers to a call that is done.
fn status(call: &str) -> u16 {
    match call {
        "stations.create" | "batteries.add" | "stations.book" => 201,
        "stations.delete" | "batteries.remove" | "bookings.cancel" => 204,
        _ => 200,
    }
}

/// A call as a request of REST.
pub fn request(call: &str, fields: &mut Value, token: Option<&str>) -> Vec<u8> {
    let (method, path) = route(call, fields);
    let key = fields.as_object_mut().and_then(|fields| fields.shift_remove("idempotency_key"));
    let key = key.map_or(String::new(), |key| {
        format!("Idempotency-Key: {}\r\n", key.as_str().expect("a key is a text"))
    });
    let bearer = token.map_or(String::new(), |text| format!("Authorization: Bearer {text}\r\n"));
    let is_get = method == "GET";
    let query = if is_get { query(fields) } else { String::new() };
    let body = if is_get || *fields == json!({}) { String::new() } else { fields.to_string() };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let len = body.len();
    format!(
        "{method} {path}{query} HTTP/1.1\r\nHost: localhost\r\n{bearer}{key}{kind}Content-Length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Where a call is found; the fields that stand in the path are taken out.
fn route(call: &str, fields: &mut Value) -> (&'static str, String) {
    let mut take = |key: &str| {
        let value = fields.as_object_mut().and_then(|fields| fields.shift_remove(key));
        value.unwrap_or_else(|| panic!("{call} has {key}")).to_string()
    };
    let station = |id: String| format!("/api/stations/{id}");
    let booking = |id: String| format!("/api/bookings/{id}");
    match call {
        "stations.list" => ("GET", "/api/stations".to_owned()),
        "stations.create" => ("POST", "/api/stations".to_owned()),
        "bookings.list" => ("GET", "/api/bookings".to_owned()),
        "stations.get" => ("GET", station(take("station_id"))),
        "stations.change" => ("PATCH", station(take("station_id"))),
        "stations.delete" => ("DELETE", station(take("station_id"))),
        "batteries.list" => ("GET", station(take("station_id")) + "/batteries"),
        "batteries.add" => ("POST", station(take("station_id")) + "/batteries"),
        "batteries.remove" => {
            let path = station(take("station_id"));
            ("DELETE", format!("{path}/batteries/{}", take("battery_id")))
        }
        "stations.book" => ("POST", station(take("station_id")) + "/bookings"),
        "bookings.get" => ("GET", booking(take("booking_id"))),
        "bookings.ready" => ("POST", booking(take("booking_id")) + "/ready"),
        "bookings.collect" => ("POST", booking(take("booking_id")) + "/collect"),
        "bookings.cancel" => ("DELETE", booking(take("booking_id"))),
        other => panic!("{other}"),
    }
}

fn query(fields: &Value) -> String {
    let fields = fields.as_object().expect("fields are an object");
    let pairs = fields.iter().map(|(key, value)| match value {
        Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    });
    let pairs: Vec<String> = pairs.collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}
