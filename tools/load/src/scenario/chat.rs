//! Chat: a message in a large room, many small rooms in which all talk at once, and everybody coming at
//! once (see [`super::herds`]).

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use super::fanout;
use super::herds::Herds;
use crate::bench::{Bench, Served};
use crate::dialect::Dialect;
use crate::dialogue::Until;
use crate::endpoint::Publish;
use crate::lane::{Lane, Seat};
use crate::os;
use crate::people::{self, Room};
use crate::report::{Report, Row, grouped, us};
use crate::rounds::{Schedule, Turn};
use crate::stat::{self, Spread};
use crate::talk::{Place, Talk, Talked};

/// A message in a large room beside the bare loop; many small rooms beside it; and users who come all
/// at once, for the first time and after the server was killed.
#[derive(Args, Clone, Debug)]
pub struct Chat {
    /// What members speak; a list makes lines for each.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Dialect::SocketIo])]
    pub dialects: Vec<Dialect>,
    /// Members of the large room; a list makes lines for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1000])]
    pub members: Vec<usize>,
    /// Messages of a round in the large room. Default: 200,000 deliveries, within 10 and 1,000 messages.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub messages: Option<u64>,
    /// Small rooms, of three members each.
    #[arg(long, default_value_t = 1000)]
    pub rooms: usize,
    /// Milliseconds of a round of the small rooms.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub milliseconds: u64,
    /// Who comes all at once, and the like.
    #[command(flatten)]
    pub herds: Herds,
    /// Measure a part only.
    #[arg(long, value_enum, value_delimiter = ',',
        default_values_t = [Part::Room, Part::Rooms, Part::Presence])]
    pub parts: Vec<Part>,
    /// How many rounds.
    #[command(flatten)]
    pub schedule: Schedule,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, clap::ValueEnum)]
pub enum Part {
    /// A message in a large room.
    Room,
    /// Small rooms.
    Rooms,
    /// Everybody coming at once.
    Presence,
}

/// Members of a small room.
pub const FEW: usize = 3;

impl Chat {
    /// Measures all of it.
    pub fn run(&self, bench: &Bench, report: &mut Report) -> Result<()> {
        for &dialect in &self.dialects {
            if self.parts.contains(&Part::Room) {
                for &members in &self.members {
                    let count = grouped(members as u64);
                    let what = format!("{}message, room of {count}", dialect.prefix());
                    report.measure(&what, || self.one_room(&what, bench, dialect, members))?;
                }
            }
            if self.parts.contains(&Part::Rooms) {
                let count = grouped(self.rooms as u64);
                let what = format!("{}messages, {count} rooms of {FEW}", dialect.prefix());
                report.measure(&what, || self.many_rooms(&what, bench, dialect))?;
            }
            if self.parts.contains(&Part::Presence) {
                self.herds.run(bench, report, dialect)?;
            }
        }
        Ok(())
    }

    fn one_room(
        &self,
        what: &str,
        bench: &Bench,
        dialect: Dialect,
        members: usize,
    ) -> Result<Vec<Row>> {
        ensure!(members > 1, "a room has two members at least");
        let messages = self.messages.unwrap_or_else(|| messages_of(members));
        let mut sides = Sides::start(bench, dialect, 1, members)?;
        // The same room, and nobody there but who speaks.
        sides.all.push(Side::start(bench, dialect, 1, members, 1)?);
        let quiet = sides.measure(Until::Requests(messages), self.schedule)?;
        sides.all.truncate(2);
        let timed = sides.apart(bench)?.measure(Until::Requests(messages), self.schedule)?;
        let [bare, ours, alone] = &quiet[..] else { bail!("three sides were measured") };
        let deliveries = 2 * members - 1;
        let (beside, with_commit) = cost_rows(what, deliveries, bare, ours, alone, dialect);
        let mut rows = vec![beside, with_commit];
        rows.extend(time_rows(what, &timed[0], &timed[1]));
        Ok(rows)
    }

    fn many_rooms(&self, what: &str, bench: &Bench, dialect: Dialect) -> Result<Vec<Row>> {
        ensure!(self.rooms > 0, "at least one room is needed");
        let until = Until::Elapsed(Duration::from_millis(self.milliseconds));
        let sides = Sides::start(bench, dialect, self.rooms, FEW)?;
        let quiet = sides.measure(until, self.schedule)?;
        let timed = sides.apart(bench)?.measure(until, self.schedule)?;
        let (bare, ours) = (&quiet[0], &quiet[1]);
        let cost = row(
            what.to_owned(),
            us(Spread::of(&costs(bare)).median),
            format!(
                "{}, {:.0} messages a commit",
                us(Spread::of(&costs(ours)).median),
                per_commit(ours)
            ),
            Spread::of_ratios(&costs(ours), &costs(bare)),
        );
        Ok(std::iter::once(cost).chain(time_rows(what, &timed[0], &timed[1])).collect())
    }
}

