//! `bellwire`: the program. See `bellwire --help`.

use std::{io::IsTerminal as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use bellwire::{app, control};
use bellwire_services::kit::Payload;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde_json::json;
use tracing::level_filters::LevelFilter;

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
    Serve(Serve),
    /// Makes, lists, changes and revokes tokens, also while the server runs.
    #[command(subcommand)]
    Token(Token),
    /// Echoes WebSocket messages at /echo, for protocol suites.
    #[command(hide = true)]
    ConformanceServer {
        /// Where to listen.
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[derive(Args)]
struct Serve {
    /// Where to listen, e.g. 0.0.0.0:8080; may be given several times [default: port 8080 of both
    /// loopbacks, as far as it is free]
    #[arg(long)]
    listen: Vec<SocketAddr>,
    /// The data directory; it is made if there is none [default: bellwire-data; for the demo
    /// bellwire-demo]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Replays a recorded home and lets guests of this machine in.
    #[arg(long)]
    demo: bool,
    /// How many times faster than recorded the demo runs.
    #[arg(long, default_value_t = 1.0, value_parser = speed, requires = "demo")]
    demo_speed: f64,
}

#[derive(Args)]
struct Data {
    /// The data directory; it is made if there is none.
    #[arg(long, default_value = default_data(false))]
    data: PathBuf,
}

#[derive(Subcommand)]
enum Token {
    /// Makes a token and prints it, this once.
    Create {
        #[command(flatten)]
        data: Data,
        /// What kind of caller holds it.
        #[arg(long)]
        role: Role,
        /// Whom it speaks for: a user's, client's or device's id.
        #[arg(long)]
        subject: Option<String>,
        /// A right, e.g. states:read:light.*; may be given several times.
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// How long it is valid, e.g. 90s, 15m, 12h, 30d.
        #[arg(long, default_value = "30d", value_parser = seconds)]
        ttl: i64,
    },
    /// Sets a token's scopes, at once for its live connections too.
    Change {
        #[command(flatten)]
        data: Data,
        /// Its id, e.g. tok_7.
        id: String,
        /// A right; may be given several times; without any, it has what its role has by itself, but
        /// a user's token needs one.
        #[arg(long = "scope")]
        scopes: Vec<String>,
    },
    /// Ends a token and its live connections.
    Revoke {
        #[command(flatten)]
        data: Data,
        /// Its id, e.g. tok_7.
        id: String,
    },
    /// Lists all tokens, without their text.
    List {
        #[command(flatten)]
        data: Data,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Admin,
    User,
    Client,
    Device,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.01 to 10000".into()),
    }
}

fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "a number with s, m, h or d, e.g. 30d".to_owned();
    let unit = match text.chars().last().ok_or_else(wrong)? {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    count.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

fn default_data(demo: bool) -> &'static str {
    if demo { "bellwire-demo" } else { "bellwire-data" }
}

fn main() -> ExitCode {
    // Set to nothing is not set; as a level it would mean `error`.
    let level = std::env::var("LOG_LEVEL").ok().filter(|level| !level.is_empty());
    let level = level.and_then(|level| level.parse().ok());
    tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        // Where stderr is gone, there is nowhere to say so either: that must not panic.
        .log_internal_errors(false)
        .init();
    let result = match Cli::parse().command {
        Command::Serve(serve) => app::serve(&app::Options {
            data: serve.data.unwrap_or_else(|| default_data(serve.demo).into()),
            listen: serve.listen,
            demo: serve.demo.then_some(serve.demo_speed),
        }),
        Command::Token(token) => run_token(token),
        Command::ConformanceServer { listen } => app::serve_conformance(listen),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bellwire: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_token(token: Token) -> anyhow::Result<()> {
    match token {
        Token::Create { data, role, subject, scopes, ttl } => {
            let role = role.to_possible_value().map(|value| value.get_name().to_owned());
            let mut request = json!({ "role": role, "scopes": scopes, "ttl": ttl });
            if let Some(subject) = subject {
                request["subject"] = subject.into();
            }
            let made = ask(&data, "tokens.create", request)?;
            let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
            eprintln!(
                "{} is valid until {}; this is the only time its text is shown:",
                text("id"),
                text("expiresAt")
            );
            println!("{}", text("token"));
        }
        Token::Change { data, id, scopes } => {
            ask(&data, "tokens.change", json!({ "id": id, "scopes": scopes }))?;
            eprintln!("{id} has these scopes now: {}", scopes.join(" "));
        }
        Token::Revoke { data, id } => {
            ask(&data, "tokens.revoke", json!({ "id": id }))?;
            eprintln!("{id} is revoked");
        }
        Token::List { data } => {
            let list = ask(&data, "tokens.list", json!({}))?;
            for token in list["items"].as_array().into_iter().flatten() {
                println!("{token}");
            }
        }
    }
    Ok(())
}

fn ask(data: &Data, call: &str, request: serde_json::Value) -> anyhow::Result<serde_json::Value> {
    let payload: Payload = request.as_object().cloned().unwrap_or_default();
    Ok(serde_json::from_str(control::ask(&data.data, call, payload)?.get())?)
}
