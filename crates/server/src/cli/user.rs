//! `bellwire user`.

use std::{io::BufRead as _, path::Path};

use anyhow::bail;
use bellwire::{accounts, credentials::chance, listeners::say};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{Place, ask, print};

/// What can be done with users.
#[derive(Subcommand)]
pub enum User {
    /// Makes a user, and prints the password unless it was given.
    Create {
        #[command(flatten)]
        place: Place,
        /// The name that others see.
        username: String,
        /// The name to sign in with [default: the username]
        #[arg(long)]
        login: Option<String>,
        /// The e-mail address.
        #[arg(long)]
        email: Option<String>,
        /// An admin may do everything.
        #[arg(long, default_value = "user")]
        role: Role,
        /// What the person is in the marketplace.
        #[arg(long)]
        kind: Option<Kind>,
        /// A right, e.g. states:read:light.*; may be given several times.
        #[arg(long = "scope")]
        scopes: Vec<String>,
        #[command(flatten)]
        password: Password,
    },
    /// Sets a user's password, and prints it unless it was given; their sessions end.
    Password {
        #[command(flatten)]
        place: Place,
        /// The name to sign in with, or the id.
        user: String,
        #[command(flatten)]
        password: Password,
    },
    /// Changes a user, at once for live connections too.
    Change {
        #[command(flatten)]
        place: Place,
        /// The name to sign in with, or the id.
        user: String,
        /// An admin may do everything.
        #[arg(long)]
        role: Option<Role>,
        /// A right; may be given several times. Those that are not given are taken away.
        #[arg(long = "scope", conflicts_with = "no_scopes")]
        scopes: Vec<String>,
        /// Takes all scopes away: the user has what the role has by itself.
        #[arg(long)]
        no_scopes: bool,
        /// Whether the user is shut out, with all sessions and tokens.
        #[arg(long)]
        disabled: Option<bool>,
    },
    /// Takes a user away, with all sessions and tokens.
    Delete {
        #[command(flatten)]
        place: Place,
        /// The name to sign in with, or the id.
        user: String,
    },
    /// Lists all users.
    List {
        #[command(flatten)]
        place: Place,
    },
}

/// Where a password comes from.
#[derive(Args)]
#[group(skip)] // Else its name is that of the subcommand's own group.
pub struct Password {
    /// Reads the password from the first line of standard input, instead of making one.
    #[arg(long)]
    password_stdin: bool,
}

impl Password {
    /// The password, and whether it was made here.
    fn take(&self) -> anyhow::Result<(String, bool)> {
        if !self.password_stdin {
            return Ok((accounts::new_password(&chance()), true));
        }
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line)?;
        let password = line.trim_end_matches(['\r', '\n']).to_owned();
        if password.is_empty() {
            bail!("Standard input has no password in its first line.");
        }
        Ok((password, false))
    }
}

/// An admin or a person.
#[derive(Clone, Copy, ValueEnum)]
pub enum Role {
    /// Everything.
    Admin,
    /// A person.
    User,
}

/// What a person is in the marketplace.
#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    /// Looks for help.
    Client,
    /// Offers it.
    Houseworker,
}

fn name(value: &impl ValueEnum) -> Option<String> {
    value.to_possible_value().map(|value| value.get_name().to_owned())
}

impl User {
    /// Does it, by the running server if there is one.
    ///
    /// # Errors
    /// What the call refuses, or why the data directory cannot be used.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            User::Create { place, username, login, email, role, kind, scopes, password } => {
                let (password, is_made) = password.take()?;
                let mut request = json!({
                    "username": username, "role": name(&role), "scopes": scopes, "password": password,
                    "kind": kind.as_ref().and_then(name), "email": email,
                });
                if let Some(login) = login {
                    request["login"] = login.into();
                }
                let made = ask(&place.data()?, "users.create", request)?;
                let (id, login) = (text(&made["userId"]), text(&made["login"]));
                say(&format!("User {id} signs in as {login}\n"));
                tell(&password, is_made)?;
            }
            User::Password { place, user, password } => {
                let (password, is_made) = password.take()?;
                let data = place.data()?;
                let user = find(&data, &user)?;
                let request = json!({ "userId": user["userId"], "password": password });
                ask(&data, "users.change", request)?;
                let login = text(&user["login"]);
                say(&format!("{login} has another password; every session has ended\n"));
                tell(&password, is_made)?;
            }
            User::Change { place, user, role, scopes, no_scopes, disabled } => {
                let data = place.data()?;
                let mut request = json!({ "userId": find(&data, &user)?["userId"] });
                if let Some(role) = role {
                    request["role"] = name(&role).into();
                }
                if no_scopes || !scopes.is_empty() {
                    request["scopes"] = scopes.into();
                }
                if let Some(disabled) = disabled {
                    request["disabled"] = disabled.into();
                }
                print(&format!("{}\n", ask(&data, "users.change", request)?))?;
            }
            User::Delete { place, user } => {
                let data = place.data()?;
                let user = find(&data, &user)?;
                ask(&data, "users.delete", json!({ "userId": user["userId"] }))?;
                let login = text(&user["login"]);
                say(&format!("{login} is gone, with all sessions and tokens\n"));
            }
            User::List { place } => super::list(&place.data()?, "users.list")?,
        }
        Ok(())
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Prints a password that was made here, this once.
fn tell(password: &str, is_made: bool) -> anyhow::Result<()> {
    if !is_made {
        return Ok(());
    }
    say("This is the only time that the password is shown:\n");
    print(&format!("{password}\n"))
}

/// The user with this login, or else with this id.
fn find(data: &Path, user: &str) -> anyhow::Result<Value> {
    ask(data, "users.find", json!({ "user": user }))
}
