//! Certificates as operators give them, and those of our own, at times at will.

use std::os::unix::fs::PermissionsExt as _;

use rcgen::{CertificateParams, CertifiedKey as Made, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tempfile::TempDir;

use super::*;

/// 2026-01-01.
const NOW: Micros = 1_767_225_600 * 1_000_000;

/// A certificate that is valid from one year's beginning to another's.
fn made(from: i32, until: i32) -> Made<KeyPair> {
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("it is a name");
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    let signing_key = KeyPair::generate().expect("chance is there");
    let cert = params.self_signed(&signing_key).expect("it can be signed");
    Made { cert, signing_key }
}

struct Given {
    folder: TempDir,
    settings: Settings,
}

impl Given {
    fn new(certificate: &str, key: &str) -> Given {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let files = ["c.pem", "k.pem"].map(|name| folder.path().join(name));
        let settings = Settings { files: Some(files), names: Vec::new() };
        let given = Given { folder, settings };
        given.write(certificate, key);
        given
    }

    fn write(&self, certificate: &str, key: &str) {
        for (name, text) in [("c.pem", certificate), ("k.pem", key)] {
            let file = self.folder.path().join(name);
            let _ = fs::remove_file(&file);
            if text != "none" {
                fs::write(file, text).expect("it can be written");
            }
        }
    }

    fn open(&self) -> anyhow::Result<Tls> {
        self.open_at(NOW)
    }

    fn open_at(&self, now: Micros) -> anyhow::Result<Tls> {
        Tls::open(&self.settings, self.folder.path(), now)
    }
}

/// What is shown to a client now.
fn shown(tls: &Tls) -> CertificateDer<'static> {
    tls.current.0.read().expect("nobody panics").cert[0].clone()
}

#[test]
fn files_of_no_use_are_told_in_a_sentence() {
    let (good, other) = (made(2025, 2027), made(2025, 2027));
    let key = good.signing_key.serialize_pem();
    let ended = made(2024, 2026);
    let early = made(2027, 2028);
    let damaged = good.cert.pem().replace("MII", "MIA");
    let rows = [
        ("none", key.clone(), "The file DIR/c.pem cannot be read (No such file"),
        ("", key.clone(), "There is no certificate in DIR/c.pem; it must be"),
        (&key, key.clone(), "There is no certificate in DIR/c.pem; it must be"),
        (&damaged, key.clone(), "The certificate in DIR/c.pem is damaged; get it anew"),
        (&good.cert.pem(), "none".into(), "The file DIR/k.pem cannot be read (No such file"),
        (&good.cert.pem(), good.cert.pem(), "There is no private key in DIR/k.pem; it must be"),
        (
            &good.cert.pem(),
            other.signing_key.serialize_pem(),
            "The key in DIR/k.pem does not belong to the certificate in DIR/c.pem; give",
        ),
        (
            &ended.cert.pem(),
            ended.signing_key.serialize_pem(),
            "The certificate in DIR/c.pem ended on 2026-01-01; renew it.",
        ),
        (
            &early.cert.pem(),
            early.signing_key.serialize_pem(),
            "The certificate in DIR/c.pem is valid only from 2027-01-01 on; check",
        ),
    ];
    for (certificate, key, expected) in rows {
        let given = Given::new(certificate, &key);
        let told = format!("{:#}", given.open().expect_err(expected));
        let told = told.replace(&given.folder.path().display().to_string(), "DIR");
        assert!(told.starts_with(expected) && !told.contains('\n'), "{told}\n{expected}");
    }
}

#[test]
fn keys_of_every_kind_are_read() {
    let good = made(2025, 2027);
    let pkcs8 = good.signing_key.serialize_pem();
    assert!(Given::new(&good.cert.pem(), &pkcs8).open().is_ok());
    // A text before, and CRLF, as some tools write.
    let text = format!("subject=x\r\n{}", pkcs8.replace('\n', "\r\n"));
    assert!(Given::new(&format!("text\n{}", good.cert.pem()), &text).open().is_ok());
    for (certificate, key) in [
        (include_str!("fixtures/sec1.pem"), include_str!("fixtures/sec1.key")),
        (include_str!("fixtures/pkcs1.pem"), include_str!("fixtures/pkcs1.key")),
    ] {
        // They were made in 2026, for a hundred years.
        let given = Given::new(certificate, key);
        given.open_at(NOW + 730 * DAY_MICROS).expect("it can be used");
    }
}

