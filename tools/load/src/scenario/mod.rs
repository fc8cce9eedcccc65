//! One file per line of the table, and what they share.
//!
//! A scenario decides which servers run, what traffic they get and what budget applies. It knows
//! nothing of frames or epoll, and it never fails as a whole for one bad measurement: that
//! becomes a row which says why.

mod all;
mod areas;
mod burst;
mod chat;
mod contest;
mod echo;
mod fanout;
mod fill;
mod herds;
mod idle;
mod month;
mod peers;
mod polling;
mod selfcheck;
mod sensors;
mod start;
mod stations;
mod writes;

pub use all::All;
pub use areas::Areas;
pub use burst::Burst;
pub use chat::Chat;
pub use echo::Echo;
pub use fanout::Fanout;
pub use idle::Idle;
pub use peers::Peers;
pub use polling::Polling;
pub use selfcheck::Selfcheck;
pub use sensors::Sensors;
pub use start::Start;
pub use stations::Stations;
pub use writes::Writes;
