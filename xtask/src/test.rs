//! `cargo xtask test`: every check and every test, in the order in which a mistake shows soonest.
//!
//! The tests run last, so that their summary ends the output; the documentation is not built here, its
//! examples are run.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::{cargo, run, succeeds};
use crate::postgres::Cluster;
use crate::prerequisites::{Installed, Runner};

/// Runs all steps; the first one that fails ends the run. The last line says that none did.
pub fn all() -> Result<()> {
    let start = Instant::now();
    // What is installed comes from afar, and is not needed before.
    let (installed, checked) = thread::scope(|scope| {
        let installing = scope.spawn(|| step("prerequisites", Installed::ensure));
        let checked = checks();
        (installing.join().expect("installing gives errors and does not panic"), checked)
    });
    checked?;
    let installed = installed?;
    let cluster = step("PostgreSQL for the tests", || Cluster::start(&installed.postgres))?;
    let environment = |command: &mut Command| environment(command, &cluster, &installed);
    step("examples in the documentation", || documentation_examples(&environment))?;
    step("tests", || {
        let mut tests = cargo();
        match installed.runner {
            Runner::Nextest => {
                tests.args(["nextest", "run", "--workspace", "--test-threads", &threads()])
            }
            Runner::Cargo => {
                tests.args(["test", "--workspace", "--lib", "--bins", "--tests", "--no-fail-fast"])
            }
        };
        environment(&mut tests);
        run(&mut tests)
    })?;
    eprintln!("All checks and tests passed in {}.", seconds(start.elapsed()));
    Ok(())
}

/// Tells tests where what they need is.
pub fn environment(command: &mut Command, cluster: &Cluster, installed: &Installed) {
    command
        .env("BELLWIRE_TEST_PG", cluster.connection())
        .env("BELLWIRE_TEST_NODE_DIR", &installed.node_dir)
        .env("BELLWIRE_TEST_PYTHON", &installed.python)
        .env("BELLWIRE_TEST_RUST_SOCKETIO", &installed.rust_socketio)
        .env("BELLWIRE_TEST_CHROMIUM", &installed.chromium);
}

/// What the sources say by themselves.
fn checks() -> Result<()> {
    step("formatting", || run(cargo().args(["fmt", "--all", "--check"])))?;
    step("clippy", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    step("dependencies", dependencies)
}

/// How many tests run at once: half as many again as there are processors, as many of them wait for browsers, deadlines
/// and disks.
fn threads() -> String {
    let processors = thread::available_parallelism().map_or(2, usize::from);
    (processors * 3 / 2).max(2).to_string()
}

/// Runs one step between a line with its name and a line with its time.
fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("== {name}");
    let start = Instant::now();
    let result = work().with_context(|| format!("step \"{name}\" failed"))?;
    eprintln!("== {name}: {}", seconds(start.elapsed()));
    Ok(result)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Licences, duplicates and sources of all dependencies, as `deny.toml` has them. Advisories are left out:
/// they change without a change here, and a test must not.
fn dependencies() -> Result<()> {
    if !succeeds(cargo().args(["deny", "--version"])) {
        eprintln!(
            "cargo-deny is not installed, so deny.toml was not checked; `cargo install cargo-deny` gets it"
        );
        return Ok(());
    }
    run(cargo().args(["deny", "check", "licenses", "bans", "sources"]))
}

/// Runs the examples in documentation comments, which nextest does not. All of the workspace together: with the same
/// features as for the tests everything is built once.
fn documentation_examples(environment: &dyn Fn(&mut Command)) -> Result<()> {
    let mut doctest = cargo();
    doctest.args(["test", "--quiet", "--workspace", "--doc"]);
    environment(&mut doctest);
    run(&mut doctest)
}
