//! What every scenario shares: the options, and the servers that it starts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::child::{self, Child, Ready, ScratchDir};
use crate::dialect::Dialect;
use crate::endpoint::{Endpoint, Publish, Transport};
use crate::os;
use crate::pairing;
use crate::peer::{self, Peer};

/// The longest life of a bare server whose parent does not stop it.
const BARE_LIMIT_S: u32 = 3600;
/// Descriptors that a process needs besides its connections.
const DESCRIPTORS_BESIDES: u64 = 200;

/// Options of every scenario.
#[derive(Args, Clone, Debug)]
pub struct Bench {
    /// The server binary that is measured.
    #[arg(long, global = true, default_value = "target/release/bellwire")]
    pub server: PathBuf,
    /// A further argument for `bellwire serve`; may be given several times.
    #[arg(long = "server-arg", global = true, value_name = "ARG", allow_hyphen_values = true)]
    pub server_args: Vec<String>,
    /// Settings of the server that are not its defaults, as variables of its environment.
    #[arg(skip)]
    pub settings: Vec<(&'static str, &'static str)>,
    /// Where data directories are made, and removed in the end. It has to be on a real disk.
    #[arg(long, global = true, value_name = "DIR", default_value = "target/load-data")]
    pub data_root: PathBuf,
    /// The processor that servers and client share in the quiet layout. Default: the last one.
    #[arg(long, global = true, value_name = "NUMBER")]
    pub cpu: Option<usize>,
    /// The run ends as an error after this many seconds.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 900,
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub time_limit_s: u32,
    /// Exit with 1 if a budget is missed.
    #[arg(long, global = true)]
    pub check: bool,
}

/// A running server, stopped and cleaned up when dropped.
pub struct Served {
    // Before `data`: fields are dropped in order, and a server writes until it has stopped.
    child: Child,
    /// Where it is and how it is used.
    pub endpoint: Endpoint,
    /// Its logs, and its data unless that was given.
    _scratch: ScratchDir,
}

impl Bench {
    /// The quiet layout's processor.
    pub fn quiet_cpu(&self) -> Result<usize> {
        if let Some(cpu) = self.cpu {
            return Ok(cpu);
        }
        let allowed = os::allowed_cpus().context("cannot ask for the allowed processors")?;
        allowed.last().copied().context("no processor is allowed")
    }

    /// A processor beside the quiet layout's, if there is one.
    pub fn other_cpu(&self) -> Result<Option<usize>> {
        let quiet = self.quiet_cpu()?;
        let allowed = os::allowed_cpus().context("cannot ask for the allowed processors")?;
        Ok(allowed.into_iter().find(|cpu| *cpu != quiet))
    }

    /// Fails unless client and server can hold `connections` each.
    pub fn check_descriptors(&self, connections: usize) -> Result<()> {
        let limit = os::raise_descriptor_limit().context("cannot raise the descriptor limit")?;
        ensure!(
            connections as u64 + DESCRIPTORS_BESIDES <= limit,
            "{connections} connections do not fit under the limit of {limit} descriptors"
        );
        Ok(())
    }

    /// A scratch directory on the disk that is measured.
    pub fn scratch(&self, name: &str) -> Result<ScratchDir> {
        let scratch = ScratchDir::new(&self.data_root, name)?;
        ensure!(
            !os::is_memory_backed(scratch.path())?,
            "{:?} is memory, not a disk: give --data-root",
            self.data_root
        );
        Ok(scratch)
    }

    /// Starts a bare loop.
    pub fn bare(&self) -> Result<Served> {
        let scratch = self.scratch("bare")?;
        let address = child::free_address()?;
        let this = std::env::current_exe().context("cannot find my own binary")?;
        let mut command = Command::new(this);
        command
            .args(["bare", "--listen", &address.to_string()])
            .args(["--time-limit-s", &BARE_LIMIT_S.to_string()]);
        let log = scratch.path().join("log");
        let mut child = Child::start(command, Some(self.quiet_cpu()?), log)?;
        child.wait_until(Ready::Accepts, address)?;
        let publish = Publish::Order;
        Ok(Served::new(child, address, publish, scratch))
    }

