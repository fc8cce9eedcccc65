//! The same server over TLS: what clients see of it, what breaks it off, and its certificates.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use bellwire_wire::frame::Opcode;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{ClientConfig, ClientConnection, pki_types::CertificateDer, version};
use tempfile::TempDir;

use crate::{
    harness::{
        Canary, Client, DEADLINE, Dial, Got, Server, Speaks, Token, frame, masked, secure, text,
        trusting, until,
    },
    limits::{flood, is_cut},
    process::{self, Script, bellwire, output},
};

/// A server with a listener of each kind, and whom to trust.
struct House {
    server: Server,
    https: SocketAddr,
    either: SocketAddr,
    ca: PathBuf,
}

impl House {
    fn new() -> House {
        let listeners = ["--listen", "https://127.0.0.1:0", "--listen", "either://127.0.0.1:0"];
        let server = Server::with_options(&listeners);
        let https = server.listener_that(Speaks::Https);
        let either = server.listener_that(Speaks::Either);
        let ca = server.data().join("tls/ca.pem");
        House { server, https, either, ca }
    }

    fn config(&self) -> Arc<ClientConfig> {
        trusting(&self.ca, &version::TLS13)
    }

    fn dial(&self, path: &str) -> Dial {
        Dial::new(self.https, path).tls(&self.config())
    }

    fn connect(&self, token: &Token) -> Client {
        self.dial("/api/ws").bearer(&token.text).open()
    }
}

