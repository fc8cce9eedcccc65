//! Answers that are lost on their way, and requests that are sent again until one is heard: each takes effect once
//! (promise 5), over plain WebSockets and over Socket.IO, and over both in turn.

use std::{collections::BTreeSet, net::SocketAddr};

use serde_json::{Value, json};

use super::{Proxy, weather::Weather, weathers::seeds};
use crate::{
    harness::{Client, DEADLINE, Got, Server},
    traffic::{self, Reader},
};

/// Writes with one seed.
const WRITES: usize = 60;

/// Sends a write by a connection of its own, in either dialect; the row that it made, if the answer came.
fn writes(address: SocketAddr, token: &str, number: usize, is_plain: bool) -> Option<i64> {
    let mut fields = json!({
        "entity_id": format!("light.{}", number % 7),
        "state": number.to_string(),
        "idempotency_key": format!("write {number}"),
    });
    let mut client = match is_plain {
        true => traffic::open(address, token, "?since=now")?,
        false => {
            let path = "/socket.io/?EIO=4&transport=websocket";
            let mut client = traffic::open_at(address, path, token)?;
            client.send("40/states,");
            client
        }
    };
    match is_plain {
        true => {
            fields["type"] = "states:create".into();
            client.send(&fields.to_string());
        }
        false => client.send(&format!("42/states,7{}", json!(["states:create", fields]))),
    }
    let answer = answer(&mut client, is_plain)?;
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(answer["data"]["state"], number.to_string(), "{answer}");
    Some(answer["data"]["state_id"].as_i64().expect("a row has an id"))
}

/// The answer, if it comes before the end.
fn answer(client: &mut Client, is_plain: bool) -> Option<Value> {
    loop {
        let Some(Got::Text(text)) = client.next_within(DEADLINE) else { return None };
        let answer = match is_plain {
            true => text.starts_with(r#"{"type":"states:create:response""#).then_some(&*text),
            false => text.strip_prefix("43/states,7[").and_then(|rest| rest.strip_suffix(']')),
        };
        if let Some(answer) = answer {
            return Some(serde_json::from_str(answer).expect("answers are JSON"));
        }
    }
}

#[test]
fn what_is_sent_again_takes_effect_once() {
    let server = Server::start();
    let token = server.token("admin", &[]).text;
    let mut reader = Reader::default();
    assert!(reader.read(server.address(), &token, 0));
    let mut written = 0;
    for seed in seeds() {
        for weather in [
            Weather { cut: 700, ends_after_max: 1_500, ..Weather::CALM },
            Weather { reset: 700, ends_after_max: 1_500, ..Weather::CALM },
        ] {
            let proxy = Proxy::to(server.address(), weather, seed);
            let (mut again, mut rows) = (0, BTreeSet::new());
            for number in written..written + WRITES {
                let tries = (0..1_000).map(|n| (number + n) % 2 == 0);
                let mut made = tries
                    .inspect(|_| again += 1)
                    .filter_map(|is_plain| writes(proxy.address(), &token, number, is_plain));
                let row = made.next().expect("one of so many is answered");
                assert!(rows.insert(row), "{seed}: two writes have row {row}");
            }
            written += WRITES;
            assert!(again > WRITES + WRITES / 4, "{seed}: {again} tries, {:?}", proxy.done());
            assert!(reader.read(server.address(), &token, WRITES));
        }
    }
    let states: Vec<usize> =
        reader.told.iter().map(|(_, state)| state.parse().expect("a number")).collect();
    assert_eq!(states, (0..written).collect::<Vec<_>>(), "each once, in order");
    let mut client = traffic::open(server.address(), &token, "").expect("the server is there");
    assert_eq!(traffic::rows(&mut client).len(), written);
}
