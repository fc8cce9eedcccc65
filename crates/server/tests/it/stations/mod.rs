//! Battery stations as the program serves them (document 004): what is on the wire, for every rule, and who is told
//! nothing of it.
//!
//! | module | what is in it |
//! |---|---|
//! | `line` | connections in every form, and how what they are told is compared |
//! | `caller` | the same call over HTTP and in both dialects |
//! | `frames` | events as they are to be |
//! | `table` | every decision: its answer, and who is told what of it, and that nobody else is |
//! | `endings` | the same where several bookings end at once, or a user or a station goes |
//! | `rest` | resources and lists over HTTP |
//! | `greetings` | what is said first and to what is said wrongly, and stations that are none |
//! | `guests` | who needs a credential for what, and whose is no good |
//! | `refusals` | what is refused, in which words, and that nobody else notices |
//! | `fields` | what numbers, names and batteries may be |
//! | `retries` | the same key again: answers that were lost, and keys that stand for something else |
//! | `tally` | what follows from what somebody is told |
//! | `races` | who wins the last battery, and what else happens at once |
//! | `expiry` | holds that end by themselves, over restarts too |
//! | `away` | what users find who were away |
//! | `resumes` | what is told to who comes back, and what a stream shows first |
//! | `rights` | rights that change while somebody is connected, or away |
//! | `oracle` | all of it by chance, with crashes, against the log |
//!
//! [`House`] is a server with two stations and a few people.

mod away;
mod caller;
mod endings;
mod expiry;
mod fields;
mod frames;
mod greetings;
mod guests;
mod line;
mod oracle;
mod races;
mod refusals;
mod rest;
mod resumes;
mod retries;
mod rights;
mod table;
mod tally;

use serde_json::{Value, json};

pub use caller::{Caller, Refused, Via};
pub use line::{Form, Line};

use crate::harness::{Ask, Server, Token};

/// A user, as the document has one: `user@example.com`.
pub const JOHN: usize = 2;
/// Another.
pub const JANE: usize = 3;
/// Staff by scope, and no admin.
pub const OLGA: usize = 4;
/// A user without an e-mail address.
pub const UENAL: usize = 5;

/// A word of e-mail addresses that only staff may see.
pub const CANARY: &str = "canary";

/// A user: the name, the e-mail address, and the scopes.
type Person = (&'static str, Option<&'static str>, &'static [&'static str]);

/// Users, by id; user 1 is the admin that the first start made.
const PEOPLE: [Person; 6] = [
    ("", None, &[]),
    ("admin", None, &[]),
    ("john", Some("user.canary@example.com"), &[]),
    ("jane", Some("jane.canary@example.com"), &[]),
    ("olga", Some("olga.canary@stations.example"), &["stations:staff"]),
    ("\u{dc}nal canary", None, &[]),
];

/// A server with stations 1, `Downtown Station`, and 2, `Airport Station`.
pub struct House {
    /// The server.
    pub server: Server,
    /// The text of a token of an admin that speaks for no user.
    pub admin: String,
    tokens: Vec<Token>,
}

impl House {
    /// With so many batteries in each station; they are numbered from 1 on.
    pub fn new(batteries: [usize; 2]) -> House {
        House::with(&[], batteries)
    }

    /// The same with settings.
    pub fn with(settings: &[(&str, &str)], batteries: [usize; 2]) -> House {
        let server = Server::with(settings);
        let admin = server.token("admin", &[]).text;
        for (id, (name, email, scopes)) in PEOPLE.iter().enumerate().skip(JOHN) {
            let body = json!({
                "username": name, "login": format!("login{id}"), "role": "user", "email": email,
                "scopes": scopes,
            });
            let made = server.ask("POST", "/api/users").bearer(&admin).json(&body).expect(201);
            assert_eq!(made["userId"], id.to_string());
        }
        let tokens = (JOHN..PEOPLE.len()).map(|id| server.token_of("user", &id.to_string(), &[]));
        let house = House { tokens: tokens.collect(), admin, server };
        let mut caller = house.rules(Via::Rest);
        for (number, name) in (1..).zip(&frames::STATIONS[1..]) {
            let made = caller.does("stations.create", json!({ "name": name }));
            assert_eq!(made["id"], number);
        }
        for (number, count) in (1..).zip(batteries) {
            house.stock(number, count);
        }
        house
    }

