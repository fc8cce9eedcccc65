//! The proxy does what the weather says, counts it, and does nothing else: before a server that sends back what comes.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::{Proxy, proxy::Done, weather::Weather};
use crate::harness::{Chance, DEADLINE, until};

/// What each connection sends.
const LEN: usize = 20_000;
const CONNECTIONS: u64 = 8;

/// Sends back what comes, until the end of the stream, on each of its connections.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    // It ends with the test's process.
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let (mut from, mut to) = (&stream, &stream);
                let _ = std::io::copy(&mut from, &mut to);
                let _ = stream.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

/// What a connection came to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fared {
    heard: Vec<u8>,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    InOrder,
    Reset,
    Silence,
}

/// Sends all that there is, says that it is all, and reads to the end.
fn fares(address: SocketAddr, sent: &[u8], patience: Duration) -> Fared {
    let mut stream = TcpStream::connect(address).expect("the proxy listens");
    stream.set_read_timeout(Some(patience)).expect("a socket takes options");
    let mut writer = stream.try_clone().expect("a socket has two handles");
    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = writer.write_all(sent);
            let _ = writer.shutdown(Shutdown::Write);
        });
        let mut heard = Vec::new();
        let end = match stream.read_to_end(&mut heard) {
            Ok(_) => End::InOrder,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => End::Reset,
            Err(error) if error.kind() == ErrorKind::WouldBlock => End::Silence,
            Err(error) => panic!("{error}"),
        };
        // Its other half may be blocked.
        let _ = stream.shutdown(Shutdown::Both);
        Fared { heard, end }
    })
}

/// Connections one after another in this weather: what each came to, and what was done.
fn check(weather: Weather, seed: u64, patience: Duration) -> (Vec<Fared>, Done) {
    let mut proxy = Proxy::to(echo(), Weather::CALM, seed);
    proxy.becomes(weather);
    let mut chance = Chance(seed);
    let sent: Vec<u8> = (0..LEN).map(|_| chance.below(256) as u8).collect();
    let fared: Vec<Fared> =
        (0..CONNECTIONS).map(|_| fares(proxy.address(), &sent, patience)).collect();
    for Fared { heard, end } in &fared {
        let is_whole = heard.len() == LEN;
        assert!(is_whole || *end != End::InOrder || weather.cut > 0, "{} bytes", heard.len());
        assert!(weather.flips != [0; 2] || sent.starts_with(heard), "{weather:?}");
    }
    let wrong = |fared: &Fared| {
        let bits = |(a, b): (&u8, &u8)| (a ^ b).count_ones();
        fared.heard.iter().zip(&sent).map(bits).sum::<u32>()
    };
    let wrong: u64 = fared.iter().map(|fared| u64::from(wrong(fared))).sum();
    let done = proxy.done();
    assert!(wrong <= done.flips && (wrong > 0) == (done.flips > 0), "{wrong} of {done:?}");
    assert_eq!(done.connections, CONNECTIONS, "{done:?}");
    (fared, done)
}

/// How many bytes each heard, and its end.
fn shown(fared: &[Fared]) -> Vec<(usize, End)> {
    fared.iter().map(|fared| (fared.heard.len(), fared.end)).collect()
}

/// Whether each ended so, before its time.
fn ended(fared: &[Fared], end: End) -> bool {
    fared.iter().all(|fared| fared.end == end && fared.heard.len() < 5_000)
}

#[test]
fn what_is_slow_or_in_pieces_comes_whole() {
    let whole = |weather| {
        let (fared, done) = check(weather, 3, DEADLINE);
        assert!(fared.iter().all(|fared| fared.end == End::InOrder), "{:?}", shown(&fared));
        assert_eq!(done.bytes, 2 * LEN as u64 * CONNECTIONS);
        done
    };
    let calm = whole(Weather::CALM);
    assert_eq!(Done { connections: 0, bytes: 0, chunks: 0, ..calm }, Done::default());
    let began = Instant::now();
    whole(Weather { latency_ms: 10, jitter_ms: 10, ..Weather::CALM });
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(2 * 10 * CONNECTIONS), "{took:?}");
    let done = whole(Weather { chunk_max: 1, ..Weather::CALM });
    assert_eq!(done.chunks, done.bytes);
    let done = whole(Weather { chunk_max: 200, ..Weather::CALM });
    assert!(done.chunks > done.bytes / 150 && done.chunks < done.bytes / 50, "{done:?}");
    let done = whole(Weather { flips: [500, 0], ..Weather::CALM });
    assert!((40..160).contains(&done.flips), "{done:?}");
    let done = whole(Weather { flips: [0, 500], ..Weather::CALM });
    assert!((40..160).contains(&done.flips), "{done:?}");
}

