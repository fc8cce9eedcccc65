//! What the server waits for, and how long: all of it at once, since each takes ten seconds.

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{Canary, DEADLINE, Got, Over, Server, Session};

/// Ten seconds, looked at once a second; the rest is for slow machines.
const WAITS: Range<f64> = 9.5..16.0;

/// Reads to the end: it must come in time. A poll waits for it.
fn ends(name: &str, mut session: Session, began: Instant) {
    let last = session.closed(1002);
    assert!(last.is_empty(), "{name}: {last:?}");
    let took = began.elapsed().as_secs_f64();
    assert!(WAITS.contains(&took), "{name}: after {took} s");
}

#[test]
fn nobody_is_waited_for_without_end() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let mut canary = Canary::new(&server);
    let began = Instant::now();
    let mut waiting: Vec<(String, Session)> = Vec::new();
    for over in Over::BOTH {
        let mut add = |name: &str, packets: &[&str], answers: usize| {
            let mut session = server.socket_io().open(over);
            session.send_all(packets);
            (0..answers).for_each(|_| drop(session.packet()));
            waiting.push((format!("{name} over {over:?}"), session));
        };
        let enter = format!(r#"40{{"token":"{}"}}"#, token.text);
        add("pongs and nothing else", &["3"], 0);
        add("refused and not back", &["40/none,", "40"], 2);
        let late = r#"452-["x",{"_placeholder":true,"num":1}]"#;
        add("attachments that do not come", &[&enter, late], 1);
        let mut gone = server.socket_io().open(over);
        gone.enter_as("/", &token.text);
        gone.send("41");
        waiting.push((format!("gone and not back over {over:?}"), gone));
        waiting.push((format!("silence over {over:?}"), server.socket_io().open(over)));
    }
    let mut half = server.socket_io().open(Over::Socket);
    half.enter_as("/", &token.text);
    half.send(r#"452-["x",{"_placeholder":true,"num":1}]"#);
    half.send_binary(b"one of two");
    waiting.push(("half of the attachments".to_owned(), half));
    // Sessions that are somewhere, and whose sockets never become their transport.
    let mut polling = [(); 2].map(|()| {
        let mut session = server.socket_io().open(Over::Polling);
        session.enter("/", &json!({ "token": token.text }));
        session
    });
    let mut probes = [polling[0].probes().open(), polling[1].probes().open()];
    probes[1].send("2probe");
    probes[1].hears("3probe");
    thread::scope(|scope| {
        for (name, session) in waiting {
            scope.spawn(move || ends(&name, session, began));
        }
        for mut probe in probes {
            scope.spawn(move || {
                let left = DEADLINE.max(Duration::from_secs(1));
                assert_eq!(probe.next_within(left), Some(Got::End), "a probe");
                let took = began.elapsed().as_secs_f64();
                assert!(WAITS.contains(&took), "a probe: after {took} s");
            });
        }
        canary.sings();
    });
    for session in &mut polling {
        assert_eq!(session.told("/"), [""; 0]);
    }
    canary.sings();
}
