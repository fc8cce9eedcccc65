//! Bad networks, and bad readers.
//!
//! | module | what is in it |
//! |---|---|
//! | `weather` | what may become of a connection on its way, by chance, from a seed |
//! | `proxy` | [`Proxy`]: what stands between clients and a server, and fails as the weather says |
//! | `crowd` | many connections that read, or do not |
//! | `deaf` | a thousand readers that never read |
//! | `forwards` | that the proxy does what the weather says, and nothing else |
//! | `lost_answers` | requests that are sent again behind it |
//! | `wrong_bits` | what of their bits is wrong behind it |
//! | `silent` | connections of which nothing comes any more |
//! | `stopped` | clients whose processes are stopped |
//! | `weathers` | all services in use behind it |

mod crowd;
mod deaf;
mod forwards;
mod lost_answers;
mod proxy;
mod silent;
mod stopped;
mod weather;
mod weathers;
mod wrong_bits;

pub use proxy::Proxy;
