//! Guests of one service, in a house that is closed else: whom a service that is open lets in, from which pages, and
//! that nothing else is open to them. And what its commands cost, of which each caller has so much in a second.
//!
//! The services are made up, so that nothing of what sensors mean matters here; states stand for the rest of the house.

use std::time::Instant;

use bellwire::{
    app::Here,
    config::{Config, Host, Origin},
    door::Guests,
};
use bellwire_services::{
    all,
    kit::{
        Access, Ctx, Event, Fault, Meter, Named, Outcome, Overflow, Payload, Principal, ReadTx,
        Route, Service, Spelling, Topic, Tx, Variant,
    },
    states,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Ask, Client, Dial, Handshake, Over, Response, Token};

/// The service that is open.
const OPEN: &str = "boards";
/// How many notes a caller may send in a second.
const PER_SECOND: u32 = 10;

const NONE: &str = "authentication required";
const INVALID: &str = "token invalid, expired or revoked";
const PAGES: &str = "guests' pages are this server's own, under an address or a name in `hosts`, or of a listed origin";
const COOKIES: &str = "the session cookie is for pages of this server's own origin";

/// Announces a note, on the topic that has the service's name.
fn note(_: &mut Tx<'_>, _: &Ctx<'_>, cmd: &Payload) -> Result<Outcome<Payload>, Fault> {
    let service = cmd.get("service").and_then(Value::as_str).unwrap_or_default().to_owned();
    let variant = Variant {
        topics: vec![Topic::Owned(service.clone())],
        payload: serde_json::value::to_raw_value(cmd).expect("a payload serialises"),
    };
    Ok(Outcome::reply(cmd.clone()).event(Event {
        name: format!("{service}_noted").into(),
        key: String::new(),
        except: Vec::new(),
        variants: vec![variant],
        overflow: Overflow::Close,
    }))
}

fn who(_: &ReadTx<'_>, ctx: &Ctx<'_>, _: &Payload) -> Result<Value, Fault> {
    Ok(json!({ "id": ctx.principal.id }))
}

fn weigh(payload: &Payload) -> u32 {
    payload.get("notes").and_then(Value::as_array).map_or(0, |notes| notes.len() as u32)
}

/// A service with notes that anybody may write whom the house lets in, and secrets for bearers.
macro_rules! notes {
    ($name:literal) => {
        Service::new($name, &[], &[])
            .command(concat!($name, "_note"), Access::Caller, note)
            .command(concat!($name, "_secret"), Access::Bearer, note)
            .query(concat!($name, "_who"), Access::Caller, who)
            .metered(
                concat!($name, "_note"),
                Meter { what: "notes", weigh, per_second: |s| s.readings_per_second },
            )
            .rest(concat!($name, "_note"), Route::post(concat!("/api/", $name)))
            .rest(concat!($name, "_secret"), Route::post(concat!("/api/", $name, "/secret")))
            .rest(concat!($name, "_who"), Route::get(concat!("/api/", $name)))
            .event::<serde_json::Value>(concat!($name, "_noted"), Spelling::Spread)
            .topics(&[$name])
            .stream(
                concat!("/ws/", $name, "/"),
                states::service().streams[0].dialect,
                Access::Caller,
                |_: &ReadTx<'_>, _: &Principal| Ok(vec![Topic::Borrowed($name)]),
            )
            .namespace(concat!("/", $name), $name, |_| false)
            .names(|name| (name == $name).then_some(Named::All))
    };
}

struct House {
    here: Here,
    _data: TempDir,
}

impl House {
    fn new(guests: Guests) -> House {
        House::with(guests, |_| {})
    }

    fn with(guests: Guests, set: impl FnOnce(&mut Config)) -> House {
        let data = tempfile::tempdir().expect("a directory can be made");
        let mut config = Config { data: data.path().join("data"), ..Config::default() };
        config.sensors.rate_max = PER_SECOND;
        set(&mut config);
        let services = all().into_iter().chain([notes!("boards"), notes!("closed")]).collect();
        House { here: Here::start(&config, services, guests).expect("it starts"), _data: data }
    }

    fn open() -> House {
        House::new(Guests::To(vec![OPEN]))
    }

    fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.here.address, method, path)
    }

    fn dial(&self, path: &str) -> Dial {
        Dial::new(self.here.address, path)
    }

    fn socket_io(&self) -> Handshake {
        Handshake::new(self.here.address, "/socket.io/")
    }

    fn token(&self, role: &str, subject: Option<&str>) -> Token {
        let request = json!({ "role": role, "subject": subject, "ttl": 3_600 });
        let payload = request.as_object().expect("it is one").clone();
        let made = self.here.operate("tokens.create", payload).expect("a token is made");
        Token::read(&serde_json::from_str(made.get()).expect("a reply is JSON"))
    }
}

