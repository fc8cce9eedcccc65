//! A PostgreSQL cluster of its own for the tests: in a temporary folder, on a free port of the loopback
//! address, gone afterwards. No installed cluster is touched.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{command, output, run, succeeds};
use crate::prerequisites::is_root;

/// How long a new cluster may take to answer.
const STARTED_MAX: Duration = Duration::from_secs(30);

/// Starts the server and stops it when standard input ends: at [`Cluster`]'s drop, and also when this process
/// is killed. An interrupt from the keyboard reaches the shell too and must not end it before the server.
const GUARD: &str = r#"
trap '' INT
"$1/postgres" -D "$2/data" -k "$2" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 \
    >"$2/log" 2>&1 </dev/null &
server=$!
read -r line
kill -QUIT "$server"
wait "$server"
rm -rf "$2"
"#;

/// A running cluster; it is stopped and removed when dropped.
pub struct Cluster {
    guard: Child,
    folder: PathBuf,
    port: u16,
}

impl Cluster {
    /// Makes and starts a cluster with the server programs in `bin`, as user `postgres` when this is root,
    /// which PostgreSQL refuses. Durability is off: the cluster does not outlive the tests.
    pub fn start(bin: &Path) -> Result<Self> {
        let folder =
            PathBuf::from(output(unprivileged("mktemp").args(["-d", "/tmp/bellwire-pg.XXXXXX"]))?);
        run(unprivileged(bin.join("initdb"))
            .args([
                "--no-sync",
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(folder.join("data"))
            .stdout(Stdio::null()))?;
        let port = free_port()?;
        let guard = unprivileged("sh")
            .args(["-c", GUARD, "sh"])
            .args([bin, &folder])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .spawn()
            .context("could not start PostgreSQL")?;
        let cluster = Self { guard, folder, port };
        cluster.wait_until_started(bin)?;
        Ok(cluster)
    }

    /// The connection string, for a superuser who needs no password.
    pub fn connection(&self) -> String {
        format!("host=127.0.0.1 port={} user=postgres dbname=postgres", self.port)
    }

    fn wait_until_started(&self, bin: &Path) -> Result<()> {
        let deadline = Instant::now() + STARTED_MAX;
        let port = self.port.to_string();
        while !succeeds(command(bin.join("pg_isready")).args([
            "-h",
            "127.0.0.1",
            "-U",
            "postgres",
            "-p",
            &port,
        ])) {
            if Instant::now() > deadline {
                let log =
                    output(unprivileged("tail").args(["-n", "5"]).arg(self.folder.join("log")));
                bail!("PostgreSQL did not start: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The end of the guard's input stops the server; a guard that has ended by itself is no error here.
        if let Some(mut stdin) = self.guard.stdin.take() {
            let _ = stdin.write_all(b"stop\n");
        }
        let _ = self.guard.wait();
    }
}

/// A command that runs as user `postgres` when this process is root, in a folder which that user can enter.
fn unprivileged(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = if is_root() {
        let mut as_user = command("runuser");
        as_user.args(["-u", "postgres", "--"]).arg(program);
        as_user
    } else {
        command(program)
    };
    command.current_dir("/tmp");
    command
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
