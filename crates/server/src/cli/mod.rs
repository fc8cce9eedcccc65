//! The command line: one file per subcommand, which reads its arguments and calls the library.
//!
//! Every subcommand reads the configuration first, so that each finds the same data directory, and
//! what is wrong with it is said whatever is asked for. A mistyped argument ends with status 2, as
//! clap has it; everything else that is refused is one sentence, and status 1.

mod backup;
mod config;
mod contract;
mod serve;
mod token;
mod user;

use std::{
    fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use bellwire::{
    app,
    backup::DATABASE,
    config::{Flags, Listen, Loaded},
    control,
    listeners::say,
    logging, memory,
};
use bellwire_services::kit::{PAGE_LEN_MAX, Payload};
use bellwire_wire::engine::{PING_INTERVAL_MS, PING_TIMEOUT_MS, Timing};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

/// A server for live data: it keeps state durably and tells everyone entitled to know, at once.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the server.
    Serve(serve::Serve),
    /// Makes, lists, changes and revokes tokens, also while the server runs.
    #[command(subcommand)]
    Token(token::Token),
    /// Makes, lists, changes and removes users, also while the server runs.
    #[command(subcommand)]
    User(user::User),
    #[command(flatten)]
    Keep(backup::Command),
    /// Checks a configuration, or prints one to begin with.
    #[command(subcommand)]
    Config(config::Config),
    /// Prints what clients are told, for other programs to read.
    #[command(subcommand)]
    Contract(contract::Format),
    /// Sends back what it is sent, for protocol suites: WebSocket at /echo, Engine.IO at /engine.io/,
    /// Socket.IO at /socket.io/.
    #[command(hide = true)]
    ConformanceServer {
        /// Where to listen.
        #[arg(long)]
        listen: Listen,
        /// From one ping of Engine.IO to the next.
        #[arg(long, default_value_t = PING_INTERVAL_MS)]
        ping_interval_ms: u64,
        /// How long such a ping may stay unanswered.
        #[arg(long, default_value_t = PING_TIMEOUT_MS)]
        ping_timeout_ms: u64,
    },
}

/// Where a server is, for subcommands that work on its data. Those that do not make a data directory
/// have a help of their own for `--data`.
#[derive(Args)]
pub struct Place {
    /// The configuration file, for the data directory in it [default: $BELLWIRE_CONFIG, else none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory; it is made if there is none [default: bellwire-data]
    #[arg(long)]
    data: Option<PathBuf>,
}

impl Place {
    /// What these arguments set.
    pub fn flags(&self) -> Flags {
        let mut flags = Flags::with_file(self.config.clone());
        flags.path("--data", "data", self.data.as_deref());
        flags
    }

    /// The data directory. To be called once: logging begins with it.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn data(&self) -> anyhow::Result<PathBuf> {
        Ok(load(&self.flags())?.config.data)
    }
}

/// Reads the configuration, and begins to log as it says. To be called once.
///
/// # Errors
/// What is wrong with the configuration.
pub fn load(flags: &Flags) -> anyhow::Result<Loaded> {
    let loaded = Loaded::read(flags, std::env::vars_os())?;
    logging::start(&loaded.config.logging);
    Ok(loaded)
}

/// Asks the server of this data directory, or the directory itself if none runs.
///
/// # Errors
/// What the call refuses, or why the data directory cannot be used.
fn ask(data: &Path, call: &str, request: Value) -> anyhow::Result<Value> {
    let is_new = !data.join(DATABASE).exists();
    let payload: Payload = request.as_object().cloned().unwrap_or_default();
    let reply = control::ask(data, call, payload)?;
    if is_new {
        say(&format!("There was nothing in {}: it is a data directory now.\n", data.display()));
    }
    Ok(serde_json::from_str(reply.get())?)
}

/// Nobody reads what is printed any more. That is no failure: `bellwire token list | head` has heard
/// enough.
#[derive(Debug)]
struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("standard output is closed")
    }
}

impl std::error::Error for Unread {}

/// Writes plain text on stdout, which `println!` panics at when nobody reads it.
///
/// # Errors
/// [`Unread`], which [`run`] takes for a good end, or why it cannot be written.
fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Unread.into()),
        written => Ok(written?),
    }
}

/// Prints everything that a list has, a line of JSON each.
///
/// # Errors
/// As [`ask`] and [`print`].
fn list(data: &Path, call: &str) -> anyhow::Result<()> {
    let mut request = json!({ "limit": PAGE_LEN_MAX });
    loop {
        let page = ask(data, call, request.clone())?;
        let mut items = page["items"].as_array().into_iter().flatten();
        items.try_for_each(|item| print(&format!("{item}\n")))?;
        if page["next"].is_null() {
            return Ok(());
        }
        request["cursor"] = page["next"].clone();
    }
}

/// Runs the program to its end.
pub fn run() -> ExitCode {
    memory::hoard_nothing();
    let result = match Cli::parse().command {
        Command::Serve(serve) => serve.run(),
        Command::Token(token) => token.run(),
        Command::User(user) => user.run(),
        Command::Keep(command) => backup::run(command),
        Command::Config(config) => config.run(),
        Command::Contract(format) => format.run(),
        Command::ConformanceServer { listen, ping_interval_ms, ping_timeout_ms } => {
            let timing = Timing { ping_interval_ms, ping_timeout_ms };
            load(&Flags::default()).and_then(|_| app::serve_conformance(listen, timing))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Unread>() => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bellwire: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}
