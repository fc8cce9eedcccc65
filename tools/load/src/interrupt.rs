//! Ctrl-C, SIGTERM and the tool's own time limit: each sets a flag, every loop asks for it, and
//! the measurement ends as an error, so that the guards on the way out stop all servers.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

use anyhow::{Result, bail};

/// The first signal that arrived, 0 for none. Written by the signal handler, which may do little
/// else, and read by every thread that waits: hence an atomic.
static SIGNAL: AtomicI32 = AtomicI32::new(0);

/// Installs the handlers and, after `limit_s` seconds, ends the run like a Ctrl-C.
pub fn install(limit_s: u32) -> Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGALRM] {
        // SAFETY: the handler only stores to an atomic. Without SA_RESTART a blocked wait
        // returns, so that the flag is seen at once.
        let result = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
            libc::sigaction(signal, &action, std::ptr::null_mut())
        };
        if result == -1 {
            return Err(io::Error::last_os_error().into());
        }
    }
    crate::os::alarm(limit_s);
    Ok(())
}

/// Fails once the run is to end.
pub fn check() -> Result<()> {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => Ok(()),
        libc::SIGALRM => bail!("stopped: the run's time limit is over (--time-limit-s)"),
        signal => bail!("stopped by signal {signal}"),
    }
}

extern "C" fn note(signal: libc::c_int) {
    let _ = SIGNAL.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
}
