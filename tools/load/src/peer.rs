//! Other people's Socket.IO servers: how they are installed and started. Each is a program of a
//! few lines in `peers/` that serves the same commands and events as ours, keeps nothing and asks
//! for no rights.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::child;

const NODE: &str = "tools/load/peers/node";
const SOCKETIOXIDE: &str = "tools/load/peers/socketioxide";
/// Where the one that is compiled is built: apart from this workspace's own files.
const BUILT: &str = "target/peers";

/// Tokens that make a connection of a peer a reader, who hears events, or not.
pub const READER: &str = "reader";
/// See [`READER`].
pub const WRITER: &str = "writer";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Peer {
    /// The crate socketioxide, on axum.
    Socketioxide,
    /// The package socket.io, on Node.
    Node,
}

impl Peer {
    /// What it is called in a row, with its version as far as its lock file tells.
    pub fn name(self) -> String {
        let (name, lock, mark) = match self {
            Self::Socketioxide => {
                ("socketioxide", format!("{SOCKETIOXIDE}/Cargo.lock"), r#"name = "socketioxide""#)
            }
            Self::Node => (
                "Node socket.io",
                format!("{NODE}/package-lock.json"),
                r#""node_modules/socket.io": {"#,
            ),
        };
        let lock = std::fs::read_to_string(lock).unwrap_or_default();
        let version = version_behind(&lock, mark).unwrap_or_default();
        format!("{name} {version}").trim_end().to_owned()
    }

    /// Installs what its lock file names, from the package registry or what was fetched before.
    pub fn install(self) -> Result<()> {
        let directory = match self {
            Self::Socketioxide => SOCKETIOXIDE,
            Self::Node => NODE,
        };
        Path::new(directory).read_dir().with_context(|| {
            format!("{directory} is not here: run this in the repository's first folder")
        })?;
        match self {
            Self::Socketioxide => {
                let mut build = Command::new("cargo");
                build
                    .args(["build", "--release", "--locked", "--target-dir", BUILT])
                    .args(["--manifest-path", &format!("{SOCKETIOXIDE}/Cargo.toml")]);
                child::output_of(&mut build).context(
                    "socketioxide cannot be built: it needs cargo and its crates, \
                     from their registry or fetched before",
                )?;
            }
            Self::Node => {
                child::output_of(Command::new("node").arg("--version"))
                    .context("Node is missing: install Node 20 or newer with npm")?;
                let mut install = Command::new("npm");
                install
                    .args(["ci", "--prefer-offline", "--ignore-scripts"])
                    .args(["--no-audit", "--no-fund"])
                    .current_dir(NODE);
                child::output_of(&mut install).context(
                    "socket.io cannot be installed: it needs npm and its packages, \
                     from their registry or npm's cache",
                )?;
            }
        }
        Ok(())
    }

    /// The command that serves on `address`.
    pub fn command(self, address: SocketAddr) -> Command {
        let mut command = match self {
            Self::Socketioxide => Command::new(format!("{BUILT}/release/bellwire-load-peer")),
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(format!("{NODE}/server.mjs"));
                command
            }
        };
        command.args([address.ip().to_string(), address.port().to_string()]);
        command
    }
}

/// The version that a lock file gives behind `mark`.
fn version_behind<'a>(lock: &'a str, mark: &str) -> Option<&'a str> {
    let (_, behind) = lock.split_once(mark)?;
    let (_, behind) = behind.split_once("version")?;
    let start = behind.find(|c: char| c.is_ascii_digit())?;
    behind[start..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lock_files_tell_a_version() {
        let cargo = "[[package]]\nname = \"socketioxide\"\nversion = \"0.18.9\"\nsource = \"s\"\n";
        let npm = "\"node_modules/socket.io\": {\n  \"version\": \"4.8.4\",\n  \"integrity\"";
        for (lock, mark, version) in [
            (cargo, "name = \"socketioxide\"", Some("0.18.9")),
            (npm, "\"node_modules/socket.io\": {", Some("4.8.4")),
            (npm, "\"node_modules/other\": {", None),
        ] {
            assert_eq!(version_behind(lock, mark), version);
        }
    }
}
