//! What the process has to do with whoever runs it: signals, and what systemd wants to be told
//! (`sd_notify(3)`; without `NOTIFY_SOCKET` nobody is told).

use std::{
    ffi::OsStr,
    io::{self, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    thread,
    time::Duration,
};

use bellwire_services::kit::Code;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::door::Door;

/// Whoever started the process, if they want to be told how it is.
#[derive(Debug)]
pub struct Supervisor {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// Within which time the next sign of life has to come.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// As `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID` say.
    pub fn from_environment() -> Supervisor {
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let socket = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty());
        let is_meant =
            number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_meant);
        Supervisor::new(socket.as_deref(), watchdog.map(Duration::from_micros))
    }

    fn new(socket: Option<&OsStr>, watchdog: Option<Duration>) -> Supervisor {
        let to = socket.and_then(|name| match connect(name) {
            Ok(to) => Some(to),
            Err(error) => {
                tracing::warn!(%error, socket = ?name, "the supervisor cannot be told anything");
                None
            }
        });
        Supervisor { to, watchdog }
    }

    /// Says that the server listens.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// Says that the server is about to end.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    fn tell(&self, what: &str) {
        let Some((socket, address)) = &self.to else { return };
        if let Err(error) = socket.send_to_addr(what.as_bytes(), address) {
            tracing::warn!(%error, what, "the supervisor could not be told");
        }
    }

    /// Gives a sign of life at half the interval in which one is due, as long as the writer answers.
    /// Runs until it is aborted; ends at once if no sign is wanted.
    pub async fn watch(&self, door: &Door) {
        let Some(due) = self.watchdog.filter(|_| self.to.is_some()) else { return };
        let mut ticks = interval(due / 2);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.sign_of_life(writer_answers(door)).await;
        }
    }

    /// A sign of life, once it is known that there is life.
    async fn sign_of_life(&self, lives: impl Future<Output = ()>) {
        lives.await;
        self.tell("WATCHDOG=1");
    }
}

fn connect(name: &OsStr) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(name)?,
        _ => {
            return Err(io::Error::other("NOTIFY_SOCKET is neither a path nor an abstract socket"));
        }
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok((socket, address))
}

/// How often the writer is asked while its queue is full.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Waits until the writer has answered an empty write. Refusing it is an answer too, as on a full
/// disk: a restart would make no room.
async fn writer_answers(door: &Door) {
    let mut ticks = interval(ASK_AGAIN);
    loop {
        ticks.tick().await;
        match door.maintain(|_, _| Ok(())).await {
            Err(fault) if fault.code == Code::Overloaded => {}
            Ok(()) | Err(_) => return,
        }
    }
}

/// Takes the signals of the process from now on: gives what becomes true when SIGTERM or SIGINT asks
/// it to end. A second one ends it at once, with status 1. SIGHUP ends nothing.
///
/// They have a thread of their own, which nothing else can keep from them.
///
/// # Errors
/// The system's.
pub fn signals() -> io::Result<watch::Receiver<bool>> {
    let (stop, stopped) = watch::channel(false);
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let inside = runtime.enter();
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    drop(inside);
    let listen = async move {
        loop {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
                _ = hup.recv() => {
                    tracing::info!(
                        "nothing to reload but certificates, which are reloaded by themselves"
                    );
                    continue;
                }
            }
            if stop.send_replace(true) {
                // Not through the log: this is said at any level.
                let _ = writeln!(
                    io::stderr(),
                    "bellwire: told a second time to stop: connections are cut off."
                );
                std::process::exit(1);
            }
        }
    };
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(listen))?;
    Ok(stopped)
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn without_an_answer_there_is_no_sign_of_life() {
        let folder = tempfile::tempdir().expect("a directory can be made");
        let path = folder.path().join("notify");
        let receiver = UnixDatagram::bind(&path).expect("a socket can be made");
        receiver.set_nonblocking(true).expect("a socket takes options");
        let supervisor = Supervisor::new(Some(path.as_os_str()), Some(Duration::from_secs(1)));
        let told = || {
            let mut bytes = [0; 100];
            let len = receiver.recv(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(&bytes[..len]).into_owned())
        };
        let runtime = Builder::new_current_thread().build().expect("a runtime can be made");
        runtime.block_on(async {
            supervisor.sign_of_life(ready(())).await;
            assert_eq!(told().as_deref(), Some("WATCHDOG=1"));
            tokio::select! {
                biased;
                () = supervisor.sign_of_life(pending()) => panic!("there was no answer"),
                () = ready(()) => {}
            }
            assert_eq!(told(), None);
        });
    }

    #[test]
    fn sockets_that_cannot_be_used_are_passed_over() {
        for name in ["relative", "vsock:2:1", "@", "/none/such", &format!("/{}", "x".repeat(200))] {
            let supervisor = Supervisor::new(Some(OsStr::new(name)), None);
            supervisor.ready();
            supervisor.stopping();
        }
    }
}