/// Messages per round that make it long enough to be measured and short enough to take turns.
pub fn messages_of(members: usize) -> u64 {
    (200_000 / (2 * members.max(1) as u64)).clamp(10, 1000)
}

/// A server with the same people in the same rooms, and the bare loop with as many.
pub struct Sides {
    /// The bare loop, ours, and perhaps another.
    all: Vec<Side>,
}

struct Side {
    name: &'static str,
    // In this order: connections end before their server does.
    talk: Lane<Talk>,
    _served: Served,
    rooms: Vec<Room>,
}

impl Side {
    /// A server with so many rooms of `size`, in each of which so many are connected.
    fn start(
        bench: &Bench,
        dialect: Dialect,
        rooms: usize,
        size: usize,
        connected: usize,
    ) -> Result<Self> {
        let served = bench.bellwire()?;
        let Publish::Create { writer, .. } = &served.endpoint.publish else {
            bail!("only a server of ours has users");
        };
        let address = served.endpoint.address;
        let people = people::make(address, writer, rooms * size)?;
        let rooms = people::put_into_rooms(address, people, size)?;
        Self::connect(bench, served, dialect, rooms, connected)
    }

    fn connect(
        bench: &Bench,
        served: Served,
        dialect: Dialect,
        rooms: Vec<Room>,
        connected: usize,
    ) -> Result<Self> {
        let (address, pid) = (served.endpoint.address, served.endpoint.pid);
        let is_bare = matches!(served.endpoint.publish, Publish::Order);
        let place = Place { address, pid, dialect, is_bare };
        let theirs = rooms.clone();
        let seat = Seat::Behind(bench.quiet_cpu()?);
        let talk = Lane::start(seat, move || Talk::gather(place, &theirs, connected))?;
        let name = if is_bare { "bare" } else { "ours" };
        Ok(Self { name, talk, _served: served, rooms })
    }
}

impl Sides {
    fn start(bench: &Bench, dialect: Dialect, rooms: usize, size: usize) -> Result<Self> {
        bench.check_descriptors(rooms * size)?;
        let ours = Side::start(bench, dialect, rooms, size, size).context("ours")?;
        let bare = Side::connect(bench, bench.bare()?, dialect, ours.rooms.clone(), size)?;
        ours.talk.run(Talk::attend)?;
        // The floor tells what ours does, word for word.
        let script = ours.talk.run(Talk::script).context("ours")?;
        bare.talk.run(move |talk| talk.rehearse(&script)).context("bare")?;
        Ok(Self { all: vec![bare, ours] })
    }

    /// Gives the client a processor of its own, if there is one that the servers do not have.
    fn apart(self, bench: &Bench) -> Result<Self> {
        if let Some(cpu) = bench.other_cpu()? {
            for side in &self.all {
                side.talk.run(move |_| {
                    os::pin_this_thread(cpu)
                        .with_context(|| format!("cannot run on processor {cpu}"))
                })?;
            }
        }
        Ok(self)
    }

    /// The bare loop against a second one, with what members of such rooms would be told.
    pub fn of_bare_loops(bench: &Bench, rooms: usize, size: usize) -> Result<Self> {
        bench.check_descriptors(rooms * size)?;
        let rooms = people::made_up(rooms, size);
        let dialect = Dialect::SocketIo;
        let script = dialect.made_up_script(&rooms[0].label);
        let side = || -> Result<Side> {
            let side = Side::connect(bench, bench.bare()?, dialect, rooms.clone(), size)?;
            let script = script.clone();
            side.talk.run(move |talk| talk.rehearse(&script))?;
            Ok(side)
        };
        Ok(Self { all: vec![side()?, side()?] })
    }

    /// What a delivery costs each side, round by round.
    pub fn costs(&self, until: Until, schedule: Schedule) -> Result<Vec<Vec<f64>>> {
        Ok(self.measure(until, schedule)?.iter().map(|rounds| costs(rounds)).collect())
    }

    fn measure(&self, until: Until, schedule: Schedule) -> Result<Vec<Vec<Talked>>> {
        let mut turns: Vec<Turn<'_, Talked>> = Vec::new();
        for side in &self.all {
            let round = move |talk: &mut Talk| talk.exchange(until);
            turns.push(Box::new(move || side.talk.run(round).context(side.name)));
        }
        schedule.take_turns(&mut turns)
    }
}

fn costs(rounds: &[Talked]) -> Vec<f64> {
    rounds.iter().map(|talked| talked.round.us_per_delivery()).collect()
}

fn rates(rounds: &[Talked]) -> Vec<f64> {
    let rate = |talked: &Talked| {
        talked.round.deliveries as f64 / talked.wall.as_secs_f64().max(f64::EPSILON)
    };
    rounds.iter().map(rate).collect()
}

fn per_commit(rounds: &[Talked]) -> f64 {
    let per = |talked: &Talked| talked.latencies_us.len() as f64 / talked.commits.max(1) as f64;
    Spread::of(&rounds.iter().map(per).collect::<Vec<_>>()).median
}

