//! Paired clients as others write them: those of document 001, word for word (its sample client in Node and in a
//! browser, its test, its wscat and curl), and programs with the libraries of Socket.IO that are paired, hear of
//! their areas, acknowledge, are recovered, and are put out.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::{
    harness::until,
    process::{self, ANY_PORT, Process, Script},
    socketio_clients::{Stage, over_each_transport},
};

/// A server with a listener that speaks TLS too, and an admin; at a demo with its screen.
struct House {
    // Before the folder: it is ended first.
    server: Process,
    folder: TempDir,
    admin: String,
    /// The token of the demo's screen.
    screen: Option<String>,
}

impl House {
    /// A closed one, or a demo.
    fn new(demo: bool) -> House {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let listener = ["--listen", "either://127.0.0.1:0"];
        let options = [listener.as_slice(), if demo { &["--demo"] } else { &[] }].concat();
        let server = Process::serve(folder.path(), ANY_PORT, &options);
        let (admin, screen) = match demo {
            true => (
                printed(&server, "may do everything"),
                Some(printed(&server, "is the screen client_123")),
            ),
            false => (process::token(folder.path(), "admin", 3_600), None),
        };
        House { server, folder, admin, screen }
    }

    /// A script that was told of the server, of the admin, and of the demo's screen.
    fn script(&self, name: &str) -> Script {
        let script = Script::new(name).to(self.server.address(), Some(&self.admin));
        let screen = self.screen.iter().flat_map(|token| ["--screen", token]);
        script.args(screen)
    }

    /// Where it speaks TLS, by the name that is in its certificate.
    fn secure(&self) -> String {
        let log = || self.server.log();
        until("it listens with TLS", || log().contains("Listening on https://"));
        let log = log();
        let at = log.split("Listening on https://127.0.0.1:").nth(1);
        let port = at.and_then(|at| at.split('/').next()).expect("it has a port");
        format!("localhost:{port}")
    }

    /// The same over TLS, with the CA that the server told.
    fn secure_script(&self, name: &str) -> Script {
        let ca: PathBuf = self.folder.path().join("tls/ca.pem");
        let script = self.script(name).args(["--secure", &self.secure()]);
        for variable in ["NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE"] {
            let told = format!("export {variable}={}", ca.display());
            assert!(self.server.log().contains(&told), "{told}\n{}", self.server.log());
        }
        script.env("NODE_EXTRA_CA_CERTS", &ca).env("CURL_CA_BUNDLE", &ca)
    }
}

/// The token that a demo prints for whom it describes with these words.
pub fn printed(demo: &Process, words: &str) -> String {
    let log = demo.log();
    let mut lines = log.lines().skip_while(|line| !line.trim_start().starts_with(words));
    lines.nth(1).unwrap_or_else(|| panic!("it prints no such token: {log}")).trim().to_owned()
}

/// Runs a script at a closed server, in the clear, and at a demo, over TLS.
#[track_caller]
fn check(name: &str, args: &[&str], says: &str) {
    for demo in [false, true] {
        let house = House::new(demo);
        let script = if demo { house.secure_script(name) } else { house.script(name) };
        let said = script.args(args).passes();
        assert_eq!(said, format!("ok: {says}\n"), "{name}, demo {demo}");
        house.server.stop();
    }
}

#[test]
fn the_document_s_own_client_in_node() {
    let says = "the document's own client in Node heard of its area, and of its end";
    check("document_client.mjs", &["--in", "node"], says);
}

#[test]
fn the_document_s_own_client_in_a_browser() {
    let says = "the document's own client in Chromium heard of its area, and of its end";
    check("document_client.mjs", &["--in", "chromium"], says);
}

#[test]
fn the_document_s_own_test() {
    for demo in [false, true] {
        let house = House::new(demo);
        let said = house.script("document_test.mjs").passes();
        assert_eq!(said, "ok: WebSocket Events should receive area_updated event\n");
        house.server.stop();
    }
}

#[test]
fn the_document_s_own_wscat_and_curl() {
    for demo in [false, true] {
        let house = House::new(demo);
        let said = house.secure_script("wscat_areas.mjs").passes();
        assert_eq!(said, "ok: wscat and curl, as the document has them\n");
        house.server.stop();
    }
}

/// Plays all steps of a script behind a proxy, at a server that may be killed.
#[track_caller]
fn runs(name: &str, transport: &str, says: &str) {
    Stage::set().runs(Script::new(name), transport, says);
}

#[track_caller]
fn python(library: &str, transport: &str) {
    let script = Script::new("socketio/python_paired.py").args(["--with", library]);
    let says = format!("a paired client of python-socketio with {library}");
    Stage::set().runs(script, transport, &says);
}

over_each_transport! {
    pairing: |transport| runs("socketio/pairing.mjs", transport, "pairing");
    acknowledged: |transport| {
        runs("socketio/acknowledged.mjs", transport, "acknowledged and recovered");
    };
    python_with_threads: |transport| python("threads", transport);
    python_with_asyncio: |transport| python("asyncio", transport);
}
