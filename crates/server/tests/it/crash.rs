//! Promises 1, 3 and 5 over SIGKILL: what was acknowledged is there, what was told is what is there,
//! and a retry takes effect once.

use std::{path::Path, sync::mpsc, thread};

use crate::{
    harness::{Chance, DEADLINE, number},
    process::{self, ANY_PORT, Process},
    town::Town,
    traffic::{self, Book, Create, Reader, answered, reply, rows},
};

/// How often a server is killed, if `BELLWIRE_TEST_CRASH_ROUNDS` says nothing else.
const ROUNDS: usize = 20;
/// The same with all services at work.
const TOWN_ROUNDS: usize = 6;
/// What chance begins with, if `BELLWIRE_TEST_CRASH_SEED` says nothing else.
const SEED: u64 = 20_261_120;
const WRITERS: usize = 3;
/// The acknowledgements after which a round ends: at least, and at most.
const ACKNOWLEDGED: (usize, usize) = (60, 500);
/// The events after which a reader drops its connection, at most.
const EVENTS_MAX: usize = 200;
/// How many acknowledged writes are sent again in each round, as if their answers had been lost.
const RETRIES: usize = 5;

/// How often, and what chance does, which a failure shows.
fn rounds(otherwise: usize) -> (usize, Chance) {
    let rounds = number("BELLWIRE_TEST_CRASH_ROUNDS").map_or(otherwise, |rounds| rounds as usize);
    let seed = number("BELLWIRE_TEST_CRASH_SEED").unwrap_or(SEED);
    eprintln!("BELLWIRE_TEST_CRASH_SEED={seed} BELLWIRE_TEST_CRASH_ROUNDS={rounds}");
    (rounds, Chance(seed))
}

/// A server that is killed while all services are used, at any moment, also while it starts again.
#[test]
fn nothing_is_lost_or_done_twice_in_any_service_over_sigkill() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let (rounds, mut chance) = rounds(TOWN_ROUNDS);
    let mut server = Process::serve(data, ANY_PORT, &[]);
    let mut town = Town::found(data, server.address());
    for _ in 0..rounds {
        let answers = 1 + chance.below(12);
        town.works(server.address(), |progress| {
            progress.acknowledged(answers);
            server.kill();
        });
        if chance.below(4) == 0 {
            Process::serve(data, ANY_PORT, &[]).kill();
        }
        server = Process::serve(data, ANY_PORT, &[]);
    }
    town.settles(server.address());
    server.stop();
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let (rounds, mut chance) = rounds(ROUNDS);
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let token = process::token(data, "admin", 3_600);
    let mut book = Book::default();
    let (mut steady, mut restless) = (Reader::default(), Reader::default());
    for round in 0..rounds {
        let retries = retries(&book);
        let mut server = Process::serve(data, ANY_PORT, &[]);
        if round == 0 {
            // Their places, before anything is written.
            assert!(steady.read(server.address(), &token, 0));
            assert!(restless.read(server.address(), &token, 0));
        }
        let writes = one_round(
            &mut server,
            &token,
            round,
            retries,
            [&mut steady, &mut restless],
            &mut chance,
        );
        book.enter(writes);
        present(data, &token, &book, round);
    }

    let server = Process::serve(data, ANY_PORT, &[]);
    let mut client = traffic::open(server.address(), &token, "").expect("the server is there");
    book.enter(answered(&mut client, book.unanswered()));
    drop(client);
    let mut client = traffic::open(server.address(), &token, "").expect("the server is there");
    let rows = rows(&mut client);
    for reader in [&mut steady, &mut restless] {
        assert!(reader.read(server.address(), &token, rows.len() - reader.told.len()));
        book.balances(&rows, reader);
    }
    assert!(steady.resumed >= rounds, "{}", steady.resumed);
    assert!(restless.resumed > 2 * rounds, "{}", restless.resumed);
    assert!(book.acknowledged().count() > 10 * rounds * RETRIES);
    drop(client);
    server.stop();
}

/// Writes with a key and without an answer, and a few whose answer is known.
fn retries(book: &Book) -> Vec<Create> {
    let answered = book.acknowledged().filter(|write| write.key.is_some());
    book.unanswered().into_iter().chain(answered.take(RETRIES).cloned()).collect()
}

