//! `cargo xtask test`: every check and every test, in the order in which a mistake shows soonest.
//!
//! The tests run last, so that their summary ends the output; the documentation is not built here, its
//! examples are run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::command::{cargo, root, run, succeeds};
use crate::postgres::Cluster;
use crate::prerequisites::{Installed, Runner};

/// Runs all steps; the first one that fails ends the run. The last line says that none did.
pub fn all() -> Result<()> {
    let start = Instant::now();
    let installed = step("prerequisites", Installed::ensure)?;
    step("formatting", || run(cargo().args(["fmt", "--all", "--check"])))?;
    step("clippy", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    })?;
    step("dependencies", dependencies)?;
    let cluster = step("PostgreSQL for the tests", || Cluster::start(&installed.postgres))?;
    let environment = |command: &mut Command| {
        command
            .env("BELLWIRE_TEST_PG", cluster.connection())
            .env("BELLWIRE_TEST_NODE_DIR", &installed.node_dir)
            .env("BELLWIRE_TEST_PYTHON", &installed.python)
            .env("BELLWIRE_TEST_RUST_SOCKETIO", &installed.rust_socketio)
            .env("BELLWIRE_TEST_CHROMIUM", &installed.chromium);
    };
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

/// How many tests run at once: half as many again as there are processors, as many of them wait for browsers, deadlines
/// and disks.
fn threads() -> String {
    let processors = std::thread::available_parallelism().map_or(2, usize::from);
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

/// Runs the examples in documentation comments of each library that has any. Nextest does not run them.
fn documentation_examples(environment: &dyn Fn(&mut Command)) -> Result<()> {
    for library in libraries()? {
        if !has_example(&library.join("src"))? {
            continue;
        }
        let mut doctest = cargo();
        doctest
            .args(["test", "--quiet", "--doc", "--manifest-path"])
            .arg(library.join("Cargo.toml"));
        environment(&mut doctest);
        run(&mut doctest)?;
    }
    Ok(())
}

/// The folders of the workspace's libraries.
fn libraries() -> Result<Vec<PathBuf>> {
    let crates = root().join("crates");
    let mut found = Vec::new();
    for entry in fs::read_dir(&crates).with_context(|| crates.display().to_string())? {
        let folder = entry?.path();
        if folder.join("src/lib.rs").is_file() {
            found.push(folder);
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a documentation comment below this folder opens a code block.
fn has_example(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let found = if path.is_dir() {
            has_example(&path)?
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let mut lines = text.lines().map(str::trim_start);
            lines.any(|line| line.starts_with("//! ```") || line.starts_with("/// ```"))
        } else {
            false
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
