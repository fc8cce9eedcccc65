//! From sockets to sessions and back.
//!
//! HTTP is hyper's and axum's, on the runtime's threads ([`http`], [`listen`]), in the clear or over
//! [`tls`]. A connection that upgrades leaves them: its [`socket`], with its TLS state, goes to one of
//! the [`shard`]s, each a thread with an epoll loop that owns its sockets, protocol states and hub. So
//! nothing between a socket and its session is locked, an idle connection costs no task and no buffer,
//! and a reply, an event and a close frame cannot overtake each other. Who polls stays with HTTP: each
//! request ([`polling`]) waits for the answer of the shard that has the session.

pub mod body;
pub mod caller;
pub mod calls;
pub mod conn;
pub mod cors;
pub mod crowd;
pub mod engine;
pub mod http;
pub mod limits;
pub mod listen;
pub mod polling;
pub mod problem;
pub mod said;
pub mod shard;
pub mod shards;
pub mod sink;
pub mod socket;
pub mod stalled;
pub mod talk;
pub mod tls;
pub mod tries;
pub mod upgrade;
mod wheel;
