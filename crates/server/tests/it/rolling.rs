//! Promise 10 over HTTP: servers take turns on one port and one data directory while programs write over
//! REST and over sockets. Whatever was acknowledged is there, a repeated request counts once, nobody gets
//! a broken answer, and every reader resumes and misses nothing.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use serde_json::{Value, json};

use crate::{
    harness::{DEADLINE, read_response, until},
    process::{self, ANY_PORT, Process},
    traffic::{self, Reader},
};

const LIVES: usize = 4;
const WRITERS: usize = 4;
const READERS: usize = 4;
/// The acknowledgements after which a server is told to end.
const ACKNOWLEDGED: usize = 300;

/// What a writer over REST has to show in the end.
#[derive(Default)]
struct Written {
    /// Each acknowledged state with its row's id, in order.
    acknowledged: Vec<(String, i64)>,
    /// Requests that were sent again since their connection ended without an answer.
    repeated: usize,
    /// Answers that said that they were the connection's last.
    last_answers: usize,
}

/// Writes over REST with kept connections until `done`, each request with a key and as often as it
/// takes; tells each acknowledgement.
fn write(
    address: SocketAddr,
    token: &str,
    name: &str,
    done: &AtomicBool,
    acknowledged: &mpsc::Sender<()>,
) -> Written {
    let (mut written, mut stream) = (Written::default(), None);
    let mut number = 0;
    while !done.load(Ordering::Relaxed) {
        let state = format!("{name} {number}");
        let body = json!({ "state": state }).to_string();
        let request = format!(
            "POST /api/states/sensor.{name} HTTP/1.1\r\nHost: localhost\r\n\
             Authorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Idempotency-Key: {name}-{number}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut kept = stream.take();
        // Nobody is there between two lives.
        until("a server is there", || {
            kept = kept.take().or_else(|| connect(address));
            kept.is_some() || done.load(Ordering::Relaxed)
        });
        let Some(mut open) = kept else { break };
        // Between an answer and the next request the server may have gone; that is no answer.
        let taken = open.write_all(request.as_bytes()).is_ok();
        if !taken || open.peek(&mut [0]).unwrap_or(0) == 0 {
            written.repeated += 1;
            continue;
        }
        let (response, rest) = read_response(&mut open);
        assert!(matches!(response.status, 200 | 201) && rest.is_empty(), "{response:?}");
        let row: Value = response.json();
        assert_eq!(row["state"], state, "{row}");
        written.acknowledged.push((state, row["state_id"].as_i64().expect("a row has an id")));
        let is_last =
            response.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"));
        written.last_answers += usize::from(is_last);
        stream = (!is_last).then_some(open);
        number += 1;
        // The test that listens may have heard enough.
        let _ = acknowledged.send(());
    }
    written
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(DEADLINE)).ok()?;
    Some(stream)
}

/// Reads over all lives until `done` says how many events there are to be heard.
fn read(address: SocketAddr, token: &str, reader: &mut Reader, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        until("a server is there", || {
            reader.read(address, token, usize::MAX) || done.load(Ordering::Relaxed)
        });
    }
}

#[test]
fn servers_take_turns_under_load() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let token = process::token(data, "admin", 3_600);
    let mut server = Process::serve(data, ANY_PORT, &[]);
    let address = server.address();
    let mut readers: Vec<Reader> = (0..READERS).map(|_| Reader::default()).collect();
    readers.iter_mut().for_each(|reader| assert!(reader.read(address, &token, 0)));
    let done = AtomicBool::new(false);
    let (tell, acknowledged) = mpsc::channel();
    let (done, token) = (&done, &*token);
    let written: Vec<Written> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let tell = tell.clone();
                scope.spawn(move || write(address, token, &format!("w{writer}"), done, &tell))
            })
            .collect();
        for reader in &mut readers {
            scope.spawn(move || read(address, token, reader, done));
        }
        for _ in 0..LIVES {
            for _ in 0..ACKNOWLEDGED {
                acknowledged.recv_timeout(DEADLINE).expect("writes are answered");
            }
            server.ask_to_stop();
            assert!(server.wait(DEADLINE).success(), "{}", server.log());
            server = Process::serve(data, &address.to_string(), &[]);
        }
        done.store(true, Ordering::Relaxed);
        let written = writers.into_iter().map(|writer| writer.join().expect("it ends well"));
        let written = written.collect();
        server.stop(); // So that readers see the end.
        written
    });

    let server = Process::serve(data, &address.to_string(), &[]);
    let mut client = traffic::open(address, token, "").expect("the server is there");
    let rows = traffic::rows(&mut client);
    for (writer, Written { acknowledged, last_answers, .. }) in written.iter().enumerate() {
        assert!(acknowledged.len() > LIVES, "writer {writer} wrote {}", acknowledged.len());
        assert!(*last_answers > 0, "writer {writer} was never told to go elsewhere");
        for (state, id) in acknowledged {
            let row = usize::try_from(*id).ok().and_then(|id| rows.get(id - 1));
            assert_eq!(row.map(|(_, state)| state), Some(state), "row {id}");
        }
    }
    let states: std::collections::BTreeSet<_> = rows.iter().map(|(_, state)| state).collect();
    assert_eq!(states.len(), rows.len(), "a request took effect twice");
    let repeated: usize = written.iter().map(|written| written.repeated).sum();
    let sent: usize = written.iter().map(|written| written.acknowledged.len()).sum();
    assert!(
        rows.len() <= sent + WRITERS,
        "{} rows, {sent} answers, {repeated} repeats",
        rows.len()
    );
    for reader in &mut readers {
        assert!(reader.read(address, token, rows.len() - reader.told.len()));
        assert!(reader.resumed >= LIVES, "{}", reader.resumed);
        assert!(reader.told == rows, "as told, so written");
    }
    server.stop();
}
