//! A changed area: to many paired clients, and how long it takes with many of them.

use anyhow::{Result, bail, ensure};
use clap::Args;

use super::contest::{Contest, Outcome, Rival};
use super::fanout::{self, COMMIT_COUNTS_BELOW, events_of};
use crate::audience::Audience;
use crate::bench::{Bench, Served};
use crate::dialect::Dialect;
use crate::dialogue::{Answer, Dialogue, Until};
use crate::endpoint::{Publish, Transport};
use crate::fleet::Fleet;
use crate::lane::{Lane, Seat};
use crate::report::{Report, Row, grouped, us};
use crate::rounds::Schedule;
use crate::stat::{self, Spread};

/// A change of an area may cost this many times what a state costs that reaches as many listeners.
const BESIDE_STATES: f64 = 1.05;
/// Its answer may take this many times as long with many clients as with one.
const BESIDE_ONE: f64 = 1.10;

/// An admin changes the name of an area that paired clients have. Beside it, in the same rounds,
/// states of the same length reach as many listeners. Then the time from request to answer, with
/// few clients and many.
#[derive(Args, Clone, Debug)]
pub struct Areas {
    /// What clients and listeners speak; a list makes lines for each.
    #[arg(long, value_enum, value_delimiter = ',',
        default_values_t = [Dialect::SocketIo, Dialect::Plain])]
    pub dialects: Vec<Dialect>,
    /// How many clients; a list makes lines for each.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1000])]
    pub clients: Vec<usize>,
    /// Changes per round. Default: 100,000 deliveries, within 10 and 500 changes.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub changes: Option<u64>,
    /// Changes per round whose answers are timed, each when all have heard the one before.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub answers: u64,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

impl Areas {
    /// Measures every size in every dialect, and the answers with the largest.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        for &dialect in &self.dialects {
            for &clients in &self.clients {
                let count = grouped(clients as u64);
                let what = format!("{}area update, {count} clients", dialect.prefix());
                report.measure(&what, || self.fan_out(&what, bench, dialect, clients))?;
            }
        }
        let most = self.clients.iter().copied().max().unwrap_or(0);
        let what = format!("area update's answer, {} clients", grouped(most as u64));
        report.measure(&what, || self.time_answers(bench, most))
    }

    fn fan_out(
        &self,
        what: &str,
        bench: &Bench,
        dialect: Dialect,
        clients: usize,
    ) -> Result<Vec<Row>> {
        let contest = Contest {
            rivals: vec![Rival::Areas(clients), Rival::Bellwire],
            dialect,
            transport: Transport::WebSocket,
            receivers: clients,
            ticks: self.changes.unwrap_or_else(|| events_of(clients)),
            copies: 1,
            commit: clients < COMMIT_COUNTS_BELOW,
        };
        let outcome = contest.run(bench, self.schedule)?;
        let row = fanout::row(what.to_owned(), clients, &outcome, fanout::budget(dialect));
        Ok(std::iter::once(row).chain(beside_states(what, clients, &outcome)).collect())
    }

    /// Three servers take turns, on the whole machine: one client that has the area, many of whom
    /// one is connected, many who all are.
    fn time_answers(&self, bench: &Bench, most: usize) -> Result<Vec<Row>> {
        ensure!(most > 0, "at least one client is needed");
        bench.check_descriptors(most)?;
        let sides = [(1, 1), (most, 1), (most, most)]
            .into_iter()
            .map(|(assigned, connected)| Timed::start(bench, assigned, connected))
            .collect::<Result<Vec<_>>>()?;
        let mut measured: Vec<Vec<Answers>> = sides.iter().map(|_| Vec::new()).collect();
        for round in 0..self.schedule.warmups + self.schedule.rounds {
            for turn in 0..sides.len() {
                // To and fro: who comes right after those many finds colder caches.
                let side = if round % 2 == 0 { turn } else { sides.len() - 1 - turn };
                let answers = sides[side].time(self.answers)?;
                if round >= self.schedule.warmups {
                    measured[side].push(answers);
                }
            }
        }
        let count = grouped(most as u64);
        let assigned = answers_row(&format!("{count} have it"), &measured[0], &measured[1]);
        let mut connected = answers_row(&format!("{count} hear it"), &measured[0], &measured[2]);
        // On few processors the admin waits there until the server has told the others.
        (connected.budget, connected.kept) = ("none".to_owned(), None);
        Ok(vec![assigned, connected])
    }
}

fn answers_row(who: &str, one: &[Answers], many: &[Answers]) -> Row {
    let ratio = Spread::of_ratios(&medians_us(many), &medians_us(one));
    let what = format!("area update's answer, {who}");
    Row::of_ratio(what, format!("one has it: {}", times(one)), times(many), ratio, BESIDE_ONE)
}

