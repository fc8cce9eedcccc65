//! Attacks that take more than one request: guessing, addresses that are made up, markup and URLs that wait for
//! somebody, differences between what is absent and what is not shown, and files that others could open.

use std::{
    collections::BTreeMap,
    fs,
    io::ErrorKind,
    net::TcpListener,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    time::{Duration, Instant},
};

use bellwire_services::kit::Route;
use serde_json::{Value, json};

use super::{
    ear::Room,
    sweep::{Call, all_fields, filled, routes, streams},
    who::{
        ADMINS,
        Who::{self, Anne, Attic, Board, Boss, Dave, Eve, Hall, Lisa, Staff},
    },
    world::World,
};
use crate::{
    forge::Forge,
    harness::{Over, Reply, Token},
};

/// What the words of `items` name that is done by the functions of this module.
pub const DONE: &[&str] = &[
    "pairing codes brute-forced",
    "forged X-Forwarded-For",
    "upgrade: rate",
    "stored markup",
    "no URL of a client is fetched",
    "absent and forbidden answer alike",
    "REST: identity and rights",
];

/// Those who may know of little, and ask for it by number and name.
const ASKERS: &[Who] = &[Dave, Eve, Lisa, Board, Hall];

/// What those may know of whom it is kept from else: the call begins with this.
fn may_know(world: &World, who: Who, call: &str) -> bool {
    let is_public = [
        "stations.",
        "batteries.",
        "sensors.",
        "devices.",
        "readings.",
        "sensor_data",
        "houseworkers.",
    ];
    let own: &[&str] = match who {
        Hall => &["areas.", "clients."],
        _ => &[],
    };
    ADMINS.contains(&who)
        || is_public.iter().chain(own).any(|begin| call.starts_with(begin))
        || ["commentNotification", "ratingNotification", "subscribe_entities"].contains(&call)
        || (world.is_demo && call.starts_with("states:"))
}

/// The same names for what is not there.
fn absent(world: &World) -> BTreeMap<String, String> {
    let dave = world.fill("$dave");
    let pairs = [
        ("$vault", "vault.blind".to_owned()),
        ("$token_id", "tok_990099".to_owned()),
        ("$attic_area", "area_990099".to_owned()),
        ("$attic", "client_990099".to_owned()),
        ("$user_code", "BCDF-GHJK".to_owned()),
        ("$group", format!("{dave}:990098:990099")),
        ("$pair", "990098:990099".to_owned()),
    ];
    pairs.into_iter().map(|(name, other)| (world.fill(name), other)).collect()
}

/// Numbers that nothing has, by the field.
const NUMBERS: &[&str] =
    &["state_id", "booking_id", "userId", "userID", "user_id", "kickedUserID", "subject"];
/// Such a number.
const NO_NUMBER: u64 = 990_099;

/// A request's fields with names of what is not there.
fn without(value: &Value, key: &str, absent: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), without(value, key, absent))).collect()
        }
        Value::Array(items) => items.iter().map(|item| without(item, key, absent)).collect(),
        Value::Number(_) if NUMBERS.contains(&key) => NO_NUMBER.into(),
        Value::String(_) if NUMBERS.contains(&key) => NO_NUMBER.to_string().into(),
        Value::String(text) => absent.get(text).unwrap_or(text).clone().into(),
        other => other.clone(),
    }
}

/// An answer without what was asked for: neither names and numbers nor the length that comes of them.
fn nameless(text: &str, known: &[String]) -> String {
    let words = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "_.:-".contains(c)));
    let is_known =
        |word: &str| known.iter().any(|known| known == word.trim_end_matches([':', '.']));
    words
        .map(|word| {
            let bare =
                word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || "_.:-".contains(c)));
            if is_known(bare) { word.replacen(bare, "IT", 1) } else { word.to_owned() }
        })
        .collect()
}

fn told(reply: &Reply, known: &[String]) -> String {
    let is_fixed = |name: &str| !["date", "content-length", "etag"].contains(&name);
    let headers: Vec<_> = reply.headers.iter().filter(|(name, _)| is_fixed(name)).collect();
    nameless(
        &format!("{} {headers:?} {}", reply.status, String::from_utf8_lossy(&reply.body)),
        known,
    )
}

