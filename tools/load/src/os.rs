//! The few Linux calls that the standard library lacks, each behind a safe function.
//!
//! All of them act on the calling thread or on the whole process; none allocates, so that they
//! may also run between `fork` and `exec` (see [`crate::child`]).

use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Allows the calling thread to run on `cpu` only. What it starts later inherits that.
pub fn pin_this_thread(cpu: usize) -> io::Result<()> {
    if cpu >= libc::CPU_SETSIZE as usize {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: a zeroed cpu_set_t is the empty set, `cpu` lies inside it, and the kernel only
    // reads the set during the call.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    check(result)
}

/// The processors that the calling thread may run on, in ascending order.
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    // SAFETY: the kernel fills the set that it is given; membership tests stay inside its size.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        check(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set))?;
        Ok((0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &set)).collect())
    }
}

/// Makes the calling thread a batch thread: waking up, it does not push another thread off the
/// processor.
pub fn yield_to_others() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: 0 };
    // SAFETY: the kernel only reads `priority` during the call.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &priority) })
}

/// Gives the calling thread a copy of the process's descriptor table for itself. The limit on
/// open files counts per table, so that two threads can hold 10,000 connections each under a
/// limit of 20,000.
pub fn own_descriptor_table() -> io::Result<()> {
    // SAFETY: no memory is passed; descriptors opened later in this thread are closed in it.
    check(unsafe { libc::unshare(libc::CLONE_FILES) })
}

/// Raises the soft limit on open files to the hard one and returns it. Children inherit it.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` lives through both calls.
    unsafe {
        check(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit))?;
        limit.rlim_cur = limit.rlim_max;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &limit))?;
    }
    Ok(limit.rlim_cur)
}

/// Asks the kernel to send SIGTERM to the calling process when the thread that started it ends,
/// so that not even a killed tool leaves a server behind.
pub fn end_with_parent() -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a signal number and no memory.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })
}

/// Sends SIGALRM to this process after `seconds`.
pub fn alarm(seconds: u32) {
    // SAFETY: takes a number, cannot fail.
    unsafe { libc::alarm(seconds) };
}

/// Sends a signal to one process.
pub fn signal(pid: u32, signal: i32) -> io::Result<()> {
    // SAFETY: takes two numbers.
    check(unsafe { libc::kill(pid as libc::pid_t, signal) })
}

/// One `send` on a connected socket, without SIGPIPE. Returns how many bytes the kernel took.
#[inline]
pub fn send(socket: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the kernel only reads `bytes` during the call; a stale descriptor yields EBADF.
    let sent = unsafe {
        libc::send(
            socket,
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT,
        )
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Leaves the choice of a port to `connect`, after `bind` has chosen the address: a port that
/// another connection holds to another server is then free all the same, as without `bind`.
pub fn choose_port_late(socket: &impl AsRawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the kernel reads one int, which lives through the call.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })
}

/// Whether `path` lies on a file system that is only memory, where `fdatasync` costs nothing.
pub fn is_memory_backed(path: &std::path::Path) -> io::Result<bool> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: `path` is a C string and `about` a plain structure; both live through the call.
    unsafe {
        let mut about: libc::statfs = std::mem::zeroed();
        check(libc::statfs(path.as_ptr(), &mut about))?;
        Ok(about.f_type == libc::TMPFS_MAGIC)
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
