//! Bad networks, and bad readers.
//!
//! | module | what is in it |
//! |---|---|
//! | `weather` | what may become of a connection on its way, by chance, from a seed |
//! | `proxy` | [`Proxy`]: what stands between clients and a server, and fails as the weather says |
//! | `forwards` | that the proxy does what the weather says, and nothing else |

mod forwards;
mod proxy;
mod weather;

pub use proxy::Proxy;
