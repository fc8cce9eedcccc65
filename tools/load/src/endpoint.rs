//! A server as its clients see it: where it is, and how one gets a part in it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use crate::bare::{CONTROL, ECHO};
use crate::dialect::{
    self, Dialect, EVERYTHING, LOAD_ENTITY, NAMESPACE, Operation, SILENT_TOPIC, STATES_PATH,
};
use crate::fleet::Fleet;
use crate::frame;
use crate::opening::Opening;

/// Where a server is, and how it is used.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its address.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// How it is made to send events.
    pub publish: Publish,
    /// How it spells what listeners and publisher say and hear.
    pub dialect: Dialect,
    /// How listeners are connected. A publisher always has a WebSocket.
    pub transport: Transport,
}

/// What carries events to a listener.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// HTTP long-polling: an answer per delivery.
    Polling,
}

/// How events are made to happen.
#[derive(Clone, Debug)]
pub enum Publish {
    /// By an order to the bare loop.
    Order,
    /// By `states:create`; the two tokens are a writer's and a reader's.
    Create {
        /// May write states.
        writer: String,
        /// May read states.
        reader: String,
    },
    /// By `areas.change`.
    Change(Paired),
    /// Not at all: it echoes.
    Never,
}

/// Clients that are paired with a server and have one area.
#[derive(Clone, Debug)]
pub struct Paired {
    /// The token of an admin.
    pub admin: String,
    /// The area.
    pub area_id: String,
    /// The tokens of the clients, each of which is another client.
    pub clients: Arc<[String]>,
}

impl Endpoint {
    /// Opens a connection that hears every event, and returns its number in `fleet`.
    pub fn join_reader(&self, fleet: &mut Fleet) -> Result<usize> {
        let token = match &self.publish {
            Publish::Create { reader, .. } => Some(reader.as_str()),
            Publish::Change(paired) => {
                let client =
                    paired.clients.get(fleet.len()).context("too few clients are paired")?;
                let token = Some(client.as_str());
                return fleet.join(self.address, everything(self.dialect, token));
            }
            Publish::Order | Publish::Never => None,
        };
        let opening = match (self.transport, self.dialect) {
            (Transport::WebSocket, dialect) => states(dialect, token),
            (Transport::Polling, Dialect::Plain) => Opening::BarePoll,
            (Transport::Polling, Dialect::SocketIo) => {
                Opening::Polling { namespace: NAMESPACE, token }
            }
        };
        fleet.join(self.address, opening)
    }

    /// Opens a connection that makes events happen and hears none, so that a delivery is one to a
    /// reader. Who may write states may read them: with ours it asks to hear of one entity only,
    /// which never changes.
    pub fn join_writer(&self, fleet: &mut Fleet) -> Result<usize> {
        let writer = match &self.publish {
            Publish::Create { writer, .. } => writer,
            Publish::Change(paired) => return paired.join_admin(self.address, fleet),
            Publish::Order | Publish::Never => {
                return fleet.join(self.address, Opening::Plain { path: CONTROL, token: None });
            }
        };
        let index = fleet.join(self.address, states(self.dialect, Some(writer)))?;
        let silence = frame::encode_client(frame::TEXT, self.dialect.silence().as_bytes());
        // Commands of one connection take effect in order: no answer has to be awaited.
        fleet.send(index, &silence)?;
        Ok(index)
    }

    /// Opens a connection whose messages come back: in Socket.IO as acks of requests, else as
    /// they are.
    pub fn join_echo(&self, fleet: &mut Fleet) -> Result<usize> {
        let opening = match self.dialect {
            Dialect::Plain => Opening::Plain { path: ECHO, token: None },
            Dialect::SocketIo => everything(Dialect::SocketIo, None),
        };
        fleet.join(self.address, opening)
    }

    /// What makes an event happen at a server that is not the bare loop, and each a different one.
    pub fn publication(&self, number: u64) -> String {
        match &self.publish {
            Publish::Change(paired) => self.dialect.change(&paired.area_id, number),
            _ => self.dialect.create(LOAD_ENTITY, number),
        }
    }

    /// Whether a text message is a delivery.
    pub fn is_event(&self, text: &[u8]) -> bool {
        match self.publish {
            Publish::Change(_) => self.dialect.is_area_event(text),
            _ => self.dialect.is_event(text),
        }
    }

    /// Whether a text message is the answer to a publication. A refusal is an error.
    pub fn is_reply(&self, text: &[u8]) -> Result<bool> {
        match self.publish {
            Publish::Change(_) => dialect::is_change_reply(text),
            _ => self.dialect.is_reply(text, Operation::Create),
        }
    }
}

impl Paired {
    /// Opens a connection that changes the area and hears no events, in Socket.IO whatever the
    /// clients speak: there it can be said that it hears none.
    pub fn join_admin(&self, address: SocketAddr, fleet: &mut Fleet) -> Result<usize> {
        let (token, topic) = (Some(self.admin.as_str()), Some(SILENT_TOPIC));
        fleet.join(address, Opening::SocketIo { namespace: EVERYTHING, token, topic })
    }
}

/// A WebSocket to the states service.
fn states(dialect: Dialect, token: Option<&str>) -> Opening<'_> {
    match dialect {
        Dialect::Plain => Opening::Plain { path: STATES_PATH, token },
        Dialect::SocketIo => Opening::SocketIo { namespace: NAMESPACE, token, topic: None },
    }
}

/// A WebSocket to all services.
fn everything(dialect: Dialect, token: Option<&str>) -> Opening<'_> {
    match dialect {
        Dialect::Plain => Opening::Plain { path: EVERYTHING, token },
        Dialect::SocketIo => Opening::SocketIo { namespace: EVERYTHING, token, topic: None },
    }
}