/// So many calls are compared on one connection: each is refused twice, and so are two fences; more than 120 refusals
/// are not answered.
const CALLS_OF_ONE: usize = 25;

/// What is absent and what is not shown is answered alike, over HTTP and Socket.IO, and takes about as long.
pub fn absent_is_like_forbidden(world: &World, calls: &[Call]) {
    let others = absent(world);
    let all = all_fields(world);
    let none = without(&all, "", &others);
    let mut known: Vec<String> = others.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    known.extend(NUMBERS.iter().map(|key| all[*key].to_string().replace('"', "")));
    known.push(NO_NUMBER.to_string());
    for who in ASKERS {
        let asked =
            |route: &Route| !may_know(world, *who, route.call) && route.pattern.contains('{');
        for route in routes().iter().filter(|route| asked(route)) {
            let pattern = route.pattern.split('?').next().unwrap_or_default();
            let method = format!("{:?}", route.method).to_uppercase();
            let answer = |fields: &Value| {
                let request = format!("{method} {}", filled(fields, pattern));
                let body = if method == "GET" { Value::Null } else { fields.clone() };
                told(&world.ask(*who, &request, &body, ""), &known)
            };
            assert_eq!(answer(&all), answer(&none), "{who:?} {method} {pattern}");
        }
        let known_to =
            |call: &&Call| !may_know(world, *who, call.name) && !call.name.starts_with("auth.");
        for some in calls.iter().filter(known_to).collect::<Vec<_>>().chunks(CALLS_OF_ONE) {
            let mut room = Room::open(
                world.server.address(),
                world.person(*who),
                Over::Socket,
                "/",
                &json!({}),
            );
            room.told();
            for call in some {
                let argument: Value =
                    serde_json::from_str(call.argument()).expect("an argument is JSON");
                let both = [argument.clone(), without(&argument, "", &others)].map(|argument| {
                    let packet = room.call(call.name, &argument.to_string());
                    room.send(&[packet]);
                    let answers = room.told().into_iter().filter(|packet| packet.starts_with("43"));
                    let answer = answers.collect::<String>();
                    let answer = answer.split_once('[').map_or("", |(_, answer)| answer).to_owned();
                    // Times of refusals differ.
                    let answer =
                        answer.split(r#","timestamp""#).next().unwrap_or_default().to_owned();
                    nameless(&answer, &known)
                });
                assert_eq!(both[0], both[1], "{who:?} {}", call.name);
            }
        }
    }
    takes_as_long(world);
}

/// Roughly: a difference of what is looked up, not of what is hidden. The quickest of many counts, as machines are
/// busy.
fn takes_as_long(world: &World) {
    for (who, there, absent) in [
        (Lisa, "GET /api/states/$vault", "GET /api/states/vault.blind"),
        (Dave, "GET /api/bookings/$booking", "GET /api/bookings/990099"),
        (
            Dave,
            "GET /api/chat/rooms/$group/messages",
            "GET /api/chat/rooms/$dave:990098:990099/messages",
        ),
    ] {
        let mut quickest = [Duration::MAX; 2];
        for _ in 0..30 {
            for (request, quickest) in [there, absent].into_iter().zip(&mut quickest) {
                let began = Instant::now();
                world.ask(who, request, &Value::Null, "");
                *quickest = began.elapsed().min(*quickest);
            }
        }
        let [there, absent] = quickest;
        let apart = there.abs_diff(absent);
        assert!(
            apart < Duration::from_millis(3) + absent,
            "{who:?}: {there:?}, and {absent:?} if absent"
        );
    }
}

/// Who guesses codes is stopped soon, whatever address they say that they have, and learns nothing meanwhile.
pub fn codes_are_not_guessed(world: &World) {
    let guess = |n: usize| {
        let letters = b"BCDFGHJKLMNPQRSTVWXZ";
        let letter = |at: usize| char::from(letters[(n + at * 7) % letters.len()]);
        (0..8).map(letter).collect::<String>()
    };
    // An admin who guesses has five tries, and then the right one is none either.
    let admin = world.server.token("admin", &[]).text;
    let tries = |code: &str, n: usize| {
        let ask = world.server.ask("POST", &format!("/api/pairing/{code}/approve")).bearer(&admin);
        ask.header(&format!("X-Forwarded-For: 10.9.8.{n}")).send().status
    };
    let statuses: Vec<u16> = (0..7).map(|n| tries(&guess(n), n)).collect();
    assert_eq!(statuses, [404, 404, 404, 404, 404, 429, 429]);
    assert_eq!(tries(&world.fill("$user_code"), 9), 429);
    // Nor does a stranger find a screen's secret: each address has so many tries, and no header is a new address.
    let mut last = 0;
    for n in 0..2_000 {
        let body = json!({ "deviceCode": guess(n) });
        let ask = world.server.ask("POST", "/api/pairing/token").from(251).json(&body);
        let ask = ask.header(&format!("X-Forwarded-For: 10.9.{}.{}", n / 250, n % 250));
        last = ask.header(&format!("Forwarded: for=10.7.{}.{}", n / 250, n % 250)).send().status;
        if last == 429 {
            break;
        }
        assert!(matches!(last, 400 | 422), "{last}");
    }
    assert_eq!(last, 429);
}

/// An address has ten tries with bad credentials at each endpoint that asks for one, and no header makes it another.
pub fn addresses_are_not_believed(world: &World) {
    let all = all_fields(world);
    for (host, path) in (220..).zip(streams()) {
        let path = filled(&all, path);
        let statuses: Vec<u16> = (0..11)
            .map(|n| {
                let dial = world.server.dial(&path).from(host).bearer("garbage");
                let dial = dial.header(&format!("X-Forwarded-For: 10.1.2.{n}, 10.2.3.{n}"));
                let dial = dial.header(&format!("X-Real-IP: 10.1.2.{n}"));
                dial.header(&format!("Forwarded: for=10.1.2.{n}")).response().status
            })
            .collect();
        assert_eq!((statuses[0], statuses[10]), (101, 429), "{path}: {statuses:?}");
    }
}

/// Markup is kept as what it is, a text, and comes as JSON that no browser takes for a page.
pub fn markup_is_text(world: &World) {
    let markup = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    let body = json!({ "name": markup });
    let made = world.does(Boss, "POST /api/areas", &body);
    assert_eq!(made["name"], markup);
    let path = format!("/api/areas/{}", super::world::text(&made, "id"));
    for request in [
        format!("GET {path}"),
        "GET /api/areas".to_owned(),
        "GET /api/areas/%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
    ] {
        let reply = world.ask(Boss, &request, &Value::Null, "Accept: text/html\r\n");
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("application/"), "{request}: {kind}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{request}");
    }
    for page in ["/", "/pair", "/screen"] {
        let reply = world.ask(Boss, &format!("GET {page}"), &Value::Null, "Accept: text/html\r\n");
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("script-src 'self'"),
            "{page}: {policy}"
        );
        assert!(!String::from_utf8_lossy(&reply.body).contains("alert("), "{page}");
    }
    world.does(Boss, &format!("DELETE {path}"), &Value::Null);
}

