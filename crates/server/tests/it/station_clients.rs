//! Stations and notifications with clients as others write them: the code of document 004 word for word, which is
//! React's in a browser, what it enters in the browser's console, and its Python; wscat, and a Python library for plain
//! WebSockets; Socket.IO's own library, and python-socketio. And with the packages under `clients`.

use tempfile::TempDir;

use crate::{
    process::{self, ANY_PORT, Process, Script},
    socketio_clients::over_each_transport,
};

/// A demo, or a server that has no stations before a script makes them; with an admin's token.
struct House {
    folder: TempDir,
    server: Option<Process>,
    options: Vec<String>,
}

impl House {
    fn open(demo: bool) -> House {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let options = demo.then(|| "--demo".to_owned()).into_iter().collect();
        let mut house = House { folder, server: None, options };
        house.serve(ANY_PORT);
        house
    }

    fn serve(&mut self, listen: &str) {
        let options: Vec<&str> = self.options.iter().map(String::as_str).collect();
        self.server = Some(Process::serve(self.folder.path(), listen, &options));
    }

    /// Pages of that origin may use the cookie from now on.
    fn lists(&mut self, origin: &str) {
        let server = self.server.take().expect("it runs");
        let address = server.address().to_string();
        server.stop();
        self.options.extend(["--origin".to_owned(), origin.to_owned()]);
        self.serve(&address);
    }

    /// Runs a script here, which may have the server stopped, or killed, and started again on its port and data.
    #[track_caller]
    fn runs(mut self, script: Script) -> String {
        let address = self.server.as_ref().expect("it runs").address();
        let token = process::token(self.folder.path(), "admin", 3_600);
        let demo = self.options.first().filter(|option| *option == "--demo").cloned();
        let said = script
            .to(address, Some(&token))
            .args(demo)
            // Whoever runs the tests may have a proxy for other addresses.
            .env("NO_PROXY", "127.0.0.1,localhost")
            .env("no_proxy", "127.0.0.1,localhost")
            .passes_asking(|request| match request.split_once(' ') {
                None if request == "stop" => self.server.take().expect("it runs").stop(),
                None if request == "kill" => self.server.take().expect("it runs").kill(),
                None if request == "start" => self.serve(&address.to_string()),
                Some(("list", origin)) => self.lists(origin),
                _ => panic!("it asks for {request:?}"),
            });
        self.server.expect("it runs at the end").stop();
        said
    }
}

/// Runs a script at a demo and at a server that wants tokens.
#[track_caller]
fn check(name: &str, says: &str) {
    for demo in [true, false] {
        check_at(House::open(demo), name, says);
    }
}

#[track_caller]
fn check_at(house: House, name: &str, says: &str) {
    let options = house.options.clone();
    let said = house.runs(Script::new(name));
    assert!(said.ends_with(&format!("ok: {says}\n")), "{name}, {options:?}: {said}");
}

/// The document's hooks and its component.
#[track_caller]
fn react(demo: bool) {
    let says = "the document's own React code shows what is booked";
    check_at(House::open(demo), "document_stations.mjs", says);
}

#[test]
fn the_document_s_own_react_code_at_a_demo() {
    react(true);
}

#[test]
fn the_document_s_own_react_code_with_tokens() {
    react(false);
}

/// What the document enters in the console of a browser.
#[track_caller]
fn console(demo: bool) {
    let says = "what the document enters in a browser's console does what it says";
    check_at(House::open(demo), "document_stations_console.mjs", says);
}

#[test]
fn the_document_s_own_code_for_a_browser_s_console_at_a_demo() {
    console(true);
}

#[test]
fn the_document_s_own_code_for_a_browser_s_console_with_tokens() {
    console(false);
}

#[test]
fn the_document_s_own_client_in_python() {
    let says = "the document's own client in Python is told what happens at stations";
    check("python_document_stations.py", says);
}

#[test]
fn python_websockets() {
    check("python_websockets_stations.py", "stations and notifications with websockets");
}

#[test]
fn wscat() {
    check("wscat_stations.mjs", "stations and notifications at wscat");
}

#[test]
fn our_own_client_in_node() {
    let says = "the client for JavaScript misses nothing in Node";
    check_at(House::open(false), "stations_package.mjs", says);
}

#[test]
fn our_own_hooks_in_a_browser() {
    check_at(House::open(false), "stations_react.mjs", "the hooks for React miss nothing");
}

/// Guests may look there as well, so that no demo is needed.
#[track_caller]
fn over_socket_io(name: &str, library: &[&str], transport: &str, says: &str) {
    let script = Script::new(name).args(library).args(["--transport", transport]);
    let said = House::open(false).runs(script);
    let says = format!("ok: {says} over {transport} is told what happens at stations\n");
    assert_eq!(said, says);
}

fn javascript(version: &str, transport: &str) {
    let client = format!("socket.io-client-{version}");
    over_socket_io("socketio/stations.mjs", &["--client", &client], transport, &client);
}

fn python(library: &str, transport: &str) {
    let says = format!("python-socketio with {library}");
    over_socket_io("socketio/python_stations.py", &["--with", library], transport, &says);
}

over_each_transport! {
    javascript_4_8: |transport| javascript("4.8", transport);
    python_with_asyncio: |transport| python("asyncio", transport);
}

/// What older clients and other loops do on each transport, `socketio_clients` and `chat_clients` see.
#[test]
fn javascript_4_0() {
    javascript("4.0", "websocket");
}

#[test]
fn javascript_3_1() {
    javascript("3.1", "polling");
}

#[test]
fn python_with_threads() {
    python("threads", "websocket");
}
