//! A server that is told to end closes transports, never namespaces: clients come back by themselves.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use bellwire_wire::frame::Opcode;
use serde_json::json;

use crate::{
    harness::{DEADLINE, Dial, Got, Handshake, Over, frame, read_response},
    process::{self, ANY_PORT, Process},
};

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[test]
fn transports_are_closed_and_nobody_is_let_in() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let token = process::token(folder.path(), "admin", 3_600);
    let mut server = Process::serve(folder.path(), ANY_PORT, &[]);
    let begin = Handshake::new(server.address(), "/socket.io/");
    let auth = json!({ "token": token });
    let [mut socket, mut polling, mut upgraded, mut stubborn] =
        [Over::Socket, Over::Polling, Over::Polling, Over::Socket].map(|over| {
            let mut session = begin.open(over);
            session.enter("/", &auth);
            session.enter("/states", &auth);
            session
        });
    let mut client = upgraded.probes().open();
    client.send("2probe");
    client.hears("3probe");
    client.send("5");
    upgraded.goes_on(client);
    assert_eq!(upgraded.told("/states"), [""; 0]);
    // Nowhere yet, and told the same.
    let mut lobby = begin.open(Over::Socket);
    assert_eq!(polling.told("/"), [""; 0]);
    let mut waiting = polling.waiting();
    // Connections that are accepted, as they were answered on.
    let [socket_target, polling_target] =
        ["websocket", "polling"].map(|name| format!("/socket.io/?EIO=4&transport={name}"));
    let requests = [
        Dial::new(server.address(), &socket_target).request(),
        get(&polling_target),
        get(&format!("{polling_target}&sid={}", polling.sid)),
        get(&format!("{polling_target}&sid=AAAAAAAAAAAAAAAAAAAA")),
        get(&polling_target).replacen("GET", "POST", 1),
    ];
    let early = requests.each_ref().map(|_| {
        let mut stream = Dial::new(server.address(), "").tcp();
        stream.write_all(get("/readyz").as_bytes()).expect("the server listens");
        assert_eq!(read_response(&mut stream).0.status, 200);
        stream
    });
    server.ask_to_stop();
    for session in [&mut socket, &mut upgraded, &mut lobby, &mut stubborn] {
        let close = Got::Close(Some((1012, "service restart".to_owned())));
        assert_eq!(session.client().next(), close);
    }
    assert_eq!(read_response(&mut waiting).0.body, "1");
    // Who does not answer the close holds the server up for seconds. Nobody is let in meanwhile, nor goes on.
    for (mut stream, request) in early.into_iter().zip(&requests) {
        stream.write_all(request.as_bytes()).expect("the connection is there");
        let (response, _) = read_response(&mut stream);
        assert_eq!(response.status, 503, "{request}: {response:?}");
        assert_eq!(stream.read(&mut [0]).expect("it is ended in good order"), 0, "{request}");
    }
    for session in [&mut socket, &mut upgraded, &mut lobby, &mut stubborn] {
        session.client().send_bytes(&frame(Opcode::Close, &1012_u16.to_be_bytes()));
        assert_eq!(session.client().next(), Got::End);
    }
    drop([socket, upgraded, lobby, stubborn]);
    assert!(server.wait(DEADLINE).success(), "{}", server.log());
}

/// Who does not poll just then cannot be told, and need not be waited for.
#[test]
fn sessions_between_two_polls_hold_up_no_end() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let token = process::token(folder.path(), "admin", 3_600);
    let mut server = Process::serve(folder.path(), ANY_PORT, &[]);
    let begin = Handshake::new(server.address(), "/socket.io/");
    let mut session = begin.open(Over::Polling);
    session.enter_as("/states", &token);
    // One has something to be told, one has nothing, one is nowhere.
    begin.open(Over::Polling).enter_as("/", &token);
    begin.open(Over::Polling);
    assert_eq!(session.post(br#"42/states,1["x"]"#).body, "ok");
    let told = Instant::now();
    server.ask_to_stop();
    assert!(server.wait(DEADLINE).success(), "{}", server.log());
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
}
