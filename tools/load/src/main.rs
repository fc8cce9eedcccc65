//! `bellwire-load`: what a delivery costs a Bellwire server, as a multiple of the least that it
//! could cost.
//!
//! The invariant: **no number of ours stands alone.** Every cost is measured beside a floor in
//! the same run, in rounds that take turns on the same processor, and given as the median of the
//! rounds' ratios; a round in which a message was lost, doubled or refused is no round. What the
//! floor is, how the processes are laid out and how to read the table is in `README.md`.
//!
//! From the outside in: [`scenario`] holds one file per line of the table; [`bench`] starts the
//! servers ([`child`], [`bare`], [`peer`]) and pairs clients with them ([`pairing`]); [`audience`]
//! and [`dialogue`] are the two kinds of traffic on top of a [`fleet`] of connections ([`opening`],
//! [`speech`]), [`feed`] is that of sensors ([`boards`], [`readings`]; [`month`] is what is stored of
//! one), [`talk`] and [`herd`] are that of chat ([`people`], [`chat`]), [`rush`] and [`desk`] are that of
//! stations ([`depot`], [`bookings`]); [`rounds`], [`stat`], [`proc`] and [`report`] turn rounds into rows.
//! [`disk`], [`sqlite`] and [`ledger`] are what durable writes stand beside. The server's own crates are not used: the tool is an
//! independent witness.
//!
//! Errors are `anyhow` throughout: each has one meaning here, that there is no measurement, and
//! one reader.

#![expect(
    clippy::disallowed_methods,
    reason = "a measuring tool exists to read the clock, and looks at processes that announce nothing"
)]

mod audience;
mod bare;
mod bench;
mod boards;
mod bookings;
mod chat;
mod child;
mod depot;
mod desk;
mod dialect;
mod dialogue;
mod disk;
mod endpoint;
mod feed;
mod fleet;
mod frame;
mod handshake;
mod herd;
mod http;
mod interrupt;
mod lane;
mod ledger;
mod month;
mod opening;
mod os;
mod pairing;
mod peer;
mod people;
mod poll;
mod proc;
mod readings;
mod report;
mod rounds;
mod rush;
mod scenario;
mod socketio;
mod speech;
mod sqlite;
mod stat;
mod talk;

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use bench::Bench;
use report::Report;
use scenario::{
    All, Areas, Burst, Chat, Echo, Fanout, Idle, Peers, Polling, Selfcheck, Sensors, Start,
    Stations, Writes,
};

/// Measures a Bellwire server against a bare epoll loop in the same run.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    bench: Bench,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything, as one table for docs/benchmarks.md.
    All(All),
    /// One event to many listeners.
    Fanout(Fanout),
    /// Eight events at once to many listeners.
    Burst(Burst),
    /// One event to many listeners that poll.
    Polling(Polling),
    /// A changed area to many paired clients.
    Areas(Areas),
    /// Request and answer in a closed loop.
    Echo(Echo),
    /// Memory of a connection on which nothing happens.
    Idle(Idle),
    /// Acknowledged durable writes against the disk's own rate.
    Writes(Writes),
    /// Readings of sensors: how many a second, and a month of them asked for.
    Sensors(Sensors),
    /// From exec to serving, with many states stored.
    Start(Start),
    /// Messages in rooms, and everybody coming at once.
    Chat(Chat),
    /// Batteries booked at a steady pace, with watchers; and as many a second as possible.
    Stations(Stations),
    /// Ours beside other Socket.IO servers, which are installed first.
    Peers(Peers),
    /// The bare loop against itself: the ratio has to be 1.
    Selfcheck(Selfcheck),
    /// The floor itself; the other commands start it.
    Bare {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(success) if success || !cli.bench.check => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bellwire-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the command; returns whether every budget was kept.
fn run(cli: &Cli) -> Result<bool> {
    let bench = &cli.bench;
    if let Command::Bare { listen } = cli.command {
        bare::serve(listen, bench.time_limit_s)?;
        return Ok(true);
    }
    interrupt::install(bench.time_limit_s)?;
    let mut report = Report::on(match cli.command {
        Command::Peers(_) => "server",
        _ => "ours",
    });
    let outcome = match &cli.command {
        Command::All(all) => all.run(bench, &mut report),
        Command::Fanout(fanout) => fanout.run(bench, &mut report),
        Command::Burst(burst) => burst.run(bench, &mut report),
        Command::Polling(polling) => polling.run(bench, &mut report),
        Command::Areas(areas) => areas.run(bench, &mut report),
        Command::Echo(echo) => echo.run(bench, &mut report),
        Command::Idle(idle) => idle.run(bench, &mut report),
        Command::Writes(writes) => writes.run(bench, &mut report),
        Command::Sensors(sensors) => sensors.run(bench, &mut report),
        Command::Start(start) => start.run(bench, &mut report),
        Command::Chat(chat) => chat.run(bench, &mut report),
        Command::Stations(stations) => stations.run(bench, &mut report),
        Command::Peers(peers) => peers.run(bench, &mut report),
        Command::Selfcheck(selfcheck) => selfcheck.run(bench, &mut report),
        Command::Bare { .. } => Ok(()),
    };
    // What was measured until an interruption is worth showing.
    println!("{}", report.table());
    outcome?;
    Ok(report.all_kept())
}
