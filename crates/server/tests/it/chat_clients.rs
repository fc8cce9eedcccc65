//! Chat with clients as others write them, at a demo, where they are guests, and at a server that wants tokens: those
//! of document 003 with Socket.IO's own library, its flow and its payloads word for word; python-socketio; wscat and a
//! Python library for plain WebSockets. And how the official client is recovered.

use crate::{
    process::{self, ANY_PORT, Process, Script, bellwire},
    socketio_clients::{Stage, over_each_transport},
};

/// Who loses a connection has so long to come back: no test waits until then, so that whoever is told to be gone has
/// said goodbye.
const PATIENT: &[(&str, &str)] = &[("BELLWIRE_PRESENCE__GRACE", "10m")];

/// Runs a script at a demo, as guests, and at a closed server, with an admin's token.
#[track_caller]
fn check(name: &str, args: &[&str], says: &str) {
    for demo in [true, false] {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let mut program = bellwire();
        program.envs(PATIENT.iter().copied());
        let options: &[&str] = if demo { &["--demo"] } else { &[] };
        let server = Process::serve_by(program, folder.path(), ANY_PORT, options);
        let token = (!demo).then(|| process::token(folder.path(), "admin", 3_600));
        let said = Script::new(name)
            .to(server.address(), token.as_deref())
            .args(args)
            // Whoever runs the tests may have a proxy for other addresses.
            .env("NO_PROXY", "127.0.0.1")
            .env("no_proxy", "127.0.0.1")
            .passes();
        assert!(said.starts_with(&format!("ok: {says}")), "{name}, demo {demo}: {said}");
        server.stop();
    }
}

/// The document's client, with this version of the library.
fn document(version: &str, transport: &str) {
    let client = format!("socket.io-client-{version}");
    let says = format!("{client} over {transport} did what the document says in ");
    check("chat_document.mjs", &["--client", &client, "--transport", transport], &says);
}

fn python(library: &str, transport: &str) {
    let says = format!("people chatted with python-socketio and {library} over {transport} in ");
    check("socketio/python_chat.py", &["--with", library, "--transport", transport], &says);
}

fn recovers(transport: &str) {
    let script = Script::new("socketio/chat_recovery.mjs");
    Stage::set_with(PATIENT).runs(script, transport, "recovery in chat");
}

over_each_transport! {
    javascript_4_8: |transport| document("4.8", transport);
    python_with_asyncio: |transport| python("asyncio", transport);
    recovery: recovers;
}

/// What older clients and other loops do on each transport, `socketio_clients` sees.
#[test]
fn javascript_4_0() {
    document("4.0", "upgrade");
}

#[test]
fn javascript_3_1() {
    document("3.1", "polling");
}

#[test]
fn python_with_threads() {
    python("threads", "websocket");
}

#[test]
fn wscat() {
    check("wscat_chat.mjs", &[], "people chatted at wscat\n");
}

#[test]
fn python_websockets() {
    check("python_websockets_chat.py", &[], "people chatted with websockets\n");
}