fn create(entity_id: &str, state: usize) -> String {
    format!(r#"{{"type":"states:create","entity_id":"{entity_id}","state":"{state}"}}"#)
}

fn heard(entity_id: &str, state: usize) -> String {
    format!(
        r#"{{"type":"state_changed","data":{{"entity_id":"{entity_id}","new_state":{{"state":"{state}","attributes":{{}}}}}}}}"#
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

#[test]
fn commands_and_events_are_as_without_tls() {
    let house = House::new();
    let mut canary = Canary::new(&house.server);
    let token = house.server.token("admin", &[]);
    let versions = [&version::TLS12, &version::TLS13];
    for (state, (address, version)) in [house.https, house.either]
        .into_iter()
        .flat_map(|address| versions.map(|version| (address, version)))
        .enumerate()
    {
        let config = trusting(&house.ca, version);
        let dial = |path| Dial::new(address, path).tls(&config).bearer(&token.text);
        let ready = dial("/readyz").exchange(get("/readyz").as_bytes());
        assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
        assert_eq!(Dial::new(address, "/nowhere").tls(&config).response().status, 404);

        let mut plain = house.server.listener(&token);
        let mut client = dial("/api/ws").open();
        assert_eq!(client.told(), [""; 0]);
        client.send(&create("light.a", state));
        let answer = "states:create:response";
        let told = [client.text(), client.text()];
        assert!(told.iter().any(|text| text.contains(answer)), "{told:?}");
        assert!(told.contains(&heard("light.a", state)), "{told:?}");
        plain.hears(&heard("light.a", state));
        // What came with the request, in one record or in the same segment, is not forgotten.
        let mut hasty = dial("/api/ws").with(&text(r#"{"type":"ping","id":1}"#)).open();
        hasty.hears(r#"{"type":"pong","id":1}"#);
        // A server's end is in good order.
        hasty.send_bytes(&masked(0x83, b""));
        assert_eq!(hasty.closed().1, Some(1002));
        client.send_bytes(&frame(Opcode::Close, &1000_u16.to_be_bytes()));
        assert_eq!(client.next(), Got::Close(Some((1000, String::new()))));
        assert_eq!(client.next(), Got::End);
        assert!(client.ended_in_order() && hasty.ended_in_order(), "without close_notify");
        // So is a client's.
        let mut client = dial("/api/ws").open();
        assert_eq!(client.told(), [""; 0]);
        client.finish_sending();
        assert_eq!(client.next(), Got::End);
        assert!(client.ended_in_order());
        canary.sings();
    }
}

#[test]
fn a_place_is_found_again_over_tls() {
    let house = House::new();
    let token = house.server.token("user", &[]);
    let mut writer = house.server.quiet_admin();
    let come_back = |since: &str| {
        let mut client = house.dial(&format!("/api/ws?since={since}")).bearer(&token.text).open();
        let resumed = client.text();
        assert!(resumed.starts_with(r#"{"type":"resumed","cursor":""#), "{resumed}");
        let cursor = resumed.split('"').nth(7).expect("a cursor").to_owned();
        (client, cursor)
    };
    let (client, cursor) = come_back("now");
    drop(client); // Without a word, as when a train enters a tunnel.
    // Many records at once, so that they are longer than what one write takes.
    const ROWS: usize = 500;
    for state in 0..ROWS {
        writer.ask(&create("light.a", state));
    }
    let (mut client, _) = come_back(&cursor);
    for state in 0..ROWS {
        let event = client.text();
        let expected = heard("light.a", state);
        assert!(event.starts_with(&expected[..expected.len() - 1]), "{event}");
    }
}

#[test]
fn a_server_that_stops_says_so_over_tls() {
    let data = tempfile::tempdir().expect("a directory can be made");
    // Its line on the last listener is the one that is waited for.
    let options = ["--listen", process::ANY_PORT];
    let mut server = process::Process::serve(data.path(), "https://127.0.0.1:0", &options);
    let log = server.log();
    let address = log.split("https://").nth(1).and_then(|at| at.split('/').next()?.parse().ok());
    let config = trusting(&data.path().join("tls/ca.pem"), &version::TLS13);
    let token = process::token(data.path(), "admin", 3_600);
    let dial = Dial::new(address.expect("it listens"), "/api/ws").tls(&config).bearer(&token);
    let mut client = dial.open();
    assert_eq!(client.told(), [""; 0]);
    server.ask_to_stop();
    assert_eq!(client.closed(), (Vec::new(), Some(1012)));
    assert!(client.ended_in_order());
    assert!(server.wait(DEADLINE).success(), "{}", server.log());
}

/// A conformance server over TLS.
struct Conformance {
    child: Child,
    address: SocketAddr,
    ca: PathBuf,
}

impl Conformance {
    fn start() -> Conformance {
        let mut child = bellwire()
            .args(["conformance-server", "--listen", "https://127.0.0.1:0"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let (address, ca) = announced(stderr.lines().map_while(Result::ok));
        Conformance { child, address, ca }
    }
}

/// Where it listens with TLS, and the CA that it told before.
fn announced(lines: impl Iterator<Item = String>) -> (SocketAddr, PathBuf) {
    let mut ca = None;
    for line in lines {
        ca = line.strip_prefix("export CURL_CA_BUNDLE=").map(PathBuf::from).or(ca);
        if let Some(at) = line.strip_prefix("Listening on https://") {
            let address = at.trim_end_matches('/').parse().expect("an address");
            return (address, ca.expect("it tells its CA"));
        }
    }
    panic!("it does not listen");
}

impl Drop for Conformance {
    fn drop(&mut self) {
        // Asked, it takes its directory with it.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn long_messages_come_back_whole() {
    let server = Conformance::start();
    for version in [&version::TLS12, &version::TLS13] {
        let config = trusting(&server.ca, version);
        let mut client = Dial::new(server.address, "/echo").tls(&config).open();
        for len in [0, 1, 125, 16_384, 65_536, 1 << 20, 16 << 20] {
            let message: String = ('a'..='z').cycle().take(len).collect();
            client.send(&message);
            assert!(client.text() == message, "{len} bytes");
        }
        // Many in one go, so that both directions are full at once.
        let many: Vec<u8> = (0..2_000).flat_map(|n| text(&format!("{n:0500}"))).collect();
        client.send_bytes(&many);
        (0..2_000).for_each(|n| client.hears(&format!("{n:0500}")));
    }
}

#[test]
fn a_slow_reader_over_tls_is_cut_and_costs_little() {
    const READERS: usize = 20;
    let house = House::new();
    let server = &house.server;
    let mut canary = Canary::new(server);
    let mut writer = server.quiet_admin();
    let token = server.token("user", &["states:read:light.*"]);
    let mut deaf: Vec<Client> = (0..READERS)
        .map(|_| {
            let dial = house.dial("/api/ws?since=now").bearer(&token.text);
            dial.receive_buffer(4 << 10).open()
        })
        .collect();
    deaf.iter_mut().for_each(|client| assert!(client.text().contains(r#""type":"resumed""#)));
    let mut healthy = house.connect(&token);
    assert_eq!(healthy.told(), [""; 0]);
    let before = server.resident_bytes();
    let mut most = 0.0_f64;
    flood(&mut writer, 0, |written| {
        canary.sings();
        most = most.max(server.metric("bellwire_outbound_queued_bytes"));
        written > 0 && server.metric("bellwire_slow_readers_total") >= READERS as f64
    });
    assert!(most <= READERS as f64 * ((1 << 20) as f64 + 1e5), "{most} bytes were queued");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 128 << 20, "{} MiB for {READERS}", grown >> 20);
    for client in &mut deaf {
        let told = is_cut(client);
        assert_eq!(told, (0..told.len()).collect::<Vec<_>>(), "nothing is missing before the end");
    }
    // Who reads gets the newest.
    assert!(healthy.told().last().is_some_and(|event| event.contains("state_changed")));
    canary.sings();
}

#[test]
fn nobody_is_waited_for_without_end() {
    let house = House::new();
    let mut canary = Canary::new(&house.server);
    let started = Instant::now();
    let mut hello = Vec::new();
    let name = "localhost".try_into().expect("it is a name");
    let mut tls = ClientConnection::new(house.config(), name).expect("it is configured");
    tls.write_tls(&mut hello).expect("a vector takes it");
    let begin = |address: SocketAddr, bytes: &[u8]| {
        let mut stream = Dial::new(address, "").tcp();
        stream.write_all(bytes).expect("the server listens");
        stream
    };
    let mut waiting = Vec::new();
    for address in [house.https, house.either] {
        waiting.push(("silence", begin(address, b"")));
        waiting.push(("one byte", begin(address, &hello[..1])));
        waiting.push(("half a hello", begin(address, &hello[..hello.len() / 2])));
        waiting.push(("a hello and nothing more", begin(address, &hello)));
        // The handshake, then half a request.
        let mut stream = secure(Dial::new(address, "").tcp(), &house.config());
        stream.write_all(b"GET /livez HT").expect("the server listens");
        waiting.push(("half a request", stream.sock));
    }
    waiting.push(("half a request in the clear", begin(house.either, b"GET /livez HT")));
    for (name, mut stream) in waiting {
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        let mut told = Vec::new();
        stream.read_to_end(&mut told).unwrap_or_else(|error| panic!("{name}: {error}"));
        let took = started.elapsed().as_secs_f64();
        assert!((9.0..15.0).contains(&took), "{name}: after {took} s");
    }
    canary.sings();
}

#[test]
fn garbage_after_the_handshake_gets_an_alert_and_the_end() {
    let house = House::new();
    let mut canary = Canary::new(&house.server);
    let token = house.server.token("admin", &[]);
    for version in [&version::TLS12, &version::TLS13] {
        let config = trusting(&house.ca, version);
        let mut client = Dial::new(house.https, "/api/ws").tls(&config).bearer(&token.text).open();
        assert_eq!(client.told(), [""; 0]);
        client.send_raw(&[b'x'; 10_000]);
        assert_eq!(client.next(), Got::End);
        assert!(!client.ended_in_order());
        // Before any request, too.
        let mut stream = secure(Dial::new(house.https, "").tcp(), &config);
        stream.sock.write_all(&[b'x'; 100]).expect("the server listens");
        let told = stream.read(&mut [0; 10]).expect_err("no data").to_string();
        assert!(told.contains("received fatal alert"), "{told}");
        // An end without close_notify is one, though none in good order.
        let client = Dial::new(house.https, "/api/ws").tls(&config).bearer(&token.text).open();
        drop(client);
        canary.sings();
    }
    until("only the canary stays", || house.server.metric("bellwire_connections") <= 1.0);
}

#[test]
fn the_other_protocol_is_answered_or_ended_quickly() {
    let house = House::new();
    let token = house.server.token("admin", &[]);
    // In the clear to the port that takes both.
    let plain =
        |address: SocketAddr| Dial::new(address, "/readyz").exchange(get("/readyz").as_bytes());
    assert_eq!(plain(house.either).body, "ready\n");
    let mut client = Dial::new(house.either, "/api/ws").bearer(&token.text).open();
    assert_eq!(client.told(), [""; 0]);
    // TLS where there is none, and none where there is.
    let started = Instant::now();
    let ended = |mut stream: TcpStream| {
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
        let mut told = Vec::new();
        stream.read_to_end(&mut told).expect("it is ended");
        told
    };
    let mut stream = house.server.dial("").tcp();
    let name = "localhost".try_into().expect("it is a name");
    let mut tls = ClientConnection::new(house.config(), name).expect("it is configured");
    tls.write_tls(&mut stream).expect("the server listens");
    let told = String::from_utf8_lossy(&ended(stream)).into_owned();
    assert!(told.starts_with("HTTP/1.1 400 "), "{told:?}");
    let mut stream = Dial::new(house.https, "").tcp();
    stream.write_all(get("/readyz").as_bytes()).expect("the server listens");
    let told = ended(stream);
    assert_eq!(told.first(), Some(&0x15), "an alert: {told:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// A certificate for localhost from one year's beginning to another's, and its key, as PEM.
fn certificate(from: i32, until: i32) -> (String, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("it is a name");
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().expect("chance is there");
    let certificate = params.self_signed(&key).expect("it can be signed");
    (certificate.pem(), key.serialize_pem())
}

/// The files of a certificate that is given.
struct Given {
    folder: TempDir,
}

impl Given {
    fn new((certificate, key): &(String, String)) -> Given {
        let given = Given { folder: tempfile::tempdir().expect("a directory can be made") };
        given.replace("c.pem", certificate);
        given.replace("k.pem", key);
        given
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn replace(&self, name: &str, text: &str) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).expect("it can be written");
        fs::rename(new, self.path(name)).expect("it can be put in place");
    }
}

/// What is shown to a client that trusts this certificate; none if it is not accepted.
fn shown(address: SocketAddr, trusted: &Path) -> Option<CertificateDer<'static>> {
    let mut stream = Dial::new(address, "").tcp();
    let name = "localhost".try_into().expect("it is a name");
    let config = trusting(trusted, &version::TLS13);
    let mut tls = ClientConnection::new(config, name).expect("it is configured");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket takes options");
    while tls.is_handshaking() {
        tls.complete_io(&mut stream).ok()?;
    }
    tls.peer_certificates()?.first().map(|certificate| certificate.clone().into_owned())
}

#[test]
fn a_new_certificate_is_used_and_open_connections_stay() {
    let [first, second, third] = [(); 3].map(|()| certificate(2020, 2100));
    let given = Given::new(&first);
    let trusted = [&first, &second, &third].map(|(certificate, _)| {
        let file = tempfile::NamedTempFile::new().expect("a file can be made");
        fs::write(&file, certificate).expect("it can be written");
        file
    });
    let (certificate, key) = (given.path("c.pem"), given.path("k.pem"));
    let server = Server::with_options(&[
        "--listen",
        "https://127.0.0.1:0",
        "--tls-certificate",
        &certificate,
        "--tls-key",
        &key,
    ]);
    let address = server.listener_that(Speaks::Https);
    assert!(!server.data().join("tls").exists() && !server.log().contains("CURL_CA_BUNDLE"));
    let token = server.token("admin", &[]);
    let config = trusting(trusted[0].path(), &version::TLS13);
    let mut live = Dial::new(address, "/api/ws").tls(&config).bearer(&token.text).open();
    assert_eq!(live.told(), [""; 0]);
    let is_shown = |number: usize| shown(address, trusted[number].path()).is_some();
    assert!(is_shown(0) && !is_shown(1));

    // A key without its certificate: for now the old pair stays.
    given.replace("k.pem", &second.1);
    let mut hears_nothing =
        || assert_eq!(live.next_within(Duration::from_millis(100)), None, "it is open");
    until("the pair that does not match is told of", || {
        hears_nothing();
        server.log().contains("the certificate in use stays, as its files changed: The key in")
    });
    assert!(is_shown(0));
    given.replace("c.pem", &second.0);
    until("the new certificate is shown", || {
        hears_nothing();
        is_shown(1)
    });
    assert!(!is_shown(0));
    assert!(live.ask(r#"{"type":"ping"}"#).contains("pong"));
    let complaints = server.log().matches("the certificate in use stays").count();
    assert_eq!(complaints, 1, "{}", server.log());
}

#[test]
fn what_cannot_be_used_is_told_and_nothing_starts() {
    let good = certificate(2020, 2100);
    let check = |options: &[&str], expected: &str| {
        let data = tempfile::tempdir().expect("a directory can be made");
        let mut command = bellwire();
        command.args(["serve", "--listen", "https://127.0.0.1:0", "--data"]).arg(data.path());
        let output = output(command.args(options), DEADLINE);
        assert_eq!(output.status.code(), Some(1), "{options:?}");
        let told = String::from_utf8(output.stderr).expect("text");
        let lines: Vec<&str> = told.lines().filter(|line| !line.contains(" INFO ")).collect();
        let [line] = lines[..] else { panic!("one sentence: {told}") };
        assert!(line.starts_with("bellwire: ") && line.contains(expected), "{line}\n{expected}");
    };
    let given = |pair: &(String, String), expected: &str| {
        let given = Given::new(pair);
        let (certificate, key) = (given.path("c.pem"), given.path("k.pem"));
        check(&["--tls-certificate", &certificate, "--tls-key", &key], expected);
    };
    given(&certificate(2020, 2021), "/c.pem ended on 2021-01-01; renew it.");
    given(&certificate(2099, 2100), "/c.pem is valid only from 2099-01-01 on; check");
    given(&(good.0.clone(), certificate(2020, 2100).1), "/k.pem does not belong to");
    given(&(String::new(), good.1.clone()), "There is no certificate in ");
    given(&(good.0.clone(), String::new()), "There is no private key in ");
    check(
        &["--tls-certificate", "/absent/c.pem"],
        "tls.certificate is set and tls.key is not; set both",
    );
    check(&["--tls-key", "/absent/k.pem"], "tls.key is set and tls.certificate is not; set both");
    let both = ["--tls-certificate", "/absent/c.pem", "--tls-key", "/absent/k.pem"];
    check(&both, "The file /absent/c.pem cannot be read");
}

/// The CA's path, as the server told it for this program.
fn told_ca(server: &Server, variable: &str) -> PathBuf {
    let log = server.log();
    let start = format!("export {variable}=");
    let path = log.lines().find_map(|line| line.strip_prefix(&start)).expect("it is told");
    assert!(Path::new(path).is_absolute(), "{path}");
    path.into()
}

#[test]
fn curl_trusts_the_ca_that_was_told() {
    let house = House::new();
    let get = |address: SocketAddr, ca: Option<PathBuf>| {
        let mut curl = Command::new("curl");
        let url = format!("https://localhost:{}/readyz", address.port());
        curl.args(["--silent", "--show-error", "--max-time", "20", "--noproxy", "*"]);
        curl.args(["--ipv4", &url]).env_remove("CURL_CA_BUNDLE");
        ca.map(|ca| curl.env("CURL_CA_BUNDLE", ca));
        output(&mut curl, 2 * DEADLINE)
    };
    for address in [house.https, house.either] {
        let ca = told_ca(&house.server, "CURL_CA_BUNDLE");
        let trusting = get(address, Some(ca));
        let said = String::from_utf8_lossy(&trusting.stderr);
        assert_eq!(trusting.stdout, b"ready\n", "{said}");
        assert_eq!(get(address, None).status.code(), Some(60), "others do not trust it");
    }
}

#[test]
fn node_trusts_the_ca_that_was_told() {
    let house = House::new();
    let token = house.server.token("admin", &[]);
    for address in [house.https, house.either] {
        let script = Script::new("tls.mjs").to(address, Some(&token.text));
        let ca = told_ca(&house.server, "NODE_EXTRA_CA_CERTS");
        let said = script.env("NODE_EXTRA_CA_CERTS", ca).passes();
        assert_eq!(said, "ok: over TLS a request, a command and its event\n");
    }
}

#[test]
fn python_trusts_the_ca_that_was_told() {
    let house = House::new();
    let token = house.server.token("admin", &[]);
    for address in [house.https, house.either] {
        let script = Script::new("python_websockets.py").to(address, Some(&token.text));
        let ca = told_ca(&house.server, "CURL_CA_BUNDLE");
        let said = script.args(["--secure"]).env("SSL_CERT_FILE", ca).passes();
        assert_eq!(said, "ok: every reply and event as documented\n");
    }
}

#[test]
fn a_demo_s_own_certificate_stays_over_restarts() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let mut cas = Vec::new();
    for _ in 0..2 {
        let options = ["--demo", "--listen", "either://127.0.0.1:0"];
        let server = process::Process::serve(folder.path(), process::ANY_PORT, &options);
        cas.push(fs::read(folder.path().join("tls/ca.pem")).expect("it is made"));
        server.stop();
    }
    assert_eq!(cas[0], cas[1]);
}
