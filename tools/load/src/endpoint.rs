//! A server as its clients see it: where it is, and how one gets a part in it.

use std::net::SocketAddr;

use anyhow::Result;

use crate::bare::{CONTROL, ECHO};
use crate::dialect::{self, STATES_PATH};
use crate::fleet::Fleet;
use crate::frame;

/// Where a server is, and how it is used.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its address.
    pub address: SocketAddr,
    /// Its process.
    pub pid: u32,
    /// How it is made to send events.
    pub publish: Publish,
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
        fleet.join(self.address, STATES_PATH, token)
    }

    /// Opens a connection that makes events happen and hears none, so that a delivery is one to a
    /// reader. Who may write states may read them: with ours it asks to hear of one entity only,
    /// which never changes.
    pub fn join_writer(&self, fleet: &mut Fleet) -> Result<usize> {
        let Publish::Create { writer, .. } = &self.publish else {
            return fleet.join(self.address, CONTROL, None);
        };
        let index = fleet.join(self.address, STATES_PATH, Some(writer))?;
        let silence = frame::encode_client(frame::TEXT, dialect::SILENCE.as_bytes());
        // Commands of one connection take effect in order: no answer has to be awaited.
        fleet.send(index, &silence)?;
        Ok(index)
    }

    /// Opens a connection whose messages come back.
    pub fn join_echo(&self, fleet: &mut Fleet) -> Result<usize> {
        fleet.join(self.address, ECHO, None)
    }
}