/// What a delivery costs, beside the bare loop's, and beside that with its share of a message that
/// nobody but its sender hears: a commit, and an answer.
fn cost_rows(
    what: &str,
    deliveries: usize,
    bare: &[Talked],
    ours: &[Talked],
    alone: &[Talked],
    dialect: Dialect,
) -> (Row, Row) {
    let (bare, ours) = (costs(bare), costs(ours));
    // One connection hears one delivery of each message.
    let commits = costs(alone);
    let floors: Vec<f64> =
        bare.iter().zip(&commits).map(|(bare, commit)| bare + commit / deliveries as f64).collect();
    let (commit, spent) = (Spread::of(&commits).median, us(Spread::of(&ours).median));
    let floor = us(Spread::of(&bare).median);
    let with =
        format!("{floor} + {} (a message alone: {})", us(commit / deliveries as f64), us(commit));
    let beside = row(what.to_owned(), floor, spent.clone(), Spread::of_ratios(&ours, &bare));
    let ratio = Spread::of_ratios(&ours, &floors);
    let what = format!("{what}: with the commit");
    (beside, Row::of_ratio(what, with, spent, ratio, fanout::budget(dialect)))
}

/// Deliveries a second, and the time until a message has arrived everywhere.
fn time_rows(what: &str, bare: &[Talked], ours: &[Talked]) -> [Row; 2] {
    let per_second = |rounds| format!("{} /s", grouped(Spread::of(&rates(rounds)).median as u64));
    let ratio = Spread::of_ratios(&rates(ours), &rates(bare));
    let p99s = |rounds: &[Talked]| -> Vec<f64> {
        rounds.iter().map(|talked| percentile_ms([talked], 99.0)).collect()
    };
    let times = |rounds| {
        let ms = |percent| percentile_ms(rounds, percent);
        format!("p50 {:.2} ms, p99 {:.2} ms", ms(50.0), ms(99.0))
    };
    [
        row(format!("{what}: deliveries"), per_second(bare), per_second(ours), ratio),
        row(
            format!("{what}: until all have it"),
            times(bare),
            times(ours),
            Spread::of_ratios(&p99s(ours), &p99s(bare)),
        ),
    ]
}

fn percentile_ms<'a>(rounds: impl IntoIterator<Item = &'a Talked>, percent: f64) -> f64 {
    let all = rounds.into_iter().flat_map(|talked| &talked.latencies_us);
    let mut latencies_us: Vec<u32> = all.copied().collect();
    latencies_us.sort_unstable();
    f64::from(stat::percentile(&latencies_us, percent)) / 1000.0
}

/// A line without a budget.
fn row(what: String, bare: String, ours: String, ratio: Spread) -> Row {
    Row { what, bare, ours, ratio: Some(ratio), budget: "none".to_owned(), kept: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounds::Round;

    fn talked(cpu_us: u64, deliveries: u64, latencies_us: &[u32]) -> Talked {
        let round = Round { cpu_ns: cpu_us * 1000, deliveries, heartbeats: 0, threads_ended: 0 };
        let wall = Duration::from_millis(500);
        Talked { round, wall, latencies_us: latencies_us.to_vec(), commits: 2 }
    }

    #[test]
    fn a_message_alone_is_shared_by_all_who_hear_it() {
        let (bare, ours) = (talked(400, 100, &[]), talked(600, 100, &[]));
        // A message that its sender alone hears: 200 us.
        let alone = talked(200, 1, &[]);
        let (beside, with) = cost_rows("m", 100, &[bare], &[ours], &[alone], Dialect::SocketIo);
        assert_eq!(beside.ratio.expect("there is one").median, 1.5);
        assert_eq!(beside.kept, None);
        assert_eq!(with.bare, "4.00 us + 2.00 us (a message alone: 200.00 us)");
        assert_eq!(with.ratio.expect("there is one").median, 1.0);
        assert_eq!(with.kept, Some(true));
    }

    #[test]
    fn times_are_ratios_of_each_round() {
        let bare = [talked(1, 1000, &[1000; 100])];
        let ours = [talked(1, 500, &[3000; 100])];
        let [deliveries, times] = time_rows("m", &bare, &ours);
        assert_eq!((&*deliveries.bare, &*deliveries.ours), ("2,000 /s", "1,000 /s"));
        assert_eq!(deliveries.ratio.expect("there is one").median, 0.5);
        assert_eq!(times.ours, "p50 3.00 ms, p99 3.00 ms");
        assert_eq!(times.ratio.expect("there is one").median, 3.0);
        assert_eq!(per_commit(&ours), 50.0);
    }

    #[test]
    fn rounds_are_neither_too_short_nor_too_long() {
        for (members, messages) in [(2, 1000), (1000, 100), (100_000, 10)] {
            assert_eq!(messages_of(members), messages);
        }
    }
}