    /// Starts `bellwire serve` on a new data directory, in the quiet layout.
    pub fn bellwire(&self) -> Result<Served> {
        let scratch = self.scratch("bellwire")?;
        let data = scratch.path().join("data");
        self.bellwire_on(&data, Some(self.quiet_cpu()?), scratch)
    }

    /// The same, with so many paired clients that have one area: events are changes of that area.
    pub fn paired(&self, clients: usize) -> Result<Served> {
        let mut served = self.bellwire()?;
        served.pair(clients)?;
        Ok(served)
    }

    /// Starts `bellwire serve` on the data directory `data`, on one processor or on all; its log
    /// goes to `scratch`.
    pub fn bellwire_on(
        &self,
        data: &Path,
        cpu: Option<usize>,
        scratch: ScratchDir,
    ) -> Result<Served> {
        std::fs::create_dir_all(data).with_context(|| format!("cannot make {data:?}"))?;
        let (mut child, address) = self.launch(data, cpu, &scratch)?;
        child.wait_until(Ready::Readyz, address)?;
        let publish = Publish::Create {
            writer: self.token(data, &["--role", "admin"])?,
            reader: self.token(data, &["--role", "user", "--scope", "states:read"])?,
        };
        Ok(Served::new(child, address, publish, scratch))
    }

    /// Starts `bellwire serve` and does not wait for it.
    pub fn launch(
        &self,
        data: &Path,
        cpu: Option<usize>,
        scratch: &ScratchDir,
    ) -> Result<(Child, SocketAddr)> {
        let address = child::free_address()?;
        let mut command = Command::new(&self.server);
        command
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(data)
            .args(&self.server_args)
            .envs(self.settings.iter().copied());
        let log = scratch.path().join("log");
        Ok((Child::start(command, cpu, log)?, address))
    }

    /// Starts `bellwire conformance-server`, in the quiet layout.
    pub fn conformance(&self) -> Result<Served> {
        let scratch = self.scratch("conformance")?;
        let address = child::free_address()?;
        let mut command = Command::new(&self.server);
        command.args(["conformance-server", "--listen", &address.to_string()]);
        let log = scratch.path().join("log");
        let mut child = Child::start(command, Some(self.quiet_cpu()?), log)?;
        child.wait_until(Ready::Accepts, address)?;
        Ok(Served::new(child, address, Publish::Never, scratch))
    }

    /// Starts another Socket.IO server that was installed before, in the quiet layout.
    pub fn peer(&self, peer: Peer) -> Result<Served> {
        let scratch = self.scratch("peer")?;
        let address = child::free_address()?;
        let log = scratch.path().join("log");
        let mut child = Child::start(peer.command(address), Some(self.quiet_cpu()?), log)?;
        child.wait_until(Ready::Accepts, address)?;
        let publish =
            Publish::Create { writer: peer::WRITER.to_owned(), reader: peer::READER.to_owned() };
        Ok(Served::new(child, address, publish, scratch))
    }

    /// A token for the server on `data`, which may be running.
    fn token(&self, data: &Path, who: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.server);
        command.args(["token", "create", "--data"]).arg(data);
        command.args(who).args(["--ttl", "1h"]);
        let token = child::output_of(&mut command)?;
        ensure!(
            !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
            "{command:?} did not print a token alone"
        );
        Ok(token)
    }
}

impl Served {
    fn new(child: Child, address: SocketAddr, publish: Publish, scratch: ScratchDir) -> Self {
        let pid = child.pid();
        let (dialect, transport) = (Dialect::Plain, Transport::WebSocket);
        let endpoint = Endpoint { address, pid, publish, dialect, transport };
        Self { child, endpoint, _scratch: scratch }
    }

    /// Pairs so many clients with this server and gives them one area, whose changes are its events
    /// from now on.
    pub fn pair(&mut self, clients: usize) -> Result<()> {
        let Publish::Create { writer, .. } = &self.endpoint.publish else {
            bail!("only a server of ours has areas");
        };
        let paired = pairing::pair(self.endpoint.address, writer, clients)?;
        self.endpoint.publish = Publish::Change(paired);
        Ok(())
    }

    /// Ends the server with SIGKILL: what it was about to do is not done.
    pub fn kill(self) -> Result<()> {
        self.child.kill()
    }

    /// Stops the server; fails unless it ends cleanly.
    pub fn stop(self) -> Result<()> {
        self.child.stop()
    }
}
