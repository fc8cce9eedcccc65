//! Level-triggered epoll over descriptors that the caller owns. Used by the bare loop and by the
//! client alike.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// How many ready descriptors one wait reports at most.
const READY_MAX: usize = 1024;

/// One epoll instance and the list of what its last wait found.
pub struct Poll {
    epoll: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

impl Poll {
    /// An empty instance.
    pub fn new() -> io::Result<Self> {
        // SAFETY: on success the descriptor is new and belongs to nobody else.
        let epoll = unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if fd == -1 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        let ready = vec![libc::epoll_event { events: 0, u64: 0 }; READY_MAX];
        Ok(Self { epoll, ready })
    }

    /// Watches `source` for input under `token`. Closing the descriptor ends that.
    pub fn add(&self, source: &impl AsRawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: token };
        // SAFETY: the kernel copies `event` during the call.
        let result = unsafe {
            libc::epoll_ctl(
                self.epoll.as_raw_fd(),
                libc::EPOLL_CTL_ADD,
                source.as_raw_fd(),
                &mut event,
            )
        };
        if result == -1 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Waits until something is ready, `limit` is over (`None`: no limit) or a signal arrives.
    /// Returns how many are ready; ask [`Poll::token`] for each.
    #[inline]
    pub fn wait(&mut self, limit: Option<Duration>) -> io::Result<usize> {
        let limit_ms =
            limit.map_or(-1, |limit| limit.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32);
        // SAFETY: the kernel writes at most `READY_MAX` events, which is the vector's length.
        let ready = unsafe {
            libc::epoll_wait(
                self.epoll.as_raw_fd(),
                self.ready.as_mut_ptr(),
                READY_MAX as i32,
                limit_ms,
            )
        };
        match usize::try_from(ready) {
            Ok(ready) => Ok(ready),
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                error => Err(error),
            },
        }
    }

    /// The token of the `position`-th descriptor that the last wait found ready.
    #[inline]
    pub fn token(&self, position: usize) -> u64 {
        self.ready[position].u64
    }
}
