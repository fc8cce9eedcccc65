//! What a program with `rust_socketio` does at a server: every step of the table below, in its order.
//!
//! ```sh
//! bellwire-rust-socketio --transport polling|websocket|upgrade --address HOST:PORT
//!     --conformance HOST:PORT --token ADMIN --reader TOKEN
//! ```
//!
//! `--address` leads to a server with states through a proxy, `--conformance` to
//! `bellwire conformance-server`. It prints `please cut`, `please mend` and `please revoke`, and goes on at
//! the line `done`: the proxy drops its connections and takes no new ones, takes them again, the token
//! `--reader` is revoked. It exits 0, or with one line that says what differs.
//!
//! The library has one namespace for each connection, acknowledges nothing that a server asks, and cannot
//! ask with bytes.

mod peer;

use std::{collections::HashMap, env, fmt::Debug, io, process::ExitCode};

use peer::{Peer, Transport};
use serde_json::{Value, json};

/// Requests of the burst that a client sends as soon as it is connected.
const BURST: usize = 50;

/// The keys of a row, sorted.
const ROW_KEYS: [&str; 6] =
    ["attributes", "entity_id", "last_changed", "last_updated", "state", "state_id"];

/// What is wrong when something is not as documented.
type Played = Result<(), String>;

type Step = fn(&Test) -> Played;

/// A client that was disconnected keeps a core busy: those that disconnect come last.
const STEPS: [(&str, Step); 11] = [
    ("back after a cut", back_after_a_cut),
    ("a burst right after connecting", a_burst_right_after_connecting),
    ("acknowledged, and heard by another", acknowledged_and_heard_by_another),
    ("refusals are acknowledged", refusals_are_acknowledged),
    ("answered by an event", answered_by_an_event),
    ("two namespaces", two_namespaces),
    ("arguments of all kinds, both ways", arguments_of_all_kinds_both_ways),
    ("put out when the token is revoked", put_out_when_the_token_is_revoked),
    ("refused without a good token", refused_without_a_good_token),
    ("no such namespace", no_such_namespace),
    ("leaves by itself", leaves_by_itself),
];

