//! Memory of a connection on which nothing happens.

use std::time::Duration;

use anyhow::Result;
use clap::Args;

use super::contest::Rival;
use crate::audience::Audience;
use crate::bench::Bench;
use crate::dialect::Dialect;
use crate::endpoint::{Endpoint, Transport};
use crate::lane::{Lane, Seat};
use crate::proc::Memory;
use crate::report::{Report, Row, grouped};

/// Resident bytes that an idle connection may cost.
fn budget(dialect: Dialect) -> f64 {
    match dialect {
        Dialect::Plain => 1500.0,
        Dialect::SocketIo => 2000.0,
    }
}

/// How long a server is left alone before its memory is read.
const SETTLE: Duration = Duration::from_secs(1);

/// Opens many authenticated connections on one topic and leaves them alone.
#[derive(Args, Clone, Debug)]
pub struct Idle {
    /// What the connections speak.
    #[arg(long, value_enum, default_value_t = Dialect::Plain)]
    pub dialect: Dialect,
    /// How many connections.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub connections: u32,
}

/// Bytes per connection.
pub struct PerConnection {
    /// Resident.
    pub rss: f64,
    pss: f64,
    private_dirty: f64,
}

impl Idle {
    /// Measures the bare loop, then ours: memory does not depend on the minute.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let count = grouped(self.connections.into());
        let what = format!("{}idle, {count} connections", self.dialect.prefix());
        let budget = budget(self.dialect);
        report.measure(&what, || {
            bench.check_descriptors(self.connections as usize)?;
            let seat = Seat::Beside(bench.quiet_cpu()?);
            let bare = self.measure(seat, &bench.bare()?.endpoint)?;
            let ours = Rival::Bellwire.serve(bench, self.dialect, Transport::WebSocket)?;
            let ours = self.measure(seat, &ours.endpoint)?;
            Ok(vec![Row {
                what: what.clone(),
                bare: format!("{:.0} B", bare.rss),
                ours: format!(
                    "{:.0} B resident ({:.0} B Pss, {:.0} B private dirty)",
                    ours.rss, ours.pss, ours.private_dirty
                ),
                ratio: None,
                budget: format!("{} B", grouped(budget as u64)),
                kept: Some(ours.rss <= budget),
            }])
        })
    }

    /// Memory of `endpoint` with the connections less that without, by their number.
    pub fn measure(&self, seat: Seat, endpoint: &Endpoint) -> Result<PerConnection> {
        std::thread::sleep(SETTLE);
        let before = Memory::of(endpoint.pid)?;
        let connections = self.connections;
        let subject = endpoint.clone();
        // That an event reaches them all proves that each is a session with a topic.
        let lane = Lane::start(seat, move || Audience::gather(subject, connections as usize))?;
        std::thread::sleep(SETTLE);
        let after = Memory::of(endpoint.pid)?;
        drop(lane);
        let each =
            |after: u64, before: u64| (after as f64 - before as f64) / f64::from(connections);
        Ok(PerConnection {
            rss: each(after.rss, before.rss),
            pss: each(after.pss, before.pss),
            private_dirty: each(after.private_dirty, before.private_dirty),
        })
    }
}
