//! The clients of document 002, word for word, at a demo and at a server that wants a token: its JavaScript in a
//! browser, its Python with `websocket-client`.

use crate::process::{self, ANY_PORT, Process, Script};

/// Runs a script at a demo, as a guest, and at a closed server, with an admin's token.
#[track_caller]
fn check(script: &str, says: &str) {
    for demo in [true, false] {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let options: &[&str] = if demo { &["--demo"] } else { &[] };
        let server = Process::serve(folder.path(), ANY_PORT, options);
        let token = (!demo).then(|| process::token(folder.path(), "admin", 3_600));
        let said = Script::new(script).to(server.address(), token.as_deref()).passes();
        assert_eq!(said, format!("ok: {says}\n"), "{script}, demo {demo}");
        server.stop();
    }
}

#[test]
fn the_document_s_own_client_in_a_browser() {
    let says = "the document's own client in a browser received and sent readings";
    check("document_sensors.mjs", says);
}

#[test]
fn the_document_s_own_client_in_python() {
    let says = "the document's own client in Python sent a reading, and received it";
    check("python_document_sensors.py", says);
}
