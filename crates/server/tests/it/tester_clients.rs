//! The protocol tester's page in Chromium, as a client of Socket.IO over each transport: what the official client
//! does in Node it does in a browser too.

use crate::{
    process::Script,
    socketio_clients::{Stage, over_each_transport},
};

/// Plays all steps of the page.
#[track_caller]
fn page(transport: &str) {
    let stage = Stage::set();
    let script = Script::new("tester_socketio.mjs").args(["--direct", &stage.direct()]);
    stage.plays(script, transport, "the tester");
}

over_each_transport! {
    tester_page: page;
}