#[test]
fn what_ends_does_so_as_it_was_drawn() {
    let soon = Weather { ends_after_max: 5_000, ..Weather::CALM };
    let patience = DEADLINE;
    let (cut, done) = check(Weather { cut: 1_000, ..soon }, 5, patience);
    assert!(ended(&cut, End::InOrder), "{:?}", shown(&cut));
    assert_eq!((done.cuts, done.resets, done.silences), (CONNECTIONS, 0, 0));
    let (reset, done) = check(Weather { reset: 1_000, ..soon }, 5, patience);
    assert!(ended(&reset, End::Reset), "{:?}", shown(&reset));
    assert_eq!((done.cuts, done.resets, done.silences), (0, CONNECTIONS, 0));
    // Nothing comes, for as long as somebody waits.
    let patience = Duration::from_millis(50);
    let (silent, done) = check(Weather { silent: 1_000, ..soon }, 5, patience);
    assert!(ended(&silent, End::Silence), "{:?}", shown(&silent));
    assert_eq!((done.cuts, done.resets, done.silences), (0, 0, CONNECTIONS));
    // Some of each, and the same again from the same seed.
    let some = Weather { cut: 300, reset: 300, flips: [100, 100], ..soon };
    let draws = |seed| check(some, seed, DEADLINE).0;
    let ends = draws(7).iter().map(|fared| fared.end).collect::<Vec<_>>();
    assert_eq!(draws(7).iter().map(|fared| fared.end).collect::<Vec<_>>(), ends);
    assert!(ends.contains(&End::Reset) && ends.contains(&End::InOrder), "{ends:?}");
}

#[test]
fn what_is_held_waits_for_another() {
    let proxy = Proxy::to(echo(), Weather { held: 1_000, ..Weather::CALM }, 9);
    let mut pair = [0, 1].map(|_| TcpStream::connect(proxy.address()).expect("it listens"));
    let began = Instant::now();
    for round in 0..200_u8 {
        for (n, stream) in pair.iter_mut().enumerate() {
            stream.write_all(&[round, n as u8]).expect("it is taken");
        }
        for (n, stream) in pair.iter_mut().enumerate() {
            let mut heard = [0; 2];
            stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
            stream.read_exact(&mut heard).expect("it comes back");
            assert_eq!(heard, [round, n as u8]);
        }
    }
    let held = proxy.done().held;
    assert!(held > 0 && began.elapsed() < DEADLINE, "{held}");
}

#[test]
fn the_test_cuts_and_mends_and_ends_it() {
    let proxy = Proxy::to(echo(), Weather { silent: 1_000, ..Weather::CALM }, 11);
    let mut streams: Vec<TcpStream> =
        (0..4).map(|_| TcpStream::connect(proxy.address()).expect("it listens")).collect();
    streams.iter_mut().for_each(|stream| stream.write_all(b"words").expect("they are taken"));
    until("all are silent", || proxy.done().silences == 4);
    proxy.cut();
    assert_eq!(proxy.done().cuts, 4);
    let ends = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        // What came before may be there still.
        match stream.read_to_end(&mut Vec::new()) {
            Ok(len) => len < 5,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    };
    assert!(streams.iter_mut().all(ends), "one that was cut does not end");
    let refused = || TcpStream::connect(proxy.address()).is_ok_and(|mut stream| ends(&mut stream));
    assert!(refused(), "a new connection is taken");
    proxy.mend();
    let mut stream = TcpStream::connect(proxy.address()).expect("it listens");
    stream.write_all(b"more words").expect("they are taken");
    until("it is silent", || proxy.done().silences == 5);
    let began = Instant::now();
    drop(proxy);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(ends(&mut stream), "one is there after the proxy");
}
