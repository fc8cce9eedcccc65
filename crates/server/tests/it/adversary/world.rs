//! A server with something of everything in it, each with a text or number that nobody can guess.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
};

use serde_json::{Value, json};

use super::{
    ear::{Plain, Web},
    scan::Scanner,
    table::{self, Row},
    who::{
        self, Credential, Person,
        Who::{self, Anne, Bert, Board, Boss, Cora, Dave, Eve, Hall, Kim},
    },
};
use crate::{
    forge::Forge,
    harness::{Server, Token, until},
};

/// The password of those who sign in. It stands in no answer.
pub const PASSWORD: &str = "kanbatteryhorsestaple";

/// A text that nobody can guess, and what it stands in.
pub struct Canary {
    /// What it stands in, and who may see it.
    pub row: &'static Row,
    /// The text.
    pub text: String,
}

/// A server, everybody, and everything.
pub struct World {
    /// The server.
    pub server: Server,
    /// Whether it is a demo, where guests are let in.
    pub is_demo: bool,
    people: Vec<Person>,
    webs: HashMap<Who, RefCell<Web>>,
    /// What things are called by clients, by the words that stand for them in requests.
    names: RefCell<BTreeMap<&'static str, String>>,
    canaries: RefCell<Vec<Canary>>,
    /// The ends of credentials, which stand in no log.
    secrets: RefCell<Vec<String>>,
}

