//! What only an enemy does, or bad luck: descriptors run out, bodies where none belong, floods that
//! nobody reads, a terminal that is gone.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{
    harness::{Canary, Server, text, until},
    process::bellwire,
};

#[test]
fn every_message_of_a_flood_is_answered_when_the_first_answer_comes_last() {
    let server = Server::start();
    let mut client = server.quiet_admin();
    // More than may be under way. The query is answered after all the pings behind it were.
    for pings in [62, 63, 64, 65, 200] {
        let mut flood = text(r#"{"type":"states:get","entity_id":"a.b"}"#);
        (0..pings).for_each(|n| flood.extend(text(&format!(r#"{{"type":"ping","id":{n}}}"#))));
        client.send_bytes(&flood);
        client.hears(
            r#"{"type":"states:get:response","success":false,"error":"State not found: a.b"}"#,
        );
        for n in 0..pings {
            client.hears(&format!(r#"{{"type":"pong","id":{n}}}"#));
        }
    }
}

#[test]
fn long_messages_that_wait_are_answered_in_order() {
    let server = Server::start();
    let mut client = server.quiet_admin();
    let pad = "0,".repeat(20_000);
    let ask =
        |n: usize| format!(r#"{{"type":"states:get","entity_id":"a.b","id":{n},"x":[{pad}0]}}"#);
    let flood: Vec<u8> = (0..10).flat_map(|n| text(&ask(n))).collect();
    client.send_bytes(&flood);
    for n in 0..10 {
        client.hears(&format!(
            r#"{{"type":"states:get:response","success":false,"error":"State not found: a.b","id":{n}}}"#
        ));
    }
}

#[test]
fn the_operator_gets_through_once_descriptors_come_free() {
    let server = Server::with_descriptors(64);
    let mut canary = Canary::new(&server);
    let taken: Vec<_> = (0..64).map(|_| server.dial("/").tcp()).collect();
    thread::scope(|scope| {
        until("64 descriptors are not enough", || {
            server.log().contains("a connection could not be accepted")
        });
        canary.sings();
        let asked = scope.spawn(|| server.operate("tokens.list", json!({})));
        until("the operator finds no descriptor", || {
            server.log().contains("the operator could not be answered") || asked.is_finished()
        });
        drop(taken);
        asked.join().expect("nobody panics").expect("the operator is answered");
    });
    canary.sings();
}

#[test]
fn an_upgrade_has_no_body() {
    let server = Server::start();
    let token = server.token("admin", &[]);
    let check = |header: &str, expected| {
        let dial = server.dial("/api/ws").bearer(&token.text).header(header);
        assert_eq!(dial.response().status, expected, "{header}");
    };
    check("Content-Length: 0", 101);
    check("Content-Length: 1", 400);
    check("Content-Length: 999999999999", 400);
    check("Content-Length: 5\r\nContent-Length: 5", 400);
    check("Transfer-Encoding: chunked", 400);
}

#[test]
fn a_server_whose_stderr_is_gone_ends_in_good_order() {
    let data = tempfile::tempdir().expect("a directory can be made");
    let mut child = bellwire()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data.path())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
    while !line.starts_with("Listening on ") {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("it speaks") > 0, "it does not listen");
    }
    drop(stderr);
    kill_process(Pid::from_child(&child), Signal::TERM).expect("it is not reaped yet");
    let mut status = None;
    until("it ends", || {
        status = child.try_wait().expect("it can be waited for");
        status.is_some()
    });
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}