#[test]
fn changed_files_are_used_if_they_can_be() {
    let (first, second) = (made(2025, 2027), made(2025, 2028));
    let pem = |made: &Made<KeyPair>| (made.cert.pem(), made.signing_key.serialize_pem());
    let (certificate, key) = pem(&first);
    let given = Given::new(&certificate, &key);
    let tls = given.open().expect("it can be used");
    tls.reload_if_changed(NOW);
    assert_eq!(shown(&tls), *first.cert.der());
    let (certificate, key) = pem(&second);
    for (bad_certificate, bad_key) in [("none", key.as_str()), (&certificate, "none"), ("", "")] {
        given.write(bad_certificate, bad_key);
        tls.reload_if_changed(NOW);
        assert_eq!(shown(&tls), *first.cert.der());
    }
    given.write(&certificate, &key);
    tls.reload_if_changed(NOW);
    assert_eq!(shown(&tls), *second.cert.der());
}

/// What is told while `f` runs.
fn told(f: impl FnOnce()) -> String {
    use std::io::{Read as _, Seek as _};
    let mut log = tempfile::tempfile().expect("a file can be made");
    let writer = Arc::new(log.try_clone().expect("a file can be shared"));
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
    tracing::subscriber::with_default(subscriber, f);
    let mut told = String::new();
    log.rewind().expect("it is a file");
    log.read_to_string(&mut told).expect("it is text");
    told
}

#[test]
fn what_goes_wrong_is_told_once_and_an_end_daily() {
    let good = made(2025, 2027);
    let given = Given::new(&good.cert.pem(), &good.signing_key.serialize_pem());
    let tls = given.open().expect("it can be used");
    given.write("", "");
    let check = |now: Micros, expected: &[&str]| {
        let told = told(|| tls.reload_if_changed(now));
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{told}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{line}");
        }
    };
    check(NOW, &["tls: the certificate in use stays, as its files changed: There is no"]);
    check(NOW, &[]);
    let end = NOW + 365 * DAY_MICROS;
    check(end - 14 * DAY_MICROS, &[]);
    let warned_at = end - 14 * DAY_MICROS + 1;
    let warning = "tls: the certificate ends on 2027-01-01: renew it";
    check(warned_at, &[warning]);
    check(warned_at + DAY_MICROS - 1, &[]);
    check(warned_at + DAY_MICROS, &[warning]);
}

/// Whether a client that trusts this CA accepts the certificate for this name.
fn is_accepted(tls: &Tls, ca: &Path, name: &str, now: Micros) -> bool {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_file(ca).expect("it is a certificate");
    roots.add(ca).expect("it can be trusted");
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    let name = ServerName::try_from(name).expect("it is a name");
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_micros(now as u64));
    let verifier = verifier.expect("there is a root");
    verifier.verify_server_cert(&shown(tls), &[], &name, &[], now).is_ok()
}