/// The next of a row of numbers without order (splitmix64, by S. Vigna), the same in every run.
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl World {
    /// Everything is planted at this server.
    pub fn plant(server: Server, is_demo: bool) -> World {
        let boss = server.token("admin", &[]);
        let mut world = World {
            server,
            is_demo,
            people: Vec::new(),
            webs: HashMap::new(),
            names: RefCell::default(),
            canaries: RefCell::default(),
            secrets: RefCell::default(),
        };
        world.comes(Boss, vec![Credential::bearer(&boss.text)]);
        let mut first =
            Plain::open(world.server.address(), world.person(Boss), "/api/ws?since=now");
        let resumed = first.as_mut().expect("an admin is let in").told();
        let resumed: Value = serde_json::from_str(&resumed[0]).expect("it says where it begins");
        world.name("since", text(&resumed, "cursor"));
        world.plant_users();
        world.plant_sensors();
        world.plant_states();
        world.plant_areas();
        world.plant_credentials(&boss);
        world.plant_chat();
        world.plant_stations();
        let data = world.server.data().display().to_string();
        world.register("the data directory", data);
        for row in table::TABLE {
            row.text().into_iter().for_each(|text| world.register(row.resource, text));
        }
        world
    }

    fn comes(&mut self, who: Who, shown: Vec<Credential>) {
        let person = Person::new(who, shown);
        self.secrets.borrow_mut().extend(person.secrets().map(|token| end(token).to_owned()));
        self.people.push(person);
        self.webs.insert(who, RefCell::new(Web::new(self.server.address())));
    }

    /// Everybody.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// Somebody.
    #[track_caller]
    pub fn person(&self, who: Who) -> &Person {
        self.people.iter().find(|person| person.who == who).expect("they have come")
    }

    /// A new text that nobody can guess, for this resource.
    pub fn canary(&self, resource: &str) -> String {
        let number = mixed(self.canaries.borrow().len() as u64 + 1);
        let text = format!("kan{number:016x}");
        self.register(resource, text.clone());
        text
    }

    /// The same as a number.
    pub fn number(&self, resource: &str) -> f64 {
        let number = mixed(self.canaries.borrow().len() as u64 + 1) % 1_000_000_000;
        let value = (70_000_000_000_u64 + number) as f64 + 0.5;
        self.register(resource, value.to_string());
        value
    }

    /// Registers a text that was made elsewhere.
    pub fn register(&self, resource: &str, text: String) {
        assert!(text.len() >= 5, "{resource}: {text:?} may stand anywhere");
        self.canaries.borrow_mut().push(Canary { row: table::row_of(resource), text });
    }

    /// Registers a credential; its end stands in no log.
    pub fn register_secret(&self, resource: &str, secret: &str) {
        self.register(resource, end(secret).to_owned());
        self.secrets.borrow_mut().push(end(secret).to_owned());
    }

    /// What clients call something by.
    pub fn name(&self, word: &'static str, name: impl Into<String>) {
        self.names.borrow_mut().insert(word, name.into());
    }

    /// A template with the names of things in place of words with a `$`.
    #[track_caller]
    pub fn fill(&self, template: &str) -> String {
        let names = self.names.borrow();
        let mut pieces = template.split('$');
        let mut filled = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let len =
                piece.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(piece.len());
            let name = names.get(&piece[..len]);
            filled += name.unwrap_or_else(|| panic!("${} is nothing", &piece[..len]));
            filled += &piece[len..];
        }
        filled
    }

    /// Somebody asks over HTTP; gives the status and the answer.
    #[track_caller]
    pub fn ask(&self, who: Who, request: &str, body: &Value, more: &str) -> crate::harness::Reply {
        let request = self.fill(request);
        let (method, target) = request.split_once(' ').expect("a method and a target");
        self.webs[&who].borrow_mut().ask(self.person(who), method, target, body, more)
    }

    /// Somebody does something over HTTP that they may do.
    #[track_caller]
    pub fn does(&self, who: Who, request: &str, body: &Value) -> Value {
        let reply = self.ask(who, request, body, "");
        let told = String::from_utf8_lossy(&reply.body);
        assert!(matches!(reply.status, 200..=299), "{request} {body}: {} {told}", reply.status);
        serde_json::from_slice(&reply.body).unwrap_or_default()
    }

    /// Somebody says something in chat that they may say.
    #[track_caller]
    pub fn says(&self, who: Who, message: &str) {
        let mut line = self.line(who, "/ws/chat/?rooms=me");
        line.send(&[self.fill(message)]);
        let told = line.told();
        assert!(
            !told.iter().any(|text| text.starts_with(r#"{"type":"error""#)),
            "{message}: {told:?}"
        );
    }

    /// A plain connection of somebody, which is let in.
    #[track_caller]
    pub fn line(&self, who: Who, target: &str) -> Plain {
        let line = Plain::open(self.server.address(), self.person(who), &self.fill(target));
        line.unwrap_or_else(|status| panic!("{who:?} {target}: {status}"))
    }

    fn plant_users(&mut self) {
        let make = |word: &'static str, more: Value| {
            let mut body =
                json!({ "username": format!("the_{word}"), "login": self.canary("a login") });
            for (key, value) in more.as_object().into_iter().flatten() {
                body[key] = value.clone();
            }
            let made = self.does(Boss, "POST /api/users", &body);
            self.name(word, text(&made, "userId"));
            text(&made, "login")
        };
        let lights = json!(["states:read:light.*", "states:write:light.*"]);
        let scoped = [
            lights[0].clone(),
            lights[1].clone(),
            format!("x:y:{}", self.canary("a scope")).into(),
        ];
        let email = format!("{}@example.com", self.canary("an e-mail address"));
        let anne = make("anne", json!({ "password": PASSWORD, "email": email }));
        make("bert", json!({}));
        make("cora", json!({ "kind": "houseworker" }));
        make("eve", json!({ "scopes": lights }));
        make("kim", json!({ "scopes": lights }));
        make("dave", json!({ "scopes": scoped }));
        let chief = make("chief", json!({ "role": "admin", "password": PASSWORD }));
        // These do nothing but stand there.
        let picture = format!("https://pictures.example/{}.png", self.canary("a picture"));
        make("ivan", json!({ "picture": picture }));
        make("hidden", json!({ "username": self.canary("the name of a user who books") }));
        let unseen = self.canary("a user's name");
        make(
            "unseen",
            json!({ "username": unseen, "email": format!("{}@example.org", self.canary("a user's name")) }),
        );
        self.register("a password", PASSWORD.to_owned());
        self.secrets.borrow_mut().push(PASSWORD.to_owned());

        let anne_login = anne.clone();
        let [chief, anne] = [chief, anne].map(|login| self.server.sign_in(&login, PASSWORD));
        let of = |word: &str| self.server.token_of("user", &self.fill(word), &[]).text;
        let tokens = [
            (Bert, of("$bert")),
            (Cora, of("$cora")),
            (Eve, of("$eve")),
            (Kim, of("$kim")),
            (Dave, of("$dave")),
        ];
        self.comes(Who::Chief, vec![Credential::bearer(&chief)]);
        self.comes(Anne, vec![Credential::bearer(&anne)]);
        let login = json!({ "username": anne_login, "password": PASSWORD });
        let session = text(&self.does(Anne, "POST /api/auth/login", &login), "token");
        self.register_secret("a session", &session);
        let cookie = format!("Cookie: bellwire_session={session}");
        self.comes(Who::Page, vec![Credential::lines(&[&cookie, "Origin: http://evil.example"])]);
        for (who, token) in tokens {
            self.comes(who, vec![Credential::bearer(&token)]);
        }
        let lights = ["states:read:light.*", "states:write:light.*"];
        let lisa = self.server.token("user", &lights);
        self.comes(Who::Lisa, vec![Credential::bearer(&lisa.text)]);
        let staff = self.server.token("device", &["stations:staff"]);
        self.comes(Who::Staff, vec![Credential::bearer(&staff.text)]);
        for who in [Who::Nobody, Who::Claimer] {
            self.comes(who, vec![Credential::none()]);
        }
    }

    fn plant_sensors(&mut self) {
        for device in ["device", "own_device"] {
            let body = json!({ "name": self.canary("the name of a device") });
            self.name(device, self.does(Boss, "POST /api/devices", &body)["id"].to_string());
        }
        for (device, sensor) in [("$device", "sensor"), ("$own_device", "own_sensor")] {
            let body = json!({
                "device_id": number(&self.fill(device)),
                "sensor_type": self.canary("what a sensor measures"),
                "unit": self.canary("a unit"),
            });
            self.name(sensor, self.does(Boss, "POST /api/sensors", &body)["id"].to_string());
        }
        for resource in ["a reading in a history", "a reading"] {
            let body = json!({ "value": self.number(resource) });
            self.does(Boss, "POST /api/sensors/$sensor/readings", &body);
        }
        let board = self.server.token_of("device", &self.fill("$own_device"), &[]);
        self.comes(Board, vec![Credential::bearer(&board.text)]);
    }

    fn plant_states(&self) {
        let make = |word: &'static str, entity: String, resource: &str| {
            let body = json!({ "state": self.canary(resource) });
            let made = self.does(Boss, &format!("POST /api/states/{entity}"), &body);
            self.name(word, entity);
            made["state_id"].to_string()
        };
        make("unnamed", format!("vault.{}", self.canary("the name of an entity")), "a state");
        make("vault", "vault.front".to_owned(), "an older row of a history");
        let gone = make("vault", "vault.front".to_owned(), "a row that was taken away");
        self.does(Boss, &format!("DELETE /api/states/by-id/{gone}"), &Value::Null);
        let body = json!({ "state": self.canary("a state"), "attributes": { "note": self.canary("an attribute") } });
        let made = self.does(Boss, "POST /api/states/$vault", &body);
        self.name("row", made["state_id"].to_string());
        make("removed", "vault.removed".to_owned(), "the state of an entity that was removed");
        self.does(Boss, "DELETE /api/states/$removed", &Value::Null);
        make("light", "light.shared".to_owned(), "a light");
        make("hall_fan", "fan.hall".to_owned(), "a state in the hall's area");
        make("attic_fan", "fan.attic".to_owned(), "a state in the attic's area");
        make(
            "cellar_fan",
            "fan.cellar".to_owned(),
            "a state in an area of the hall that is disabled",
        );
    }

    fn plant_areas(&mut self) {
        let make = |word: &'static str, name: String, entities: Value, enabled: bool| {
            let body = json!({ "name": name, "entityIds": entities, "isEnabled": enabled });
            self.name(word, text(&self.does(Boss, "POST /api/areas", &body), "id"));
        };
        let of_hall = || self.canary("the name of the hall's area");
        let listed = format!("lock.{}", self.canary("an entity of the hall's area"));
        make("hall_area", of_hall(), json!(["fan.hall", listed]), true);
        make("cellar_area", of_hall(), json!(["fan.cellar"]), false);
        let listed = format!("lock.{}", self.canary("an entity of the attic's area"));
        make(
            "attic_area",
            self.canary("the name of the attic's area"),
            json!(["fan.attic", listed]),
            true,
        );
        make("area", self.canary("the name of an area that nobody has"), json!([]), true);
        let pair = |word: &'static str, areas: Value| {
            let (device_code, user_code) = self.screen();
            let body = json!({ "name": self.canary("the name of a client"), "areaIds": areas });
            let made = self.does(Boss, &format!("POST /api/pairing/{user_code}/approve"), &body);
            self.name(word, text(&made, "id"));
            let ask = self.server.ask("POST", "/api/pairing/token");
            text(&ask.json(&json!({ "deviceCode": device_code })).expect(200), "token")
        };
        let hall = pair("hall", json!([self.fill("$hall_area"), self.fill("$cellar_area")]));
        let attic = pair("attic", json!([self.fill("$attic_area")]));
        self.comes(Hall, vec![Credential::bearer(&hall)]);
        self.comes(Who::Attic, vec![Credential::bearer(&attic)]);
        let (device_code, user_code) = self.screen();
        self.name("user_code", user_code);
        let waiting = Credential::lines(&[&format!("Authorization: Bearer {device_code}")]);
        self.comes(Who::Waiting, vec![waiting.auth(json!({ "deviceCode": device_code }))]);
    }

    /// A screen asks to be paired: gives its secret, and what it shows.
    fn screen(&self) -> (String, String) {
        let body = json!({ "name": self.canary("the name of a screen that waits") });
        let started = self.server.ask("POST", "/api/pairing").json(&body).expect(201);
        let (device_code, user_code) = (text(&started, "deviceCode"), text(&started, "userCode"));
        self.register_secret("a device code", &device_code);
        self.register("the code that a screen shows", user_code.clone());
        (device_code, user_code)
    }

    fn plant_credentials(&mut self, boss: &Token) {
        let key = "Idempotency-Key: kept\r\n";
        let body = json!({ "role": "device", "subject": self.canary("the subject of a token"), "ttl": 3_600 });
        let reply = self.ask(Boss, "POST /api/tokens", &body, key);
        let made = Token::read(&serde_json::from_slice(&reply.body).expect("a token is made"));
        self.register_secret("a token in a reply that is kept", &made.text);
        self.name("token_id", made.id);
        let reply = self.ask(Anne, "POST /api/auth/ticket", &Value::Null, key);
        let made: Value = serde_json::from_slice(&reply.body).expect("a ticket is made");
        self.register_secret("a ticket", &text(&made, "ticket"));

        let revoked = self.server.token("admin", &[]);
        self.server.operate("tokens.revoke", json!({ "id": revoked.id })).expect("it lives");
        self.comes(Who::Revoked, vec![Credential::bearer(&revoked.text)]);
        let forge = Forge::new(self.server.data(), boss);
        let expired = forge.token(&[], &[("exp", json!(1_700_000_000))]);
        self.comes(Who::Expired, vec![Credential::bearer(&expired)]);
        let forged = forge.bad_tokens();
        let forged = forged.iter().map(|(_, token)| Credential::bearer(token)).collect();
        self.comes(Who::Forger, forged);
        let spare = self.server.token("admin", &[]).text;
        self.comes(
            Who::Misplacer,
            vec![
                Credential::lines(&[&format!("Authorization: Basic {spare}")]),
                Credential::lines(&[&format!("Authorization: {spare}")]),
                Credential::lines(&[&format!("Cookie: session={spare}")]),
                Credential::lines(&[&format!("Sec-WebSocket-Protocol: bearer, {spare}")]),
                Credential::lines(&[&format!("X-Authorization: Bearer {spare}")]),
                Credential::query(&format!("ticket={spare}")),
                Credential::query(&format!("access_token={spare}")),
                Credential::query(&format!("deviceCode={spare}")),
                Credential::none().auth(json!({ "ticket": spare })),
                Credential::none().auth(json!({ "deviceCode": spare })),
                Credential::none().auth(json!({ "token": { "token": spare } })),
            ],
        );
        let secrets: Vec<String> = self.secrets.borrow().clone();
        for secret in secrets.into_iter().filter(|secret| *secret != PASSWORD) {
            let is_known = self.canaries.borrow().iter().any(|canary| canary.text == secret);
            if !is_known {
                self.register("a token", secret);
            }
        }
    }

    fn plant_chat(&self) {
        let label = |words: &[&str]| {
            let mut ids: Vec<u64> = words.iter().map(|word| number(&self.fill(word))).collect();
            ids.sort_unstable();
            ids.iter().map(u64::to_string).collect::<Vec<_>>().join(":")
        };
        self.name("pair", label(&["$anne", "$bert"]));
        self.name("foursome", label(&["$anne", "$bert", "$cora", "$kim"]));
        self.name("threesome", label(&["$anne", "$bert", "$cora"]));
        self.name("fivesome", label(&["$anne", "$bert", "$cora", "$eve", "$kim"]));
        self.name("reversed", format!("{}:{}", self.fill("$bert"), self.fill("$anne")));
        self.name("padded", format!("0{}:{}", self.fill("$anne"), self.fill("$bert")));
        self.name("invited", label(&["$anne", "$bert", "$ivan"]));
        self.name("taken_over", label(&["$anne", "$bert", "$cora", "$kim", "$dave"]));
        self.name("dave_and_anne", label(&["$anne", "$dave"]));
        let pair = json!({ "members": [self.fill("$bert")] });
        self.does(Anne, "POST /api/chat/rooms", &pair);
        let others: Vec<String> =
            ["$bert", "$cora", "$eve", "$kim"].map(|word| self.fill(word)).into();
        let made = self.does(Anne, "POST /api/chat/rooms", &json!({ "members": others }));
        self.name("group", text(&made, "roomID"));
        let said = |resource: &str, room: &str| {
            let data = json!({ "message": self.canary(resource), "roomID": room });
            self.says(Anne, &json!({ "type": "message", "data": data }).to_string());
        };
        said("a message between two", "$pair");
        said("a message to a group, before somebody left", "$group");
        self.says(Eve, r#"{"type":"kickUserFromGroup","roomID":"$group","newRoomID":"$foursome","kickedUserID":"$eve"}"#);
        self.name("group", self.fill("$foursome"));
        said("a message to a group, after somebody left", "$group");
        let room = self.does(Anne, "GET /api/chat/rooms/$group", &Value::Null);
        self.register("what a conversation is called for good", text(&room, "conversationID"));
        self.name("conversation", text(&room, "conversationID"));
        let body = json!({ "comment": self.canary("a comment") });
        self.does(Anne, "POST /api/houseworkers/$cora/comments", &body);
        self.does(Anne, "POST /api/houseworkers/$cora/ratings", &json!({ "rating": 5 }));
        self.register("the news of a rating", self.fill("\"privateRatingNotify-$cora\","));
    }

    fn plant_stations(&self) {
        let made = self.does(Boss, "POST /api/stations", &json!({ "name": "Uptown" }));
        self.name("station", made["id"].to_string());
        let battery = json!({ "name": "Cell", "model": "Z" });
        for word in ["battery", "spare_battery", "third_battery", "fourth_battery"] {
            let made = self.does(Boss, "POST /api/stations/$station/batteries", &battery);
            self.name(word, made["id"].to_string());
        }
        let booked = self.does(Anne, "POST /api/stations/$station/bookings", &Value::Null);
        self.name("booking", booked["id"].to_string());
        self.notify();
        let inbox = self.does(Anne, "GET /api/notifications", &Value::Null);
        self.name("notification", inbox["items"][0]["id"].to_string());
    }

    /// Anne is told something by an admin.
    pub fn notify(&self) {
        let body = json!({
            "to": self.fill("$anne"),
            "title": self.canary("the title of a notification"),
            "message": self.canary("the words of a notification"),
        });
        self.does(Boss, "POST /api/notifications", &body);
    }

    /// Nobody may have been told what is not for them, in any form; but what there is, somebody was who may be.
    pub fn nothing_leaked(&self) {
        let canaries = self.canaries.borrow();
        let texts: Vec<&str> = canaries.iter().map(|canary| &*canary.text).collect();
        let scanner = Scanner::new(&texts);
        let mut seen = vec![false; canaries.len()];
        let mut leaks = Vec::new();
        for person in &self.people {
            let heard = person.heard.lock().expect("nobody panics under this lock");
            for (number, at) in scanner.found_in(&heard) {
                let Canary { row, text } = &canaries[number];
                seen[number] = true;
                if !table::may_see(row, person.who, self.is_demo) {
                    let around = &heard[at.saturating_sub(300)..heard.len().min(at + 100)];
                    let around = String::from_utf8_lossy(around);
                    leaks.push(format!("{:?}: {}, {text}, in {around}", person.who, row.resource));
                }
            }
        }
        assert!(leaks.is_empty(), "{}", leaks.join("\n"));
        for (canary, seen) in canaries.iter().zip(seen) {
            let is_secret = canary.row.sees.is_empty();
            assert!(seen || is_secret, "nobody has seen {}: {}", canary.row.resource, canary.text);
        }
        for row in table::TABLE {
            let is_planted = canaries.iter().any(|canary| canary.row.resource == row.resource);
            assert!(is_planted, "{} is nowhere", row.resource);
        }
        assert_eq!(self.people.len(), who::ALL.len(), "everybody has come");
    }

    /// What is in the log of the server for anybody to read: no credential, and no sign of a defect.
    pub fn the_log_keeps_secrets(&self) {
        let log = self.server.log();
        for secret in self.secrets.borrow().iter() {
            assert!(!log.contains(secret), "{secret} is in {log}");
        }
        assert!(!log.contains("panicked"), "{log}");
    }

    /// The place of the newest event.
    pub fn head(&self) -> f64 {
        self.server.metric("bellwire_log_head_offset")
    }

    /// Waits until nothing happens by itself any more, such as the news of who has come.
    pub fn settles(&self) {
        let (mut last, mut same) = (-1.0, 0);
        until("nothing happens any more", || {
            let head = self.head();
            same = if head == last { same + 1 } else { 0 };
            last = head;
            same == 60
        });
    }
}

/// What only who holds a credential can know of it: of a token its signature.
fn end(secret: &str) -> &str {
    secret.rsplit('.').next().unwrap_or(secret)
}

/// A member of an object that must be a text.
#[track_caller]
pub fn text(object: &Value, key: &str) -> String {
    object[key].as_str().unwrap_or_else(|| panic!("{key}: {object}")).to_owned()
}

/// A number in digits.
#[track_caller]
pub fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text:?} is no number"))
}
