//! `bellwire token`.

use std::time::Duration;

use bellwire::{config, listeners::say};
use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::{Place, ask, print};

/// What can be done with tokens.
#[derive(Subcommand)]
pub enum Token {
    /// Makes a token and prints it, this once.
    Create {
        #[command(flatten)]
        place: Place,
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
        #[arg(long, default_value = "30d", value_parser = config::duration)]
        ttl: Duration,
    },
    /// Sets a token's scopes, at once for its live connections too.
    Change {
        #[command(flatten)]
        place: Place,
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
        place: Place,
        /// Its id, e.g. tok_7.
        id: String,
    },
    /// Lists all tokens, without their text.
    List {
        #[command(flatten)]
        place: Place,
    },
}

/// What kind of caller holds a token.
#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    /// Everything.
    Admin,
    /// A person.
    User,
    /// A paired screen.
    Client,
    /// A sensor board.
    Device,
}

impl Token {
    /// Does it, by the running server if there is one.
    ///
    /// # Errors
    /// What the call refuses, or why the data directory cannot be used.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Token::Create { place, role, subject, scopes, ttl } => {
                let role = role.to_possible_value().map(|value| value.get_name().to_owned());
                let mut request = json!({ "role": role, "scopes": scopes, "ttl": ttl.as_secs() });
                if let Some(subject) = subject {
                    request["subject"] = subject.into();
                }
                let made = ask(&place.data()?, "tokens.create", request)?;
                let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
                say(&format!(
                    "{} is valid until {}; this is the only time its text is shown:\n",
                    text("id"),
                    text("expiresAt")
                ));
                print(&format!("{}\n", text("token")))?;
            }
            Token::Change { place, id, scopes } => {
                ask(&place.data()?, "tokens.change", json!({ "id": id, "scopes": scopes }))?;
                say(&format!("{id} has these scopes now: {}\n", scopes.join(" ")));
            }
            Token::Revoke { place, id } => {
                ask(&place.data()?, "tokens.revoke", json!({ "id": id }))?;
                say(&format!("{id} is revoked\n"));
            }
            Token::List { place } => {
                super::list(&place.data()?, "tokens.list")?;
            }
        }
        Ok(())
    }
}
