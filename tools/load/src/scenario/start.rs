//! From exec to serving, with many states stored.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Args;

use super::fill::fill;
use crate::bench::Bench;
use crate::child::Ready;
use crate::lane::{Lane, Seat};
use crate::report::{Report, Row, grouped};
use crate::stat::Spread;

/// Milliseconds that a start may take.
const BUDGET_MS: f64 = 100.0;

/// Starts the server again and again after a clean stop. Not pinned, and the files are in the
/// page cache, as after an upgrade.
#[derive(Args, Clone, Debug)]
pub struct Start {
    /// How many states are stored first.
    #[arg(long, default_value_t = 1_000_000)]
    pub states: u64,
    /// A data directory to use and keep. With something in it, it is taken to be filled already.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// How many starts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub starts: u32,
}

impl Start {
    /// Fills and measures.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        let what = format!("start, {} states", grouped(self.states));
        report.measure(&what, || {
            // Outlives every server on it.
            let scratch = bench.scratch("start")?;
            let data = match &self.data {
                Some(data) => data.clone(),
                None => scratch.path().join("data"),
            };
            if is_empty(&data)? {
                self.fill(bench, &data)?;
            }
            let starts =
                (0..self.starts).map(|_| start_ms(bench, &data)).collect::<Result<Vec<f64>>>()?;
            Ok(vec![row(what.clone(), Spread::of(&starts))])
        })
    }

    fn fill(&self, bench: &Bench, data: &Path) -> Result<()> {
        let served = bench.bellwire_on(data, None, bench.scratch("fill")?)?;
        let (endpoint, states) = (served.endpoint.clone(), self.states);
        let began = Instant::now();
        Lane::start(Seat::Free, move || fill(&endpoint, states))?;
        let rate = states as f64 / began.elapsed().as_secs_f64();
        eprintln!("filled with {} writes/s", grouped(rate as u64));
        served.stop().context("after filling")
    }
}

fn start_ms(bench: &Bench, data: &Path) -> Result<f64> {
    let scratch = bench.scratch("start-log")?;
    let began = Instant::now();
    let (mut child, address) = bench.launch(data, None, &scratch)?;
    child.wait_until(Ready::Readyz, address)?;
    let elapsed = began.elapsed();
    child.stop().context("a stop that is not clean")?;
    Ok(elapsed.as_secs_f64() * 1000.0)
}

fn is_empty(directory: &Path) -> Result<bool> {
    if !directory.exists() {
        return Ok(true);
    }
    let mut entries =
        std::fs::read_dir(directory).with_context(|| format!("cannot read {directory:?}"))?;
    Ok(entries.next().is_none())
}

fn row(what: String, spread: Spread) -> Row {
    Row {
        what,
        bare: String::new(),
        ours: format!("{:.0} ms ({:.0} to {:.0})", spread.median, spread.min, spread.max),
        ratio: None,
        budget: format!("{BUDGET_MS:.0} ms"),
        kept: Some(spread.median <= BUDGET_MS),
    }
}