/// Wherever a URL may stand there stands one of this listener; nobody may come.
pub struct Trap {
    listener: TcpListener,
}

impl Trap {
    /// Everywhere.
    pub fn set(world: &World) -> Trap {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("a listener takes options");
        let url = format!("https://{}/trap.png", listener.local_addr().expect("it listens"));
        world.does(Boss, "PATCH /api/users/$ivan", &json!({ "picture": url }));
        let forge = Forge::new(world.server.data(), &world.server.token("admin", &[]));
        for key in ["jku", "x5u", "jwk", "kid"] {
            let token = forge.token(&[(key, json!(url))], &[]);
            let reply = world.server.ask("GET", "/api/states").bearer(&token).send();
            assert!(
                key == "jku" || key == "x5u" || key == "jwk" || reply.status == 401,
                "{key}: {reply:?}"
            );
        }
        for (method, path) in
            [("GET", "/"), ("GET", "/api/stations"), ("GET", "/socket.io/?EIO=4&transport=polling")]
        {
            let ask = world.server.ask(method, path).header(&format!("Referer: {url}"));
            ask.header(&format!("X-Forwarded-Host: {url}"))
                .header(&format!("X-Callback: {url}"))
                .send();
        }
        let data = json!({
            "newUserID": world.fill("$ivan"), "roomID": world.fill("$pair"), "newRoomID": world.fill("$invited"),
            "newUserPicturePath": url,
        });
        let mut line = world.line(Dave, "/ws/chat/");
        line.send(&[json!({ "type": "createUserGroup", "data": data }).to_string()]);
        line.told();
        let body = json!({ "state": url, "attributes": { "entity_picture": url } });
        world.does(Anne, "POST /api/states/image.trap", &body);
        Trap { listener }
    }