fn main() -> ExitCode {
    let played = arguments().and_then(|arguments| {
        let said = arguments["--transport"].clone();
        let mut test = Test { transport: said.parse()?, arguments, entity_id: String::new() };
        for (number, (name, play)) in STEPS.iter().enumerate() {
            test.entity_id = format!("light.step_{number}");
            play(&test).map_err(|why| format!("{name}: {why}"))?;
        }
        Ok(format!("ok: rust_socketio over {said} played {} steps", STEPS.len()))
    });
    match played {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// What the program was started with, by name.
fn arguments() -> Result<HashMap<String, String>, String> {
    let given: Vec<String> = env::args().skip(1).collect();
    let pairs = given.chunks(2).filter_map(|pair| Some((pair[0].clone(), pair.get(1)?.clone())));
    let given: HashMap<_, _> = pairs.collect();
    for name in ["--transport", "--address", "--conformance", "--token", "--reader"] {
        if !given.contains_key(name) {
            return Err(format!("{name} is missing"));
        }
    }
    Ok(given)
}

/// What the steps work with.
struct Test {
    transport: Transport,
    arguments: HashMap<String, String>,
    /// An entity of the step's own.
    entity_id: String,
}

impl Test {
    /// Somebody who asked to be let into a namespace at the server with states.
    fn peer(&self, namespace: &str, auth: Value) -> Result<Peer, String> {
        Peer::dial(self.transport, &self.arguments["--address"], namespace, auth, false)
    }

    /// A writer who was let in.
    fn connected(&self, namespace: &str) -> Result<Peer, String> {
        let peer = self.peer(namespace, self.auth("--token"))?;
        peer.hears("connect")?;
        Ok(peer)
    }

    fn auth(&self, name: &str) -> Value {
        json!({ "token": self.arguments[name] })
    }

    fn row(&self, state: &str) -> Value {
        json!({ "entity_id": self.entity_id, "state": state, "attributes": {} })
    }

    fn refused(&self, namespace: &str, auth: Value, message: &str) -> Played {
        let peer = self.peer(namespace, auth)?;
        // The library's own words come before the packet's content.
        let said = format!("Received an ConnectError frame: {}", json!({ "message": message }));
        same(&peer.hears("error")?, &vec![json!(said)], "the refusal")
    }
}

fn back_after_a_cut(test: &Test) -> Played {
    let address = &test.arguments["--address"];
    let peer = Peer::dial(test.transport, address, "/states", test.auth("--token"), true)?;
    peer.hears("connect")?;
    please("cut")?;
    peer.hears("error")?;
    peer.hears("close")?;
    please("mend")?;
    peer.hears("connect")?;
    let row = test.row("back");
    succeeds(&peer.ask("states:create", row.clone())?, &row)?;
    hears_of(&peer, &row)?;
    peer.settles()
}

fn a_burst_right_after_connecting(test: &Test) -> Played {
    // Nothing is lost, and the order stays.
    let peer = test.connected("/")?;
    for number in 0..BURST {
        peer.emit("states:get", json!({ "entity_id": format!("light.nobody_{number}") }))?;
    }
    for number in 0..BURST {
        let error = format!("State not found: light.nobody_{number}");
        let wanted = json!({ "success": false, "error": error });
        same(&peer.hears("states:get:response")?, &vec![wanted], "an answer")?;
    }
    peer.settles()
}

fn acknowledged_and_heard_by_another(test: &Test) -> Played {
    let [writer, listener] = [test.connected("/")?, test.connected("/states")?];
    let entity_id = &test.entity_id;
    let attributes = json!({ "brightness": 100, "name": "Küche \"2\" 💡" });
    let on = json!({ "entity_id": entity_id, "state": "on", "attributes": attributes });
    let created = succeeds(&writer.ask("states:create", on.clone())?, &on)?;
    hears_of(&listener, &on)?;
    let got = succeeds(&writer.ask("states:get", json!({ "entity_id": entity_id }))?, &on)?;
    same(&got, &created, "the row read and the row created")?;
    let state_id = &created["state_id"];
    let update = json!({ "state_id": state_id, "state": "off", "attributes": {} });
    let off = test.row("off");
    succeeds(&writer.ask("states:update", update)?, &off)?;
    hears_of(&listener, &off)?;
    let message = format!("State {state_id} deleted successfully");
    let deleted = json!([{ "success": true, "message": message }]);
    same(&writer.ask("states:delete", json!({ "state_id": state_id }))?, &deleted, "the deletion")?;
    let gone = json!({ "entity_id": entity_id, "new_state": null });
    same(&listener.hears("state_changed")?, &vec![gone], "the last event")?;
    listener.settles()
}

fn refusals_are_acknowledged(test: &Test) -> Played {
    let peer = test.connected("/")?;
    let entity_id = &test.entity_id;
    for (event, request) in [
        ("states:get", json!({ "entity_id": entity_id })),
        ("states:update", json!({ "state_id": 1_000_000, "state": "on" })),
        ("states:delete", json!({ "state_id": 1_000_000 })),
        ("states:create", json!({ "entity_id": "no dot", "state": "on" })),
        ("states:create", json!({ "entity_id": entity_id })),
        ("nobody_knows_this", json!("a text")),
    ] {
        refuses(&peer.ask(event, request)?)?;
    }
    peer.settles()
}

fn answered_by_an_event(test: &Test) -> Played {
    let peer = test.connected("/states")?;
    let row = test.row("on");
    succeeds(&peer.ask("states:create", row.clone())?, &row)?;
    hears_of(&peer, &row)?;
    peer.emit("states:get", json!({ "entity_id": test.entity_id }))?;
    succeeds(&Value::Array(peer.hears("states:get:response")?), &row)?;
    peer.emit("states:get", json!({ "entity_id": "light.nobody_has_it" }))?;
    refuses(&Value::Array(peer.hears("states:get:response")?))?;
    peer.emit("nobody_knows_this", json!({}))?;
    peer.settles()
}

fn two_namespaces(test: &Test) -> Played {
    // `/states` hears them at once, `/` after its first request about states.
    let states = test.connected("/states")?;
    let rows = ["1", "2"].map(|state| test.row(state));
    succeeds(&states.ask("states:create", rows[0].clone())?, &rows[0])?;
    hears_of(&states, &rows[0])?;
    let root = test.connected("/")?;
    root.settles()?;
    succeeds(&states.ask("states:create", rows[1].clone())?, &rows[1])?;
    for peer in [&states, &root] {
        hears_of(peer, &rows[1])?;
        peer.settles()?;
    }
    Ok(())
}

fn arguments_of_all_kinds_both_ways(test: &Test) -> Played {
    let conformance = &test.arguments["--conformance"];
    let auth = json!({ "token": "123", "nested": { "text": "ä", "list": [1, null, true] } });
    for namespace in ["/", "/custom"] {
        let peer = Peer::dial(test.transport, conformance, namespace, auth.clone(), false)?;
        peer.hears("connect")?;
        same(&peer.hears("auth")?, &vec![auth.clone()], "the handshake's auth")?;
        if namespace == "/custom" {
            continue;
        }
        for args in [
            vec![json!(1), json!("2"), json!(null), json!({ "three": [true, "vier", -5.5] })],
            vec![json!("a \"text\"\u{2028} with 💡"), json!("")],
        ] {
            peer.emit("message", args.clone())?;
            same(&peer.hears("message-back")?, &args, "message-back")?;
            let back = peer.ask("message-with-ack", args.clone())?;
            same(&back, &Value::Array(args), "the acknowledgement of message-with-ack")?;
        }
        for bytes in [vec![1, 2, 3], vec![0, 255], vec![7; 10_000]] {
            peer.emit("message", bytes.clone())?;
            same(&peer.hears_bytes("message-back")?, &bytes, "bytes")?;
        }
    }
    let nobody = Peer::dial(test.transport, conformance, "/random", json!({}), false)?;
    nobody.hears("error").map(drop)
}

fn put_out_when_the_token_is_revoked(test: &Test) -> Played {
    let peers =
        [test.peer("/", test.auth("--reader"))?, test.peer("/states", test.auth("--reader"))?];
    for peer in &peers {
        peer.hears("connect")?;
    }
    please("revoke")?;
    for peer in &peers {
        let told = peer.hears("error")?;
        let error = told.first().map(|told| told["error"].clone());
        same(&error, &Some(json!("token revoked")), "what is told")?;
        peer.hears("close")?;
    }
    test.refused("/", test.auth("--reader"), "token invalid, expired or revoked")
}

fn refused_without_a_good_token(test: &Test) -> Played {
    for namespace in ["/", "/states"] {
        test.refused(namespace, json!({}), "authentication required")?;
        let bad = json!({ "token": "x.y.z" });
        test.refused(namespace, bad, "token invalid, expired or revoked")?;
    }
    Ok(())
}

fn no_such_namespace(test: &Test) -> Played {
    test.refused("/nobody", test.auth("--token"), "Invalid namespace")
}

fn leaves_by_itself(test: &Test) -> Played {
    let peer = test.connected("/")?;
    peer.leave()?;
    peer.ends()?;
    test.connected("/")?.settles()
}

/// Has whoever started this program do what it names.
fn please(what: &str) -> Played {
    println!("please {what}");
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| error.to_string())?;
    same(line.as_str(), "done\n", "standard input")
}

/// Takes the next announcement, which must be that of this row.
fn hears_of(peer: &Peer, row: &Value) -> Played {
    let new_state = json!({ "state": row["state"], "attributes": row["attributes"] });
    let wanted = json!({ "entity_id": row["entity_id"], "new_state": new_state });
    same(&peer.hears("state_changed")?, &vec![wanted], "the event")
}

/// The row in the only argument of an answer, which must be a success with such a row.
fn succeeds(args: &Value, wanted: &Value) -> Result<Value, String> {
    let row = &args[0]["data"];
    let reply = json!([{ "success": true, "data": row }]);
    same(args, &reply, "the answer")?;
    let keys: Vec<&str> =
        row.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
    same(&keys[..], &ROW_KEYS[..], "the keys of the row")?;
    for key in ["entity_id", "state", "attributes"] {
        same(&row[key], &wanted[key], key)?;
    }
    Ok(row.clone())
}

/// Refuses an answer that is no refusal.
fn refuses(args: &Value) -> Played {
    let error = args[0]["error"].as_str().ok_or_else(|| format!("no refusal: {args}"))?;
    // What means nothing is refused on `/` as chat says it.
    if let (Some(code), Some(at)) = (args[0]["code"].as_str(), args[0]["timestamp"].as_str()) {
        let of_chat = json!([{ "error": error, "code": code, "timestamp": at }]);
        return same(args, &of_chat, "the refusal");
    }
    same(args, &json!([{ "success": false, "error": error }]), "the refusal")
}

/// Refuses anything but an equal value.
fn same<T: PartialEq + Debug + ?Sized>(actual: &T, wanted: &T, what: &str) -> Played {
    if actual == wanted {
        return Ok(());
    }
    Err(format!("{what}: expected {wanted:?}, got {actual:?}"))
}
