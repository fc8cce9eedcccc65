//! Both ends of TLS connections, with both versions of the protocol.

use std::{net::Ipv4Addr, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use mio::{Events, Poll};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned,
    SupportedProtocolVersion, crypto::ring, pki_types::PrivateKeyDer, version,
};

use super::*;
use crate::hub::{
    Hub,
    outbox::STALLED_MAX_MS,
    recent::{Recent, Shape, Speller},
};

type Client = StreamOwned<ClientConnection, std::net::TcpStream>;

/// How long anything may take that is bound to come.
const DEADLINE: Duration = Duration::from_secs(20);
const VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

/// A connection after its handshake, and after the server has decrypted `early` without reading it.
fn connect(version: &'static SupportedProtocolVersion, early: &[u8]) -> (Socket, Client) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("it is PKCS #8");
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("ring has suites for it")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("they belong together");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("it is a certificate");
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .expect("ring has suites for it")
        .with_root_certificates(roots)
        .with_no_client_auth();

    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let (early, early_len) = (early.to_vec(), early.len());
    let connecting = thread::spawn(move || {
        let tcp = std::net::TcpStream::connect(address).expect("it listens");
        tcp.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        tcp.set_nodelay(true).expect("a socket takes options");
        let name = "localhost".try_into().expect("it is a name");
        let tls = ClientConnection::new(Arc::new(client), name).expect("it is configured");
        let mut client = StreamOwned::new(tls, tcp);
        client.conn.complete_io(&mut client.sock).expect("the handshake goes well");
        client.write_all(&early).expect("it is taken");
        client.flush().expect("it is taken");
        client
    });
    let (mut tcp, _) = listener.accept().expect("somebody came");
    tcp.set_nodelay(true).expect("a socket takes options");
    socket2::SockRef::from(&tcp).set_send_buffer_size(16 << 10).expect("a buffer can be small");
    let mut tls = ServerConnection::new(Arc::new(server)).expect("it is configured");
    tls.complete_io(&mut tcp).expect("the handshake goes well");
    let client = connecting.join().expect("nobody panics");
    // Some of it may have come with the end of the handshake.
    while tls.process_new_packets().expect("it is TLS").plaintext_bytes_to_read() < early_len {
        tls.read_tls(&mut tcp).expect("it comes");
    }
    tcp.set_nonblocking(true).expect("a socket takes options");
    (Socket::tls(tcp, tls), client)
}

fn check(f: impl Fn(Socket, Client)) {
    for version in VERSIONS {
        let (socket, client) = connect(version, b"");
        f(socket, client);
    }
}

/// Waits until the TCP socket can be used so, as an event loop does.
fn wait_for(socket: &mut Socket, interest: Interest) {
    let mut poll = Poll::new().expect("there are descriptors");
    poll.registry().register(socket, Token(0), interest).expect("it is a socket");
    let mut events = Events::with_capacity(1);
    poll.poll(&mut events, Some(DEADLINE)).expect("it can be waited for");
    assert!(!events.is_empty(), "nothing comes");
    poll.registry().deregister(socket).expect("it was registered");
}

