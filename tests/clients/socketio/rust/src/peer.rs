//! A client that writes down everything that happens to it, in order.

use std::{
    fmt::Debug,
    str::FromStr,
    sync::mpsc::{self, Receiver},
    time::Duration,
};

use rust_socketio::{ClientBuilder, Event, Payload, RawClient, TransportType, client::Client};
use serde_json::{Value, json};

/// The longest that anything is waited for.
const WAIT: Duration = Duration::from_secs(20);

/// From one try to come back to the next, at least and at most, in milliseconds.
const EAGER_MS: (u64, u64) = (20, 100);

/// How a client is told to connect.
#[derive(Clone, Copy)]
pub enum Transport {
    /// Long-polling only.
    Polling,
    /// WebSocket only.
    Websocket,
    /// Polling first.
    Upgrade,
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "polling" => Ok(Transport::Polling),
            "websocket" => Ok(Transport::Websocket),
            "upgrade" => Ok(Transport::Upgrade),
            _ => Err(format!("no such transport: {name}")),
        }
    }
}

/// One client in one namespace.
pub struct Peer {
    client: Client,
    happened: Receiver<(String, Payload)>,
}

impl Peer {
    /// Asks to be let into a namespace at `HOST:PORT`; whether it was is heard. If it `returns`, it comes back
    /// by itself.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub fn dial(
        transport: Transport,
        address: &str,
        namespace: &str,
        auth: Value,
        returns: bool,
    ) -> Result<Peer, String> {
        let (tell, happened) = mpsc::channel();
        let note = |name: &'static str| {
            let tell = tell.clone();
            move |payload, _: RawClient| {
                // Nobody listens any more to a client that was put aside.
                let _ = tell.send((name.to_owned(), payload));
            }
        };
        let builder = ClientBuilder::new(format!("http://{address}/"))
            .namespace(namespace)
            .auth(auth)
            .transport_type(match transport {
                Transport::Polling => TransportType::Polling,
                Transport::Websocket => TransportType::Websocket,
                Transport::Upgrade => TransportType::WebsocketUpgrade,
            })
            .reconnect(returns)
            .reconnect_delay(EAGER_MS.0, EAGER_MS.1)
            .on(Event::Connect, note("connect"))
            .on(Event::Close, note("close"))
            .on(Event::Error, note("error"))
            .on_any(move |event, payload, _| {
                let _ = tell.send((event.as_str().to_owned(), payload));
            });
        let client = builder.connect().map_err(words)?;
        Ok(Peer { client, happened })
    }

    /// Sends an event.
    ///
    /// # Errors
    /// When it is not connected.
    pub fn emit(&self, event: &str, payload: impl Into<Payload>) -> Result<(), String> {
        self.client.emit(event, payload).map_err(words)
    }

    /// What the server acknowledges an event with: its arguments.
    ///
    /// # Errors
    /// When it is not connected, or nothing comes.
    pub fn ask(&self, event: &str, payload: impl Into<Payload>) -> Result<Value, String> {
        let (tell, answer) = mpsc::channel();
        let note = move |payload, _: RawClient| {
            let _ = tell.send(payload);
        };
        self.client.emit_with_ack(event, payload, WAIT, note).map_err(words)?;
        match answer.recv_timeout(WAIT) {
            // The library gives all arguments as one.
            Ok(Payload::Text(args)) if args.len() == 1 => Ok(args[0].clone()),
            other => Err(format!("{event} is acknowledged with {other:?}")),
        }
    }

    /// The arguments of what happens next, which must have this name.
    ///
    /// # Errors
    /// When something else happens, or nothing.
    pub fn hears(&self, name: &str) -> Result<Vec<Value>, String> {
        match self.happened.recv_timeout(WAIT) {
            Ok((heard, Payload::Text(args))) if heard == name => Ok(args),
            other => Err(format!("expected {name}, got {other:?}")),
        }
    }

    /// It hears that it is over. The library may poll once more meanwhile, and takes it for an error that
    /// there is no session any more.
    ///
    /// # Errors
    /// When something else happens, or nothing.
    pub fn ends(&self) -> Result<(), String> {
        loop {
            match self.happened.recv_timeout(WAIT) {
                Ok((heard, _)) if heard == "close" => return Ok(()),
                Ok((heard, Payload::Text(args)))
                    if heard == "error" && args == [json!("EngineIO Error")] => {}
                other => return Err(format!("expected close, got {other:?}")),
            }
        }
    }

    /// The bytes of what happens next, which must have this name.
    ///
    /// # Errors
    /// When something else happens, or nothing.
    pub fn hears_bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        match self.happened.recv_timeout(WAIT) {
            Ok((heard, Payload::Binary(bytes))) if heard == name => Ok(bytes.to_vec()),
            other => Err(format!("expected {name} with bytes, got {other:?}")),
        }
    }

    /// Refuses a client that was told more than it was asked for when everything so far has arrived.
    ///
    /// # Errors
    /// When it was.
    pub fn settles(&self) -> Result<(), String> {
        self.ask("states:get", json!({ "entity_id": "sensor.that_nobody_has" }))?;
        match self.happened.try_recv() {
            Ok(more) => Err(format!("what else happened: {more:?}")),
            Err(_) => Ok(()),
        }
    }

    /// Leaves.
    ///
    /// # Errors
    /// When it is not connected.
    pub fn leave(&self) -> Result<(), String> {
        self.client.disconnect().map_err(words)
    }
}

fn words(error: impl Debug) -> String {
    format!("{error:?}")
}