#[test]
fn a_certificate_of_our_own_is_accepted_and_renewed() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let open = |names: &[&str], now| {
        let names = names.iter().map(|name| name.to_string()).collect();
        let settings = Settings { names, ..Settings::default() };
        Tls::open(&settings, folder.path(), now).expect("it can be made")
    };
    let first = open(&[], NOW);
    let ca = first.ca().expect("it is our own").to_owned();
    let ca_was = fs::read(&ca).expect("it is there");
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert!(is_accepted(&first, &ca, name, NOW), "{name}");
    }
    assert!(!is_accepted(&first, &ca, "bell.example", NOW));
    assert!(!is_accepted(&first, &ca, "localhost", NOW + 398 * DAY_MICROS));
    let mode = |name: &str| {
        let path = folder.path().join("tls").join(name);
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    };
    let modes = ["", "ca.pem", "ca.key", "server.pem", "server.key"].map(mode);
    assert_eq!(modes, [0o700, 0o644, 0o600, 0o600, 0o600]);

    let again = open(&[], NOW + 366 * DAY_MICROS);
    assert_eq!(shown(&again), shown(&first), "31 days are left");
    let renewed = open(&[], NOW + 368 * DAY_MICROS);
    assert_ne!(shown(&renewed), shown(&first), "29 days are left");
    let named = open(&["Bell.Example", "192.0.2.7", "*.home.example"], NOW);
    for name in ["localhost", "bell.example", "192.0.2.7", "x.home.example"] {
        assert!(is_accepted(&named, &ca, name, NOW), "{name}");
    }
    let same = open(&["*.home.example", "bell.example", "192.0.2.7", "localhost"], NOW);
    assert_eq!(shown(&same), shown(&named));
    assert_eq!(fs::read(&ca).expect("it is there"), ca_was, "the CA stays");
    let told_of = told(|| {
        let late = open(&[], NOW + 3_630 * DAY_MICROS);
        assert!(is_accepted(&late, &ca, "localhost", NOW + 3_630 * DAY_MICROS));
    });
    assert!(told_of.contains("clients must be given the new one"), "{told_of}");
    assert_ne!(fs::read(&ca).expect("it is there"), ca_was, "it was about to end");
}

#[test]
fn files_of_our_own_that_were_lost_are_made_anew() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let open = || Tls::open(&Settings::default(), folder.path(), NOW);
    let file = |name: &str| folder.path().join("tls").join(name);
    let ca = open().expect("it can be made").ca().expect("it is our own").to_owned();
    for (name, keeps_ca) in
        [("server.pem", true), ("server.key", true), ("ca.key", false), ("ca.pem", false)]
    {
        let ca_was = fs::read(&ca).expect("it is there");
        fs::remove_file(file(name)).expect("it is there");
        let tls = open().expect("it is made anew");
        assert!(is_accepted(&tls, &ca, "localhost", NOW), "{name}");
        assert_eq!(fs::read(&ca).expect("it is there") == ca_was, keeps_ca, "{name}");
    }
    // Killed between its key and its certificate.
    let other = KeyPair::generate().expect("chance is there").serialize_pem();
    for name in ["server.key", "ca.key"] {
        fs::write(file(name), &other).expect("it can be written");
        assert!(is_accepted(&open().expect("it is made anew"), &ca, "localhost", NOW), "{name}");
    }
    fs::write(file("ca.pem"), "damaged").expect("it can be written");
    let told = format!("{:#}", open().expect_err("it is damaged"));
    assert!(told.contains("/tls cannot be used; remove it, and new ones are made: "), "{told}");
}

#[test]
fn names_that_are_none_are_told() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    for name in ["", "a b", "https://bell.example", "bell.example:8443", "*"] {
        let settings = Settings { names: vec![name.to_owned()], ..Settings::default() };
        let told = Tls::open(&settings, folder.path(), NOW).expect_err("it is no name");
        assert!(told.to_string().contains(&format!("cannot have the name {name:?};")), "{told}");
    }
}

#[test]
fn our_own_is_renewed_while_the_server_runs() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let tls = Tls::open(&Settings::default(), folder.path(), NOW).expect("it is made");
    let first = shown(&tls);
    let mut now = NOW;
    for _ in 0..365 {
        now += DAY_MICROS;
        tls.reload_if_changed(now);
        assert_eq!(shown(&tls), first, "there is time");
    }
    for _ in 0..3 {
        now += DAY_MICROS;
        tls.reload_if_changed(now);
    }
    let second = shown(&tls);
    assert_ne!(second, first);
    let ca = tls.ca().expect("it is our own");
    assert!(is_accepted(&tls, ca, "localhost", now + 300 * DAY_MICROS));
    now += DAY_MICROS;
    tls.reload_if_changed(now);
    assert_eq!(shown(&tls), second);
}