/// The next outcome of a read that is more than that nothing is there yet.
fn read(socket: &mut Socket, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match socket.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                assert!(!socket.may_have_more(0, buffer.len()));
                wait_for(socket, Interest::READABLE);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn read_exact(socket: &mut Socket, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut at = 0;
    while at < len {
        at += read(socket, &mut bytes[at..]).expect("more comes");
    }
    bytes
}

fn hear(client: &mut Client, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    client.read_exact(&mut bytes).expect("it comes");
    bytes
}

#[test]
fn a_reader_that_does_not_read_costs_one_record() {
    check(|mut socket, mut client| {
        let bytes: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
        let mut taken = 0;
        loop {
            match socket.write(&bytes[taken % 1_000..]) {
                Ok(len) => {
                    assert!(len <= bytes.len());
                    taken += len;
                    if len < bytes.len() - (taken - len) % 1_000 {
                        break; // It says by a short write that it would block.
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        let blocks = |result: io::Result<usize>| {
            assert_eq!(result.expect_err("it is full").kind(), ErrorKind::WouldBlock);
        };
        assert!(socket.holds_back());
        blocks(socket.write(b"more"));
        blocks(socket.write_vectored(&[IoSlice::new(b"mo"), IoSlice::new(b"re")]));
        blocks(socket.flush().map(|()| 0));
        assert!(!socket.finish(), "the end waits, too");

        // What the system has: the client gets it, and of what was taken no more than a record is missing.
        client.sock.set_nonblocking(true).expect("a socket takes options");
        let mut got = 0;
        let mut buffer = vec![0; 64 << 10];
        while let Ok(len) = client.read(&mut buffer) {
            got += len;
        }
        assert!(got > 0 && taken - got <= 2 * RECORD_LEN_MAX, "{taken} taken, {got} got");
        client.sock.set_nonblocking(false).expect("a socket takes options");
        while !socket.finish() {
            wait_for(&mut socket, Interest::WRITABLE);
        }
        while got < taken {
            got += client.read(&mut buffer).expect("the rest comes");
        }
        assert_eq!(client.read(&mut buffer).expect("in good order"), 0);
        assert_eq!(got, taken);
    });
}

#[test]
fn a_hub_waits_for_what_a_socket_holds_back() {
    check(|socket, mut client| {
        let speller = Arc::new(Speller::new("epoch", []));
        let mut hub = Hub::new(Arc::new(Recent::new(0, 1, 1)), speller, Arc::default(), 1 << 20);
        let line = hub.line(socket);
        let id = hub.join(line, Shape::PlainCursor);
        let mut sent = 0;
        while hub.is_flushed(line) {
            hub.send(id, Bytes::from(vec![b'x'; 8 << 10]));
            hub.flush(0);
            sent += 8 << 10;
        }
        // The last frame was taken whole, so that nothing is queued, but it is not out.
        assert_eq!(hub.queued_bytes(), 0);
        hub.find_stalled(STALLED_MAX_MS - 1);
        assert_eq!(hub.take_needs(), []);
        let heard = thread::spawn(move || {
            let heard = hear(&mut client, sent);
            (heard, client)
        });
        while !hub.is_flushed(line) {
            wait_for(hub.sink(line).expect("it is in"), Interest::WRITABLE);
            hub.writable(line, 0);
        }
        assert!(!hub.sink(line).expect("it is in").holds_back());
        let (heard, _client) = heard.join().expect("all came, though nothing was sent any more");
        assert!(heard.iter().all(|byte| *byte == b'x'));
        // And one that takes nothing is found out.
        while hub.is_flushed(line) {
            hub.send(id, Bytes::from(vec![b'x'; 8 << 10]));
            hub.flush(0);
        }
        assert_eq!(hub.queued_bytes(), 0);
        hub.find_stalled(STALLED_MAX_MS);
        assert_eq!(hub.take_needs().len(), 1);
    });
}

#[test]
fn many_records_of_one_segment_are_read_without_waiting() {
    check(|mut socket, mut client| {
        let mut segment = Vec::new();
        for number in 0..100 {
            client.conn.writer().write_all(format!("{number:04}").as_bytes()).expect("it is taken");
            while client.conn.wants_write() {
                client.conn.write_tls(&mut segment).expect("a vector takes it");
            }
        }
        client.sock.write_all(&segment).expect("it is taken");
        let expected: String = (0..100).map(|number| format!("{number:04}")).collect();
        // A buffer smaller than what came: the rest is to be had though the TCP socket is silent.
        let mut buffer = [0; 64];
        let mut got = Vec::new();
        while got.len() < expected.len() {
            let len = read(&mut socket, &mut buffer).expect("it comes");
            got.extend_from_slice(&buffer[..len]);
            assert!(len == buffer.len() || got.len() == expected.len());
            assert_eq!(socket.may_have_more(len, buffer.len()), len == buffer.len());
        }
        assert_eq!(String::from_utf8(got).expect("text"), expected);
    });
}

#[test]
fn what_was_decrypted_before_is_read_at_once() {
    for version in VERSIONS {
        let (mut socket, mut client) = connect(version, b"early");
        let mut buffer = [0; 64];
        assert_eq!(socket.read(&mut buffer).expect("without waiting"), 5);
        assert_eq!(&buffer[..5], b"early");
        client.write_all(b"late").expect("it is taken");
        assert_eq!(read_exact(&mut socket, 4), b"late");
    }
}

#[test]
fn keys_are_renewed_on_request() {
    let (mut socket, mut client) = connect(&version::TLS13, b"");
    for _ in 0..3 {
        client.conn.refresh_traffic_keys().expect("TLS 1.3 can");
        client.write_all(b"ping").expect("it is taken");
        assert_eq!(read_exact(&mut socket, 4), b"ping");
        assert_eq!(socket.write(b"pong").expect("it is taken"), 4);
        assert_eq!(hear(&mut client, 4), b"pong");
    }
}

/// How a client ends, and how that looks.
fn check_end(end: impl Fn(&mut Client), expected: Result<usize, ErrorKind>) {
    check(|mut socket, mut client| {
        client.write_all(b"last").expect("it is taken");
        end(&mut client);
        assert_eq!(read_exact(&mut socket, 4), b"last", "what came before counts");
        let mut buffer = [0; 64];
        for _ in 0..2 {
            let ended = read(&mut socket, &mut buffer);
            assert_eq!(ended.map_err(|error| error.kind()), expected);
        }
    });
}

#[test]
fn ends_are_told_apart() {
    let notify = |client: &mut Client| {
        client.conn.send_close_notify();
        client.flush().expect("it is taken");
    };
    check_end(notify, Ok(0));
    let cut = |client: &mut Client| client.sock.shutdown(Shutdown::Write).expect("it is there");
    check_end(cut, Err(ErrorKind::UnexpectedEof));
    let both = |client: &mut Client| (notify(client), cut(client)).1;
    check_end(both, Ok(0));
    let garbage = |client: &mut Client| client.sock.write_all(&[b'x'; 30_000]).expect("taken");
    check_end(garbage, Err(ErrorKind::InvalidData));
}

/// epoll tells nothing of an end that was received already.
#[test]
fn an_end_in_the_segment_of_the_last_data_is_not_forgotten() {
    check(|mut socket, mut client| {
        let mut segment = Vec::new();
        client.conn.writer().write_all(b"last").expect("it is taken");
        client.conn.send_close_notify();
        while client.conn.wants_write() {
            client.conn.write_tls(&mut segment).expect("a vector takes it");
        }
        client.sock.write_all(&segment).expect("it is taken");
        let mut buffer = [0; 64];
        assert_eq!(read(&mut socket, &mut buffer).expect("it comes"), 4);
        assert!(socket.may_have_more(4, buffer.len()));
        assert_eq!(socket.read(&mut buffer).expect("without waiting"), 0);
    });
}

#[test]
fn garbage_gets_an_alert_and_the_end() {
    check(|mut socket, mut client| {
        client.sock.write_all(&[b'x'; 30_000]).expect("it is taken");
        let mut buffer = [0; 64];
        read(&mut socket, &mut buffer).expect_err("it is no TLS");
        socket.write(b"nothing more").expect_err("it is over");
        socket.part();
        drop(socket);
        let told = client.read(&mut buffer).expect_err("no data").to_string();
        assert!(told.contains("received fatal alert"), "{told}");
        // A reset would have overtaken the alert with some systems.
        assert_eq!(client.sock.read(&mut buffer).expect("no reset"), 0);
    });
}

#[test]
fn the_server_s_end_is_in_good_order() {
    for finishes in [true, false] {
        check(|mut socket, mut client| {
            assert_eq!(socket.write(b"last").expect("it is taken"), 4);
            match finishes {
                true => assert!(socket.finish()),
                false => socket.part(),
            }
            drop(socket);
            let mut told = Vec::new();
            // Without close_notify this would be an error.
            client.read_to_end(&mut told).expect("in good order");
            assert_eq!(told, b"last");
        });
    }
}

#[test]
fn sockets_are_small() {
    assert!(size_of::<Socket>() <= 16, "{}", size_of::<Socket>());
    assert!(size_of::<TlsSocket>() <= 2 << 10, "{}", size_of::<TlsSocket>());
}