/// A life of the server: writers write, readers read, and it is killed after so many answers.
fn one_round(
    server: &mut Process,
    token: &str,
    round: usize,
    retries: Vec<Create>,
    [steady, restless]: [&mut Reader; 2],
    chance: &mut Chance,
) -> Vec<Create> {
    let address = server.address();
    let connect = || traffic::open(address, token, "").expect("the server is there");
    let answers = ACKNOWLEDGED.0 + chance.below(ACKNOWLEDGED.1 - ACKNOWLEDGED.0);
    let (acknowledged, acknowledgements) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| steady.read(address, token, usize::MAX));
        let mut cut = Chance(chance.below(1 << 30) as u64);
        scope.spawn(move || while restless.read(address, token, 1 + cut.below(EVENTS_MAX)) {});
        let mut retries = Some(retries);
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (client, acknowledged) = (connect(), acknowledged.clone());
                let retries = retries.take().unwrap_or_default();
                let name = format!("r{round}w{writer}");
                scope.spawn(move || traffic::write(client, &name, retries, &acknowledged))
            })
            .collect();
        for _ in 0..answers {
            acknowledgements.recv_timeout(DEADLINE).expect("writes are answered");
        }
        server.kill();
        let joined = writers.into_iter().map(|writer| writer.join().expect("a writer ends well"));
        joined.flatten().collect()
    })
}

/// Every write of this round that was acknowledged is read back right after the crash, as its
/// entity's newest state or an older one.
fn present(data: &Path, token: &str, book: &Book, round: usize) {
    let mut server = Process::serve(data, ANY_PORT, &[]);
    let mut client = traffic::open(server.address(), token, "").expect("the server is there");
    let prefix = format!("r{round}w");
    let writes: Vec<&Create> =
        book.acknowledged().filter(|write| write.state.starts_with(&prefix)).collect();
    assert!(!writes.is_empty());
    for some in writes.chunks(32) {
        for write in some {
            let id = write.id.unwrap_or_default();
            client.send(&format!(
                r#"{{"type":"states:update","state_id":{id},"state":"{}"}}"#,
                write.state
            ));
        }
        for write in some {
            let mut write = (*write).clone();
            // An update that changes nothing shows the row and is silent.
            write.acknowledge(&client.text());
        }
    }
    // Recovery is interrupted, too.
    server.kill();
}

/// A thousand writes with keys whose answers nobody reads, then sent again until each is answered.
#[test]
fn a_retry_with_its_key_takes_effect_once() {
    const WRITES: usize = 1_000;
    let folder = tempfile::tempdir().expect("a directory can be made");
    let token = process::token(folder.path(), "admin", 3_600);
    let server = Process::serve(folder.path(), ANY_PORT, &[]);
    let connect = || traffic::open(server.address(), &token, "").expect("the server is there");
    let mut reader = Reader::default();
    assert!(reader.read(server.address(), &token, 0));
    let mut writes: Vec<Create> = (0..WRITES)
        .map(|number| Create { key: Some(number.to_string()), ..Create::new("retried", number) })
        .collect();
    for tries in 1..=4 {
        // An answer to the first of some: the server was at work when the connection was cut.
        for (number, some) in writes.chunks(100).enumerate() {
            let mut client = connect();
            some.iter().for_each(|write| client.send(&write.text()));
            if number % tries == 0 {
                reply(&mut client);
            }
        }
    }
    let mut client = connect();
    writes = answered(&mut client, writes);
    let mut book = Book::default();
    book.enter(writes.clone());
    let rows = rows(&mut connect());
    assert_eq!(rows.len(), WRITES);
    assert!(reader.read(server.address(), &token, WRITES));
    book.balances(&rows, &reader);

    // The key stands for its request: with another it is refused, and nothing happens.
    let other = Create { key: writes[7].key.clone(), ..Create::new("other", 8) };
    client.send(&other.text());
    let refusal = reply(&mut client);
    assert!(refusal.contains(r#""success":false,"error":"conflict"#), "{refusal}");
    // Another principal's key is another key.
    let mut stranger =
        traffic::open(server.address(), &process::token(folder.path(), "admin", 3_600), "")
            .expect("the server is there");
    assert!(
        answered(&mut stranger, vec![Create { id: None, ..other }])[0].id
            == Some(WRITES as i64 + 1)
    );
    drop((client, stranger));
    server.stop();
}
