//! Servers as child processes: started pinned, awaited, and stopped on every way out.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{interrupt, os};

/// How long a server may take to serve.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How long a server may take to stop after SIGTERM before it is killed.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// Pause between two looks at a server that is starting or stopping.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How much of a server's output is shown when it fails.
const LOG_TAIL_LEN: usize = 2000;

/// A running server process. Dropping it stops it.
pub struct Child {
    process: std::process::Child,
    name: String,
    log: PathBuf,
}

/// When a server counts as serving.
#[derive(Clone, Copy, Debug)]
pub enum Ready {
    /// It accepts connections.
    Accepts,
    /// `GET /readyz` answers 200.
    Readyz,
}

impl Child {
    /// Starts `command`, on one processor if `cpu` is given. Its output goes to `log`.
    ///
    /// Must be called from a thread that lives as long as the server shall: its end ends the
    /// server.
    pub fn start(mut command: Command, cpu: Option<usize>, log: PathBuf) -> Result<Self> {
        let name = format!("{command:?}");
        let output = File::create(&log).with_context(|| format!("cannot write {log:?}"))?;
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            // A Ctrl-C on the terminal goes to this tool, which stops its servers in order.
            .process_group(0);
        // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
        unsafe {
            command.pre_exec(move || {
                os::end_with_parent()?;
                cpu.map_or(Ok(()), os::pin_this_thread)
            });
        }
        let process = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { process, name, log })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it serves on `address`.
    pub fn wait_until(&mut self, ready: Ready, address: SocketAddr) -> Result<()> {
        let deadline = Instant::now() + READY_LIMIT;
        loop {
            let serves = match ready {
                Ready::Accepts => TcpStream::connect(address).is_ok(),
                Ready::Readyz => readyz(address).unwrap_or(false),
            };
            if serves {
                return Ok(());
            }
            interrupt::check()?;
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended ({status}): {}", self.name, self.log_tail());
            }
            ensure!(
                Instant::now() < deadline,
                "{} does not serve on {address}: {}",
                self.name,
                self.log_tail()
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Stops it and fails unless it ended by itself, cleanly and in time.
    pub fn stop(mut self) -> Result<()> {
        match self.end()? {
            Some(status) if status.success() => Ok(()),
            Some(status) => bail!("{} ended ({status}): {}", self.name, self.log_tail()),
            None => bail!("{} did not stop in {STOP_LIMIT:?}", self.name),
        }
    }

    /// SIGKILL, and no patience.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill().with_context(|| format!("cannot kill {}", self.name))?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM, patience, SIGKILL. `None` if it came to the last.
    fn end(&mut self) -> Result<Option<std::process::ExitStatus>> {
        if let Some(status) = self.process.try_wait()? {
            return Ok(Some(status));
        }
        os::signal(self.pid(), libc::SIGTERM)?;
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.process.kill()?;
        self.process.wait()?;
        Ok(None)
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let tail = &log[log.len().saturating_sub(LOG_TAIL_LEN)..];
        format!("its last words:\n{}", String::from_utf8_lossy(tail).trim())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("cannot stop {}: {error}", self.name);
        }
    }
}

/// A port of 127.0.0.1 that is free now.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?)
}

/// Runs `command` to its end and returns what it wrote to stdout, without surrounding space.
pub fn output_of(command: &mut Command) -> Result<String> {
    let name = format!("{command:?}");
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    ensure!(
        output.status.success(),
        "{name} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A new directory that is removed, with all that is in it, when this is dropped.
pub struct ScratchDir(PathBuf);

impl ScratchDir {
    /// Makes a directory inside `root`, named after `name`, this process and a counter.
    pub fn new(root: &Path, name: &str) -> Result<Self> {
        use std::sync::atomic::{AtomicUsize, Ordering};
        /// Tells this process's directories apart; any thread may make one, hence an atomic.
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {path:?}"))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {:?}: {error}", self.0);
        }
    }
}

/// Whether `GET /readyz` answers 200.
fn readyz(address: SocketAddr) -> std::io::Result<bool> {
    const LIMIT: Duration = Duration::from_secs(1);
    const EXPECTED: &[u8] = b"HTTP/1.1 200";
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut start = [0; EXPECTED.len()];
    stream.read_exact(&mut start)?;
    Ok(start == *EXPECTED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(script: &str, work: &ScratchDir) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Child::start(command, None, work.path().join("log")).unwrap()
    }

    #[test]
    fn a_child_that_ends_early_shows_its_last_words() {
        let work = ScratchDir::new(&std::env::temp_dir(), "child-test").unwrap();
        let mut child = start("echo no such thing; exit 3", &work);
        let address = free_address().unwrap();
        let error = child.wait_until(Ready::Readyz, address).unwrap_err();
        assert!(error.to_string().contains("no such thing"), "{error}");
        assert!(child.stop().is_err());
    }

    #[test]
    fn dropping_stops_the_child_and_removes_the_directory() {
        let work = ScratchDir::new(&std::env::temp_dir(), "child-test").unwrap();
        let path = work.path().to_owned();
        let child = start("exec sleep 60", &work);
        let process = PathBuf::from(format!("/proc/{}", child.pid()));
        assert!(process.exists());
        drop(child);
        drop(work);
        assert!(!process.exists() && !path.exists());
    }
}