/// What states cost in the same rounds, and the change of the area by that.
fn beside_states(what: &str, clients: usize, outcome: &Outcome) -> Vec<Row> {
    let [areas, states] = &outcome.rivals[..] else { return Vec::new() };
    let cost = |rounds: &[f64]| us(Spread::of(rounds).median);
    let to_bare = Row {
        what: format!("{what}: states beside it"),
        bare: cost(&outcome.bare),
        ours: cost(states),
        ratio: Some(Spread::of_ratios(states, &outcome.bare)),
        budget: "none".to_owned(),
        kept: None,
    };
    let ratio = Spread::of_ratios(areas, states);
    let (what, states) = (format!("{what}: by those"), format!("states: {}", cost(states)));
    let mut by_states = Row::of_ratio(what, states, cost(areas), ratio, BESIDE_STATES);
    if clients < COMMIT_COUNTS_BELOW {
        // Other commits are compared then, more than deliveries.
        (by_states.budget, by_states.kept) = ("none".to_owned(), None);
    }
    vec![to_bare, by_states]
}

/// What one round of timed changes came to.
struct Answers {
    /// From each request to its answer.
    latencies_us: Vec<u32>,
    /// The server's, by changes, deliveries included.
    cpu_us: f64,
}

/// A server, its clients and an admin.
struct Timed {
    // In this order: connections end before their server does.
    admin: Lane<Dialogue>,
    clients: Lane<Audience>,
    _served: Served,
}

impl Timed {
    fn start(bench: &Bench, assigned: usize, connected: usize) -> Result<Self> {
        let scratch = bench.scratch("areas")?;
        let data = scratch.path().join("data");
        let mut served = bench.bellwire_on(&data, None, scratch)?;
        served.pair(assigned)?;
        served.endpoint.dialect = Dialect::SocketIo;
        let endpoint = served.endpoint.clone();
        let clients = Lane::start(Seat::Free, move || Audience::gather(endpoint, connected))?;
        let endpoint = served.endpoint.clone();
        let admin = Lane::start(Seat::Free, move || {
            let Publish::Change(paired) = &endpoint.publish else {
                bail!("nobody is paired");
            };
            let mut fleet = Fleet::new()?;
            paired.join_admin(endpoint.address, &mut fleet)?;
            let change = endpoint.dialect.change(&paired.area_id, 0);
            Dialogue::new(fleet, endpoint.pid, vec![change], Answer::Change)
        })?;
        Ok(Self { admin, clients, _served: served })
    }

    /// So many changes, each made when all who are connected have heard the one before.
    fn time(&self, changes: u64) -> Result<Answers> {
        let mut latencies_us = Vec::new();
        let mut cpu_ns = 0;
        for _ in 0..changes {
            let exchange = self.admin.run(|admin| admin.exchange(Until::Requests(1)))?;
            self.clients.run(Audience::hear_one)?;
            latencies_us.extend(exchange.latencies_us);
            cpu_ns += exchange.round.cpu_ns;
        }
        Ok(Answers { latencies_us, cpu_us: cpu_ns as f64 / 1000.0 / changes as f64 })
    }
}

fn medians_us(rounds: &[Answers]) -> Vec<f64> {
    rounds.iter().map(|round| f64::from(percentile_us([round], 50.0))).collect()
}

fn percentile_us<'a>(rounds: impl IntoIterator<Item = &'a Answers>, percent: f64) -> u32 {
    let all = rounds.into_iter().flat_map(|round| &round.latencies_us);
    let mut latencies_us: Vec<u32> = all.copied().collect();
    latencies_us.sort_unstable();
    stat::percentile(&latencies_us, percent)
}

fn times(rounds: &[Answers]) -> String {
    let ms = |percent| f64::from(percentile_us(rounds, percent)) / 1000.0;
    let cpu_us: Vec<f64> = rounds.iter().map(|round| round.cpu_us).collect();
    format!(
        "p50 {:.2} ms, p99 {:.2} ms, {} CPU",
        ms(50.0),
        ms(99.0),
        us(Spread::of(&cpu_us).median)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_stand_beside_areas() {
        let outcome = |areas: f64| Outcome {
            bare: vec![4.0],
            rivals: vec![vec![areas], vec![5.0]],
            commit: Vec::new(),
        };
        for (areas, clients, kept) in
            [(5.25, 1000, Some(true)), (5.5, 1000, Some(false)), (9.0, 100, None)]
        {
            let rows = beside_states("a", clients, &outcome(areas));
            assert_eq!(rows[0].ratio.expect("there is one").median, 1.25);
            assert_eq!(rows[1].kept, kept, "{areas} {clients}");
        }
    }

    #[test]
    fn times_are_of_all_rounds() {
        let round =
            |latencies_us: &[u32]| Answers { latencies_us: latencies_us.to_vec(), cpu_us: 200.0 };
        let rounds = [round(&[900, 100]), round(&[300, 200])];
        assert_eq!(times(&rounds), "p50 0.20 ms, p99 0.90 ms, 200.00 us CPU");
        assert_eq!(medians_us(&rounds), [100.0, 200.0]);
    }
}
