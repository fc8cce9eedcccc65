//! The scenarios of bellwire-load, served by socketioxide: what `../node` does, in the same words.
//!
//!     bellwire-load-peer HOST PORT
//!
//! Nothing is kept and nobody's rights are looked at: what is measured is delivery alone.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};

/// No heartbeat falls into a round: the bare loop, beside which this is measured, has none. The
/// first one comes at once, and its answer may wait until others are connected.
const PING_INTERVAL: Duration = Duration::from_secs(600);
/// See [`PING_INTERVAL`].
const PING_TIMEOUT: Duration = Duration::from_secs(600);

#[derive(Deserialize)]
struct Auth {
    token: String,
}

#[derive(Deserialize)]
struct Create {
    entity_id: String,
    state: String,
    attributes: Box<RawValue>,
}

#[derive(Serialize)]
struct StateChanged {
    entity_id: String,
    new_state: State,
}

#[derive(Serialize)]
struct State {
    state: String,
    attributes: Box<RawValue>,
}

#[derive(Serialize)]
struct Answer {
    success: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place: Vec<String> = std::env::args().skip(1).collect();
    let (layer, io) =
        SocketIo::builder().ping_interval(PING_INTERVAL).ping_timeout(PING_TIMEOUT).build_layer();
    io.ns("/states", states);
    io.ns("/", echo);
    let listener = tokio::net::TcpListener::bind(place.join(":")).await?;
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    let router = axum::Router::new().layer(layer);
    tokio::select! {
        served = axum::serve(listener, router) => served?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

async fn states(socket: SocketRef, Data(auth): Data<Auth>) {
    // A writer hears nothing of what it writes, so that a delivery is one to a reader.
    if auth.token == "reader" {
        socket.join("states");
    }
    socket.on("states:create", async |io: SocketIo, Data(create): Data<Create>, ack: AckSender| {
        let Create { entity_id, state, attributes } = create;
        let event = StateChanged { entity_id, new_state: State { state, attributes } };
        if let Some(states) = io.of("/states") {
            let _ = states.to("states").emit("state_changed", &event).await;
        }
        let _ = ack.send(&Answer { success: true });
    });
}

async fn echo(socket: SocketRef) {
    socket.on("message-with-ack", async |Data(argument): Data<Value>, ack: AckSender| {
        let _ = ack.send(&argument);
    });
}
