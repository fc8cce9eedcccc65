//! A server as its clients see it: where it is, and how one gets a part in it.

use std::net::SocketAddr;

use anyhow::Result;

use crate::bare::{CONTROL, ECHO};
use crate::dialect::{Dialect, NAMESPACE, STATES_PATH};
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
    /// Not at all: it echoes.
    Never,
}

impl Endpoint {
    /// Opens a connection that hears every event, and returns its number in `fleet`.
    pub fn join_reader(&self, fleet: &mut Fleet) -> Result<usize> {
        let token = match &self.publish {
            Publish::Create { reader, .. } => Some(reader.as_str()),
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
        let Publish::Create { writer, .. } = &self.publish else {
            return fleet.join(self.address, Opening::Plain { path: CONTROL, token: None });
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
            Dialect::SocketIo => Opening::SocketIo { namespace: "/", token: None },
        };
        fleet.join(self.address, opening)
    }
}

/// A WebSocket to the states service.
fn states(dialect: Dialect, token: Option<&str>) -> Opening<'_> {
    match dialect {
        Dialect::Plain => Opening::Plain { path: STATES_PATH, token },
        Dialect::SocketIo => Opening::SocketIo { namespace: NAMESPACE, token },
    }
}
