//! Promise 10 on one machine: a server that is told to end lets its readers go in good order, keeps
//! what it acknowledged, and the next one takes over at once.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    harness::{DEADLINE, Dial, Got, read_response},
    process::{self, ANY_PORT, Process},
    traffic::{self, Book, Reader, answered, rows},
};

const LIVES: usize = 3;
const WRITERS: usize = 3;
const READERS: usize = 8;
/// The acknowledgements after which a server is told to end.
const ACKNOWLEDGED: usize = 300;
/// Sessions are closed over a second; the rest is for slow machines.
const DRAINED_MAX: Duration = Duration::from_secs(5);
/// A peer has 5 s to answer; a server that has waited 10 s cuts off what is left.
const STUBBORN_MAX: Duration = Duration::from_secs(9);
const RESTART: u16 = 1012;

#[test]
fn a_drain_loses_nothing() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let token = process::token(data, "admin", 3_600);
    let mut book = Book::default();
    let mut readers: Vec<Reader> = (0..READERS).map(|_| Reader::default()).collect();
    let mut server = Process::serve(data, ANY_PORT, &[]);
    let address = server.address();
    for reader in &mut readers {
        assert!(reader.read(address, &token, 0));
    }
    for life in 0..LIVES {
        let (acknowledged, acknowledgements) = mpsc::channel();
        thread::scope(|scope| {
            for reader in &mut readers {
                scope.spawn(|| reader.read(address, &token, usize::MAX));
            }
            let retries = book.unanswered();
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let client = traffic::open(address, &token, "").expect("the server is there");
                    let acknowledged = acknowledged.clone();
                    let retries = if writer == 0 { retries.clone() } else { Vec::new() };
                    let name = format!("l{life}w{writer}");
                    scope.spawn(move || traffic::write(client, &name, retries, &acknowledged))
                })
                .collect();
            for _ in 0..ACKNOWLEDGED {
                acknowledgements.recv_timeout(DEADLINE).expect("writes are answered");
            }
            let told = Instant::now();
            server.ask_to_stop();
            assert!(server.wait(DEADLINE).success(), "{}", server.log());
            assert!(told.elapsed() < DRAINED_MAX, "{:?}", told.elapsed());
            writers.into_iter().for_each(|writer| book.enter(writer.join().expect("it ends well")));
        });
        // The same port, at once.
        server = Process::serve(data, &address.to_string(), &[]);
    }
    let mut client = traffic::open(address, &token, "").expect("the server is there");
    book.enter(answered(&mut client, book.unanswered()));
    drop(client);
    let rows = rows(&mut traffic::open(address, &token, "").expect("the server is there"));
    for reader in &mut readers {
        assert_eq!(reader.closes, [Some(RESTART); LIVES]);
        assert!(reader.read(address, &token, rows.len() - reader.told.len()));
        assert_eq!(reader.resumed, LIVES + 1);
        book.balances(&rows, reader);
    }
    server.stop();
}

/// A connection that does not answer its close holds the server for seconds, and for no longer; nobody
/// is let in meanwhile.
#[test]
fn nobody_is_let_in_while_it_drains() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let token = process::token(folder.path(), "admin", 3_600);
    let mut server = Process::serve(folder.path(), ANY_PORT, &[]);
    let address = server.address();
    let mut stubborn = traffic::open(address, &token, "").expect("the server is there");
    // An answer: it is not only connected, but open.
    assert!(
        stubborn
            .ask(r#"{"type":"states:get","entity_id":"light.none"}"#)
            .contains("State not found")
    );
    // Connections that are accepted: they were answered on.
    let ready = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let early = || ask(Dial::new(address, "/api/ws").bearer(&token).tcp(), ready, 200);
    let [one, other] = [early(), early()];
    server.ask_to_stop();
    assert_eq!(stubborn.next(), Got::Close(Some((RESTART, "service restart".to_owned()))));
    ended(ask(one, ready, 503));
    ended(ask(other, &Dial::new(address, "/api/ws").bearer(&token).request(), 503));
    assert!(traffic::open(address, &token, "").is_none(), "a new connection");
    assert!(server.wait(STUBBORN_MAX).success(), "{}", server.log());
}

/// Sends a request on a connection that stays, and reads the answer, which must have this status.
#[track_caller]
fn ask(mut stream: TcpStream, request: &str, status: u16) -> TcpStream {
    stream.write_all(request.as_bytes()).expect("the server takes the request");
    let (response, rest) = read_response(&mut stream);
    assert_eq!((response.status, rest), (status, vec![]), "{}{}", response.head, response.body);
    stream
}

/// The server must have said its last word on this connection.
#[track_caller]
fn ended(mut stream: TcpStream) {
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
    assert_eq!(stream.read(&mut [0]).expect("it is ended in good order"), 0);
}

/// Connections that have not said anything yet, or begun to: browsers open some in case they are needed.
#[test]
fn silent_connections_hold_up_no_end() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let options = ["--listen", "either://127.0.0.1:0", "--listen", "https://127.0.0.1:0"];
    let mut server = Process::serve(folder.path(), ANY_PORT, &options);
    server.says("How to operate it");
    let log = server.log();
    let addresses = log.lines().filter_map(|line| {
        let urls = line.strip_prefix("Listening on ")?;
        urls.split("://").nth(1)?.split('/').next()?.parse().ok()
    });
    let mut open: Vec<TcpStream> = Vec::new();
    for address in addresses {
        for beginning in [&b""[..], b"\x16\x03", b"GET /"] {
            let mut stream = Dial::new(address, "/").tcp();
            stream.write_all(beginning).expect("the server listens");
            open.push(stream);
        }
    }
    assert_eq!(open.len(), 9, "{log}");
    let told = Instant::now();
    server.ask_to_stop();
    assert!(server.wait(DEADLINE).success(), "{}", server.log());
    assert!(told.elapsed() < Duration::from_secs(4), "{:?}", told.elapsed());
    assert!(!server.log().contains("cut off"), "{}", server.log());
}