    /// Nobody came.
    pub fn is_empty(&self) {
        let came = self.listener.accept();
        assert!(
            came.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
            "{came:?}"
        );
    }
}

/// The operator's socket and the server's files are their owner's alone.
pub fn files_are_the_owners(world: &World) {
    let mut sockets = 0;
    let mut directories = vec![world.server.data().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            let Ok(data) = fs::symlink_metadata(&path) else { continue };
            sockets += usize::from(data.file_type().is_socket());
            let mode = data.permissions().mode() & 0o777;
            if data.is_dir() {
                directories.push(path);
            } else if data.file_type().is_socket()
                || path.extension().is_some_and(|end| end == "key")
            {
                assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
            }
        }
    }
    assert_eq!(sockets, 1, "the operator's");
}

/// A key of somebody else's retry gives nobody their reply, and a ticket is good once.
pub fn replies_are_the_callers(world: &World) {
    let key = "Idempotency-Key: kept\r\n";
    let body = json!({ "role": "device", "subject": "x", "ttl": 3_600 });
    for (who, status) in [(Dave, 403), (Hall, 403), (Staff, 403), (Attic, 403)] {
        assert_eq!(world.ask(who, "POST /api/tokens", &body, key).status, status, "{who:?}");
    }
    for who in [Who::Chief, Dave, Hall] {
        let reply = world.ask(who, "POST /api/auth/ticket", &Value::Null, key);
        let made: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let ticket = super::world::text(&made, "ticket");
        let verify = |status: u16| {
            let reply =
                world.server.ask("GET", &format!("/api/auth/verify?ticket={ticket}")).send();
            assert_eq!(reply.status, status, "{who:?}: {reply:?}");
        };
        verify(200);
        verify(401);
    }
    let reply = world.ask(Who::Chief, "POST /api/tokens", &body, key);
    let made =
        Token::read(&serde_json::from_slice(&reply.body).expect("an admin makes one of their own"));
    assert_ne!(made.id, world.fill("$token_id"));
}

/// Who comes with what a connection of another may be recovered by gets one of their own, which begins now.
pub fn connections_are_their_owners(world: &World) {
    for who in [Dave, Who::Bert, Boss] {
        let claim =
            json!({ "recover": true, "pid": world.fill("$pid"), "offset": world.fill("$since") });
        for over in Over::BOTH {
            let room = Room::open(world.server.address(), world.person(who), over, "/", &claim);
            let own = &room.connected;
            assert!(own["sid"].is_string() && own["pid"] != world.fill("$pid"), "{who:?}: {own}");
            assert_ne!(own["sid"], world.fill("$sid"), "{who:?}");
        }
    }
}

/// Over HTTP nobody is let in without a credential where one is asked for, and without the right to it.
pub fn identity_and_rights(world: &World) {
    let all = all_fields(world);
    let reading = json!({ "value": 1 });
    assert_eq!(
        world.ask(Who::Nobody, "POST /api/sensors/$sensor/readings", &reading, "").status,
        401
    );
    for service in bellwire_services::all() {
        for route in &service.routes {
            let command = service.commands.iter().find(|command| command.name == route.call);
            let query = service.queries.iter().find(|query| query.name == route.call);
            let access =
                command.map(|c| c.access).or(query.map(|q| q.access)).expect("a route has a call");
            let path = filled(&all, route.pattern.split('?').next().unwrap_or_default());
            let request = format!("{} {path}", format!("{:?}", route.method).to_uppercase());
            let status = |who: Who| world.ask(who, &request, &Value::Null, "").status;
            if !access.admits_guests() {
                assert_eq!(status(Who::Nobody), 401, "{request}");
            }
            if access == bellwire_services::kit::Access::Admin {
                assert_eq!(status(Dave), 403, "{request}");
                assert_eq!(status(Hall), 403, "{request}");
            }
        }
    }
}
