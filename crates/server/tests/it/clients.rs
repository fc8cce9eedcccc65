//! Clients as others write them, at a demo and at a server that wants a token: the document's own
//! JavaScript in a browser, wscat, two Python libraries, and the server's console.

use crate::process::{self, ANY_PORT, Process, Script};

/// Runs a script at a demo, as a guest, and at a closed server, with a token.
fn check(script: &str, says: &str) {
    for demo in [true, false] {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let server = Process::serve(folder.path(), ANY_PORT, options(demo));
        let token = (!demo).then(|| process::token(folder.path(), "admin", 3_600));
        let said = Script::new(script).to(server.address(), token.as_deref()).passes();
        assert!(said.ends_with(says), "{script}, demo {demo}: {said}");
        server.stop();
    }
}

fn options(demo: bool) -> &'static [&'static str] {
    if demo { &["--demo"] } else { &[] }
}

#[test]
fn the_document_s_own_client_in_a_browser() {
    check("document.mjs", "ok: the document's own client got its replies and the event\n");
}

#[test]
fn wscat() {
    check("wscat.mjs", "ok: wscat printed every reply and the event\n");
}

#[test]
fn python_websockets() {
    check("python_websockets.py", "ok: every reply and event as documented\n");
}

#[test]
fn python_websocket_client() {
    check("python_websocket_client.py", "ok: every reply and event as documented\n");
}

/// The page shows, follows, and comes back after the server was restarted on its port.
fn page(demo: bool) {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let server = Process::serve(data, ANY_PORT, options(demo));
    let address = server.address();
    let token = (!demo).then(|| process::token(data, "admin", 3_600));
    // An entity that the demo leaves alone.
    let script = Script::new("page.mjs").to(address, token.as_deref());
    let mut second = None;
    let said = script.args(["--entity", "light.page_under_test"]).passes_over(|| {
        server.stop();
        second = Some(Process::serve(data, &address.to_string(), options(demo)));
    });
    assert!(said.ends_with("ok: the page shows, follows and comes back\n"), "{said}");
    second.expect("it was restarted").stop();
}

#[test]
fn the_page_of_the_demo() {
    page(true);
}

#[test]
fn the_page_with_a_token() {
    page(false);
}

/// Runs a script of the console at a server that has nothing yet, with a token that may do everything.
fn console(script: &str, says: &str) {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let server = Process::serve(folder.path(), ANY_PORT, &[]);
    let token = process::token(folder.path(), "admin", 3_600);
    let said = Script::new(script).to(server.address(), Some(&token)).passes();
    assert!(said.ends_with(says), "{script}: {said}");
    server.stop();
}

#[test]
fn the_page_is_used() {
    console("console.mjs", "ok: the console is as it should be\n");
}

#[test]
fn the_page_with_ten_thousand_entities() {
    console("console_load.mjs", "ok: the page goes on drawing\n");
}

#[test]
fn the_page_that_tests_the_protocol() {
    console("tester.mjs", "ok: the tester sends, logs and saves\n");
}

#[test]
fn the_types_of_the_page() {
    let said = Script::new("types.mjs").passes();
    assert_eq!(said, "ok: the types hold\n");
}

#[test]
fn the_packages_in_javascript() {
    let said = Script::new("libraries.mjs").passes();
    assert_eq!(said, "ok: the packages do what their tests say\n");
}

#[test]
fn the_page_of_areas() {
    with_password("areas.mjs", "ok: areas, clients and pairings are looked after\n");
}

#[test]
fn the_pages_of_sensors() {
    console("sensors.mjs", "ok: sensors are looked at and looked after\n");
}

#[test]
fn the_pages_of_people() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let server = Process::serve(folder.path(), ANY_PORT, &["--demo"]);
    let token = process::token(folder.path(), "admin", 3_600);
    let said = Script::new("chat.mjs").to(server.address(), Some(&token)).passes();
    assert_eq!(said, "ok: people write to one another, in private and in groups, and rate\n");
    server.stop();
}

/// Over a restart, after which batteries are held for a few seconds alone.
#[test]
fn the_pages_of_stations() {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let server = Process::serve(data, ANY_PORT, &["--demo"]);
    let address = server.address();
    let token = process::token(data, "admin", 3_600);
    let mut second = None;
    let said = Script::new("stations.mjs").to(address, Some(&token)).passes_over(|| {
        server.stop();
        let mut program = process::bellwire();
        program.env("BELLWIRE_STATIONS__HOLD", "8s");
        second = Some(Process::serve_by(program, data, &address.to_string(), &["--demo"]));
    });
    assert!(said.ends_with("ok: batteries are booked, collected and looked after\n"), "{said}");
    second.expect("it was restarted").stop();
}

#[test]
fn the_page_of_a_screen() {
    console("screen.mjs", "ok: the screen is paired, follows and is sent away\n");
}

#[test]
fn the_page_signs_in_and_out() {
    with_password("sign_in.mjs", "ok: the page signs in and out\n");
}

/// Runs a script of the console at a server that has nothing yet, with a token and the password of its admin.
fn with_password(script: &str, says: &str) {
    let folder = tempfile::tempdir().expect("a directory can be made");
    let data = folder.path();
    let server = Process::serve(data, ANY_PORT, &[]);
    server.says("How to operate it: ");
    let log = server.log();
    let password = log.lines().find_map(|line| line.trim().strip_prefix("password: "));
    let token = process::token(data, "admin", 3_600);
    let script = Script::new(script).to(server.address(), Some(&token));
    let said = script.args(["--password", password.expect("it is told")]).passes();
    assert!(said.ends_with(says), "{said}");
    server.stop();
}
