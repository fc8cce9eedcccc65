//! The project's own commands: `cargo xtask test` runs every check there is, `cargo xtask contract` writes what clients
//! are told, `cargo xtask soak` runs for long what goes by chance, `cargo xtask fuzz` what parses a stranger's bytes.
//!
//! - [`test`]: the steps, in order, and what each one runs.
//! - [`soak`]: tests by chance in their long forms, and the page that says what came of it.
//! - [`contract`]: files that the code says, written anew.
//! - [`fuzz`]: what parses a stranger's bytes, with a fuzzer.
//! - [`prerequisites`]: what the tests need besides Rust, and how it is installed.
//! - [`postgres`]: a private PostgreSQL cluster for the time of the tests.
//! - [`command`]: running a program, and the sentence when it fails.
//! - `pages` (tests only): pages of the documentation that name tests.
//! - `layers` (tests only): the rules between layers that Cargo does not enforce.
#![allow(
    clippy::disallowed_methods,
    reason = "this program times its steps and waits for other programs; no product code is in it"
)]

mod command;
mod contract;
mod fuzz;
#[cfg(test)]
mod layers;
#[cfg(test)]
mod pages;
mod postgres;
mod prerequisites;
mod soak;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands for working on Bellwire.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every check and test; install what they need where that is possible
    Test,
    /// Run the tests that go by chance for long, and write what came of it to docs/soak.md
    Soak(soak::Options),
    /// Write what clients are told, as TypeScript and AsyncAPI, the way the code says it
    Contract,
    /// Fuzz what parses a stranger's bytes
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Task::Test => test::all(),
        Task::Soak(options) => soak::run_all(&options),
        Task::Contract => contract::write(),
        Task::Fuzz(arguments) => fuzz::all(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One sentence with its causes; where in this program it came from helps nobody.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