fn is_let_in(client: &mut Client) -> bool {
    client.ask(r#"{"type":"ping"}"#) == r#"{"type":"pong"}"#
}

/// What stands behind the host in a request's head, and whether such a one is a guest; else what it is told, by its
/// code over HTTP and over a WebSocket.
type Row = (&'static [&'static str], Result<(), (&'static str, u16, u16)>);

const SHOWN: &[Row] = &[
    // Boards say nothing of themselves.
    (&[], Ok(())),
    (&["Origin: http://localhost"], Ok(())),
    (&["Origin: https://listed.example"], Ok(())),
    (&["Origin: http://evil.example"], Err((PAGES, 403, 4403))),
    (&["Origin: null"], Err((PAGES, 403, 4403))),
    (&["Origin: http://localhost:81"], Err((PAGES, 403, 4403))),
    (&["Origin: http://localhost", "Origin: http://evil.example"], Err((PAGES, 403, 4403))),
    // A cookie that a page of elsewhere made the browser send makes nobody a guest.
    (&["Origin: http://evil.example", "Cookie: bellwire_session=x"], Err((PAGES, 403, 4403))),
    // What is shown and no good is refused.
    (&["Authorization: Bearer bad"], Err((INVALID, 401, 4401))),
    (&["Origin: http://localhost", "Cookie: bellwire_session=bad"], Err((INVALID, 401, 4401))),
    (&["Origin: http://evil.example", "Authorization: Bearer bad"], Err((INVALID, 401, 4401))),
];

#[test]
fn whom_an_open_service_lets_in() {
    let listed: Origin = "https://listed.example".parse().expect("it is one");
    let house = House::with(Guests::To(vec![OPEN]), |config| config.origins = vec![listed]);
    for (from, (lines, expected)) in (10..).zip(SHOWN) {
        let with_lines = |ask: Ask| lines.iter().fold(ask.from(from), |ask, line| ask.header(line));
        let check = |ask: Ask, status: u16| match expected {
            Ok(()) => drop(with_lines(ask).expect(status)),
            Err((words, status, _)) => {
                let refused = with_lines(ask).send();
                let problem = refused.json();
                let told = (refused.status, problem["detail"].as_str());
                assert_eq!(told, (*status, Some(*words)), "{lines:?}");
            }
        };
        check(house.ask("GET", "/api/boards"), 200);
        check(house.ask("POST", "/api/boards").json(&json!({ "service": "boards" })), 201);
        let dial = house.dial("/ws/boards/").from(from);
        let mut client = lines.iter().fold(dial, |dial, line| dial.header(line)).open();
        match expected {
            Ok(()) => assert!(is_let_in(&mut client), "{lines:?}"),
            Err((words, _, close)) => client.refused(words, *close),
        }
        for over in Over::BOTH {
            let handshake = house.socket_io().from(from);
            let handshake = lines.iter().fold(handshake, |shake, line| shake.header(line));
            let is_cookies =
                lines.iter().any(|line| line.starts_with("Cookie: bellwire_session=x"));
            if is_cookies && over == Over::Polling {
                // As everywhere: a foreign page's cookie never gets as far as a namespace.
                let refused = handshake.ask("GET", None).send();
                assert_eq!(refused.status, 403, "{lines:?}: {refused:?}");
                continue;
            }
            let mut session = handshake.open(over);
            match expected {
                Ok(()) => drop(session.enter("/boards", &json!({}))),
                Err((words, ..)) => session.is_refused("/boards", &json!({}), words),
            }
        }
    }
}

#[test]
fn nothing_else_of_the_house_is_open() {
    let house = House::open();
    let note = json!({ "service": "closed" });
    for (method, path) in [
        ("GET", "/api/closed"),
        ("POST", "/api/closed"),
        ("POST", "/api/boards/secret"),
        ("GET", "/api/states"),
        ("POST", "/api/states/light.a"),
        ("GET", "/api/areas"),
        ("GET", "/api/users"),
        ("GET", "/api/notifications"),
        ("GET", "/api/auth/verify"),
    ] {
        house.ask(method, path).json(&note).refused(401, "UNAUTHENTICATED");
    }
    for (from, path) in (10..).zip(["/ws/closed/", "/api/ws", "/"]) {
        let (told, code) = house.dial(path).from(from).open().closed();
        assert!(told[0].contains(NONE) && code == Some(4401), "{path}: {told:?} {code:?}");
    }
    let foreign = ["Origin: http://evil.example", "Cookie: bellwire_session=x"];
    let dial = foreign.iter().fold(house.dial("/ws/closed/").from(20), |d, line| d.header(line));
    dial.open().refused(COOKIES, 4403);
    let ask = foreign.iter().fold(house.ask("GET", "/api/closed"), |ask, line| ask.header(line));
    assert_eq!(ask.refused(403, "FORBIDDEN").json()["detail"], COOKIES);
    // On its stream a guest calls what is the service's, and for guests.
    let mut client = house.dial("/ws/boards/").open();
    let refusal = |call: &str, words: &str| {
        format!(r#"{{"type":"{call}:response","success":false,"error":"{words}"}}"#)
    };
    let unknown = r#"{"type":"error","success":false,"error":"Unknown message type"}"#;
    for call in ["closed_note", "closed_who", "states:create", "states:get", "users.list"] {
        assert_eq!(client.ask(&format!(r#"{{"type":"{call}"}}"#)), unknown, "{call}");
    }
    assert!(client.ask(r#"{"type":"boards_who"}"#).contains(r#""id":"guest/127.0.0.1""#));
    let secret = client.ask(r#"{"type":"boards_secret","service":"boards"}"#);

    assert_eq!(secret, refusal("boards_secret", NONE));
}

#[test]
fn nothing_else_is_open_over_socket_io() {
    let house = House::open();
    for (from, over) in (10..).zip(Over::BOTH) {
        let mut session = house.socket_io().from(from).open(over);
        for namespace in ["/", "/states", "/areas", "/closed"] {
            session.is_refused(namespace, &json!({}), NONE);
            session.is_refused(namespace, &json!({ "topics": ["boards"] }), NONE);
        }
        for topics in [&["closed"][..], &["states"], &["boards", "states"], &["notifications"]] {
            let unknown = topics.iter().find(|topic| **topic != "boards").expect("there is one");
            let words = format!("topics: unknown topic {unknown:?}");
            session.is_refused("/boards", &json!({ "topics": topics }), &words);
        }
        session.is_refused("/boards", &json!({ "token": "bad" }), INVALID);
        session.enter("/boards", &json!({ "token": null, "topics": ["boards"] }));
        let closed = session.says(r#"42/boards,1["closed_note",{"service":"closed"}]"#);
        assert!(closed.contains("Unknown event"), "{closed}");
        let topics = session.says(r#"42/boards,2["subscribe",{"topics":["states"]}]"#);
        assert!(topics.contains("unknown topic"), "{topics}");
        let own = session.says(r#"42/boards,3["boards_who",{}]"#);
        assert!(own.contains(&format!("guest/127.0.0.{from}")), "{own}");
    }
    // A handshake that says a token is to come is nobody's until it comes.
    let mut later = house.socket_io().query("auth=message").open(Over::Socket);
    later.is_refused("/boards", &json!({}), NONE);
}

#[test]
fn guests_and_bearers_hear_each_other_and_nothing_of_elsewhere() {
    let house = House::open();
    let admin = house.token("admin", None).text;
    let mut stream = house.dial("/ws/boards/").open();
    let mut session = house.socket_io().open(Over::Socket);
    session.enter("/boards", &json!({}));
    let mut bearer = house.dial("/ws/boards/").bearer(&admin).open();
    assert!(is_let_in(&mut stream) && is_let_in(&mut bearer));
    let state = json!({ "state": "on" });
    house.ask("POST", "/api/states/light.a").bearer(&admin).json(&state).expect(201);
    let ask = |service: &str| {
        let note = json!({ "service": service });
        house.ask("POST", &format!("/api/{service}")).bearer(&admin).json(&note).expect(201)
    };
    ask("closed");
    ask("boards");
    let told = r#"{"type":"boards_noted","service":"boards"}"#;
    stream.hears(told);
    bearer.hears(told);
    session.hears(r#"42/boards,["boards_noted",{"service":"boards"}]"#);
    session.send(r#"42/boards,["boards_note",{"service":"boards","n":2}]"#);
    bearer.hears(r#"{"type":"boards_noted","service":"boards","n":2}"#);
}

/// Keys of retries are one's own: what a guest of another address made is not told.
#[test]
fn keys_of_guests_are_their_own() {
    let house = House::open();
    let ask = |from: u8, body: Value| {
        let ask = house.ask("POST", "/api/boards").from(from).header("Idempotency-Key: 1");
        ask.json(&body)
    };
    let (one, other) = (json!({ "service": "boards" }), json!({ "service": "boards", "n": 2 }));
    assert_eq!(ask(10, one.clone()).expect(201), one);
    assert_eq!(ask(10, one.clone()).expect(201), one);
    ask(10, other.clone()).refused(409, "CONFLICT");
    assert_eq!(ask(11, other.clone()).expect(201), other);
}

#[test]
fn the_rest_of_what_is_set_stays() {
    // Nothing is open by itself.
    let house = House::new(Guests::Nowhere);
    house.ask("GET", "/api/boards").refused(401, "UNAUTHENTICATED");
    house.dial("/ws/boards/").open().refused(NONE, 4401);
    house.socket_io().open(Over::Socket).is_refused("/boards", &json!({}), NONE);
    // A name that leads here counts for the server's own only if it is one of its names.
    let named = |house: &House, status| {
        let ask = house.ask("GET", "/api/boards").host("evil.example");
        assert_eq!(ask.header("Origin: http://evil.example").send().status, status);
    };
    named(&House::open(), 403);
    let hosts: Vec<Host> = vec!["evil.example".parse().expect("it is a name")];
    named(&House::with(Guests::To(vec![OPEN]), |config| config.hosts = hosts), 200);
}

#[test]
fn guests_count_as_who_needs_no_credential() {
    let house = House::open();
    let dial = house.dial("/ws/boards/").from(9);
    let began = Instant::now();
    let admitted = (0..1_000).take_while(|_| dial.response().status == 101).count() as u64;
    // Five come back in a second.
    let most = 301 + 5 * (began.elapsed().as_secs() + 1);
    assert!((300..=most).contains(&admitted), "{admitted}");
    assert_eq!(dial.response().status, 429);
    // Others are not concerned.
    assert_eq!(house.dial("/ws/boards/").from(8).response().status, 101);
}

/// Sends both at once, until the second is refused as too much: what the first took comes back within two seconds,
/// and machines may be slow.
#[track_caller]
fn limited(first: &Ask, second: &Ask) -> Response {
    for _ in 0..20 {
        first.send();
        let response = second.send();
        if response.status == 429 {
            assert_eq!(response.json()["code"], "RATE_LIMITED");
            return response;
        }
        assert_eq!(response.status, 201, "{response:?}");
    }
    panic!("it is never too much");
}

#[test]
fn a_flood_is_refused_and_hurts_nobody_else() {
    let house = House::open();
    let [one, same, two, three] = [Some("1"), Some("1"), Some("2"), Some("3")]
        .map(|device| house.token("device", device).text);
    let notes = |count: usize| json!({ "service": "boards", "notes": vec![0; count] });
    let post = |token: &str, count: usize| {
        house.ask("POST", "/api/boards").bearer(token).json(&notes(count))
    };
    post(&one, 20).expect(201);
    let refused = limited(&post(&one, 20), &post(&one, 20));
    assert_eq!(refused.json()["detail"], "too many notes; at most 10 a second");
    let after_s = refused.header("retry-after").expect("it says when");
    assert!(matches!(after_s, "1" | "2"), "{refused:?}");
    // Another token of the same device has the same purse; another device its own.
    limited(&post(&one, 20), &post(&same, 20));
    post(&two, 20).expect(201);
    // More than there ever is is refused for good, however long nothing was sent.
    let refused = post(&three, 21).refused(422, "INVALID");
    assert_eq!(refused.json()["detail"], "too many notes at once; at most 20");
    post(&three, 20).expect(201);
    // Guests pay by address, over HTTP as over a connection.
    let guest = |from: u8| house.ask("POST", "/api/boards").from(from).json(&notes(20));
    limited(&guest(9), &guest(9));
    let mut flood = house.dial("/ws/boards/").from(9).open();
    let mut message = notes(20);
    message["type"] = "boards_note".into();
    let is_limited = |said: &str| said.contains("too many notes; at most 10 a second");
    flood.send(&message.to_string());
    flood.send(&message.to_string());
    let told: Vec<String> = std::iter::repeat_with(|| flood.text()).take(2).collect();
    assert!(told.iter().any(|said| is_limited(said)), "{told:?}");
    guest(8).expect(201);
    // Everything else goes on.
    let mut other = house.dial("/ws/boards/").from(9).open();
    assert!(other.ask(r#"{"type":"boards_who"}"#).contains("guest/127.0.0.9"));
    let payload = notes(500).as_object().expect("it is one").clone();
    house.here.operate("boards_note", payload).expect("the server's own pay nothing");
}
