//! Areas, paired clients and pairing, as the program serves them.
//!
//! | module | what is in it |
//! |---|---|
//! | `rest` | every route: what it answers, and to whom |
//! | `changes` | changes of areas: many at once, two admins at once, retries |
//! | `clients` | who has which areas, and the end of a client's access |
//! | `history` | what a client was told, asked later |
//! | `pairing` | how a screen becomes a client, and stays one |
//! | `guesses` | codes that nobody shows, and screens that ask too often |
//! | `input` | what fields may be |
//! | `secrets` | what stands in no log, answer or file, and what does stand in the log |
//! | `ear` | connections in every form, and how what they are told is compared |
//! | `live` | who hears what of which change |
//! | `greetings` | what a connection is told first, and who is not let in |
//! | `screens` | states for paired screens |
//! | `recoveries` | what a screen missed |
//! | `acks` | what it is told until it acknowledges |
//! | `batches` | what is told at once |
//! | `waiting` | screens that wait for their token, and clients that are given another |
//! | `revocation` | the end of a client's access, live |
//! | `presence` | who is connected |
//! | `audiences` | all of it by chance, against an oracle |
//!
//! [`House`] is a server with its admin, and the few steps that most tests begin with.

mod acks;
mod audiences;
mod batches;
mod changes;
mod clients;
mod ear;
mod greetings;
mod guesses;
mod history;
mod input;
mod live;
mod pairing;
mod presence;
mod recoveries;
mod rest;
mod revocation;
mod screens;
mod secrets;
mod waiting;

pub use ear::timeless;

use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::{Value, json};

use crate::harness::{Ask, Response, Server, until};

/// A server, and an admin of it.
pub struct House {
    /// The server.
    pub server: Server,
    /// The text of an admin's token.
    pub admin: String,
}

/// A screen that asked to be paired.
#[derive(Debug, Clone)]
pub struct Screen {
    /// Its secret.
    pub device_code: String,
    /// What it shows, with the hyphen.
    pub user_code: String,
}

/// A screen that was paired.
#[derive(Debug, Clone)]
pub struct Paired {
    /// E.g. `client_1`.
    pub id: String,
    /// The text of its token, which was not used yet.
    pub token: String,
}

impl House {
    /// On a new data directory, closed to guests.
    pub fn new() -> House {
        House::of(Server::start())
    }

    /// Of this server.
    pub fn of(server: Server) -> House {
        let admin = server.token("admin", &[]).text;
        House { server, admin }
    }

    /// Begins a request of the admin.
    pub fn ask(&self, method: &str, path: &str) -> Ask {
        self.server.ask(method, path).bearer(&self.admin)
    }

    /// Makes an enabled area, and gives its id.
    #[track_caller]
    pub fn area(&self, name: &str, entity_ids: &[&str]) -> String {
        let body = json!({ "name": name, "entityIds": entity_ids });
        text(&self.ask("POST", "/api/areas").json(&body).expect(201), "id")
    }

    /// A screen asks to be paired, from an address of its own: one may ask 10 times a minute.
    #[track_caller]
    pub fn screen(&self, name: &str) -> Screen {
        // An atomic number: tests ask from several threads, and each takes the next.
        static SCREENS: AtomicU8 = AtomicU8::new(0);
        let address = 2 + SCREENS.fetch_add(1, Ordering::Relaxed) % 200;
        let ask = self.server.ask("POST", "/api/pairing").from(address);
        Screen::read(&ask.json(&json!({ "name": name })).expect(201))
    }

    /// The admin approves what shows this code; gives the client.
    #[track_caller]
    pub fn approve(&self, user_code: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/api/pairing/{user_code}/approve")).json(body).expect(200)
    }

    /// Begins to ask with a device code what came of it.
    pub fn poll(&self, device_code: &str) -> Ask {
        let body = json!({ "deviceCode": device_code });
        self.server.ask("POST", "/api/pairing/token").json(&body)
    }

    /// Pairs a screen, with these areas, and fetches its token.
    #[track_caller]
    pub fn pair(&self, name: &str, area_ids: &[&str]) -> Paired {
        let screen = self.screen(name);
        self.approve(&screen.user_code, &json!({ "areaIds": area_ids }));
        Paired::read(&self.poll(&screen.device_code).expect(200))
    }

    /// A client as admins see it.
    #[track_caller]
    pub fn client(&self, id: &str) -> Value {
        self.ask("GET", &format!("/api/clients/{id}")).expect(200)
    }

    /// Gives a client these areas and no others.
    #[track_caller]
    pub fn assign(&self, id: &str, area_ids: &[&str]) -> Value {
        let body = json!({ "areaIds": area_ids });
        self.ask("PUT", &format!("/api/clients/{id}/areas")).json(&body).expect(200)
    }
}

impl Screen {
    /// The screen that an answer to POST /api/pairing is for.
    pub fn read(started: &Value) -> Screen {
        Screen { device_code: text(started, "deviceCode"), user_code: text(started, "userCode") }
    }
}

impl Paired {
    /// The client that an answer to POST /api/pairing/token is for.
    pub fn read(handed: &Value) -> Paired {
        Paired { id: text(handed, "clientId"), token: text(handed, "token") }
    }
}

/// A member of an object that must be a text.
#[track_caller]
pub fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_else(|| panic!("{key}: {object}")).to_owned()
}

/// Whether a value is a time as clients are told it: `2024-01-15T10:30:00.000Z`.
pub fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|time| {
        time.len() == 24
            && time.as_bytes()[19] == b'.'
            && time.ends_with('Z')
            && time.parse::<jiff::Timestamp>().is_ok()
    })
}

/// Sends a request that is as long as can be, and again while the machine is too slow for it: what takes too long
/// is undone.
#[track_caller]
pub fn patiently(ask: &Ask) -> Response {
    let mut response = ask.send();
    until("it has the time for it", || {
        if response.status == 503 {
            response = ask.send();
        }
        response.status != 503
    });
    response
}