    /// Adds so many new batteries to a station.
    pub fn stock(&self, station: usize, count: usize) {
        let mut line = Line::open(self, Some(&self.admin), line::DEAF, "stock");
        let fields = json!({ "station_id": station, "name": "Tesla Battery", "model": "Model 3" });
        line.does_often("batteries.add", &vec![fields; count]);
    }

    /// The text of a user's token.
    pub fn token(&self, user: usize) -> &str {
        &self.tokens[user - JOHN].text
    }

    /// The id of a user's token.
    pub fn token_id(&self, user: usize) -> &str {
        &self.tokens[user - JOHN].id
    }

    /// Who calls something in the name of a user.
    pub fn caller(&self, user: usize, via: Via) -> Caller {
        Caller::new(self, Some(self.token(user)), via)
    }

    /// Who calls something with the admin's token.
    pub fn rules(&self, via: Via) -> Caller {
        Caller::new(self, Some(&self.admin), via)
    }

    /// Begins a request of a user.
    pub fn ask(&self, user: usize, method: &str, path: &str) -> Ask {
        self.server.ask(method, path).bearer(self.token(user))
    }

    /// Begins a request of the admin's token.
    pub fn admins(&self, method: &str, path: &str) -> Ask {
        self.server.ask(method, path).bearer(&self.admin)
    }

    /// A user books a battery at a station; gives the booking.
    #[track_caller]
    pub fn books(&self, user: usize, station: usize, battery: Option<usize>) -> Value {
        let body = battery.map_or(json!({}), |id| json!({ "battery_id": id }));
        let path = format!("/api/stations/{station}/bookings");
        self.ask(user, "POST", &path).json(&body).expect(201)
    }

    /// A connection of a user.
    #[track_caller]
    pub fn line(&self, user: usize, form: Form) -> Line {
        Line::open(self, Some(self.token(user)), form, PEOPLE[user].0)
    }

    /// A connection without a credential.
    #[track_caller]
    pub fn watches(&self, form: Form) -> Line {
        Line::open(self, None, form, "a guest")
    }

    /// What is in a user's inbox, the oldest first, as it is written.
    #[track_caller]
    pub fn inbox(&self, user: usize) -> Vec<Value> {
        let page = self.ask(user, "GET", "/api/notifications?limit=1000").expect(200);
        assert_eq!(page["next"], Value::Null);
        items(&page).iter().rev().cloned().collect()
    }

    /// Available and booked batteries of a station, as it is asked for.
    #[track_caller]
    pub fn counts(&self, station: usize) -> (i64, i64) {
        let shown = self.server.ask("GET", &format!("/api/stations/{station}")).expect(200);
        let number = |key: &str| shown[key].as_i64().expect("it is a number");
        let (available, booked) = (number("available_batteries"), number("booked_batteries"));
        assert_eq!(number("total_batteries"), available + booked);
        (available, booked)
    }

    /// All batteries of a station, by what they are.
    #[track_caller]
    pub fn batteries(&self, station: usize, status: &str) -> Vec<i64> {
        let path = format!("/api/stations/{station}/batteries?limit=1000&status={status}");
        let page = self.server.ask("GET", &path).expect(200);
        assert_eq!(page["next"], Value::Null);
        items(&page).iter().map(number).collect()
    }

    /// All bookings that are so, the newest first.
    #[track_caller]
    pub fn bookings(&self, status: &str) -> Vec<Value> {
        let mut cursor = String::new();
        let mut all = Vec::new();
        loop {
            let path = format!("/api/bookings?limit=1000&status={status}{cursor}");
            let page = self.admins("GET", &path).expect(200);
            all.extend(items(&page).iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }

    /// What goes through the writer, is refused there, and does nothing.
    pub fn fence(&self) -> Ask {
        self.admins("POST", "/api/notifications/read").json(&json!({ "all": true }))
    }

    /// The server is killed, and another goes on.
    pub fn killed(self) -> House {
        House { server: self.server.kill_and_restart(), ..self }
    }
}

/// The number of a thing.
#[track_caller]
pub fn number(thing: &Value) -> i64 {
    thing["id"].as_i64().unwrap_or_else(|| panic!("{thing}"))
}

/// The items of a page.
#[track_caller]
pub fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("{page}"))
}
