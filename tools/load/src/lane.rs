//! A thread that holds one side's connections, with a descriptor table of its own.
//!
//! Both sides of a comparison are connected during the whole measurement, so that their rounds
//! can take turns; ten thousand connections each do not fit under one table's limit.

use std::sync::mpsc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};

use crate::os;

/// How a lane's thread is scheduled.
#[derive(Clone, Copy, Debug)]
pub enum Seat {
    /// On this processor, which the server has as well, and behind it: the server finishes its
    /// fan-out before the client begins to read. Whether the client cuts in is otherwise the
    /// largest chance in such a measurement.
    Behind(usize),
    /// On this processor, which the server has as well, as its equal: where both take turns, who
    /// goes first is part of the traffic.
    Beside(usize),
    /// Wherever the kernel likes.
    Free,
}

/// A thread that owns a `T` and does what it is asked to, one thing after another.
pub struct Lane<T> {
    /// `None` only while dropping. A channel, because the `T` never leaves its thread.
    jobs: Option<mpsc::Sender<Job<T>>>,
    thread: Option<JoinHandle<()>>,
}

type Job<T> = Box<dyn FnOnce(&mut T) + Send>;

impl<T: 'static> Lane<T> {
    /// Starts the thread and makes the `T` in it.
    pub fn start(seat: Seat, open: impl FnOnce() -> Result<T> + Send + 'static) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job<T>>();
        let (opened, outcome) = mpsc::channel();
        let thread = std::thread::Builder::new().name("lane".to_owned()).spawn(move || {
            // Whoever asks waits for each outcome: no send here finds nobody.
            let mut owned = match take(seat).and_then(|()| open()) {
                Ok(owned) => owned,
                Err(error) => {
                    let _ = opened.send(Err(error));
                    return;
                }
            };
            let _ = opened.send(Ok(()));
            for job in inbox {
                job(&mut owned);
            }
        })?;
        let lane = Self { jobs: Some(jobs), thread: Some(thread) };
        outcome.recv().context("a lane's thread died")??;
        Ok(lane)
    }

    /// Does `job` on the lane's thread and waits for what comes of it.
    pub fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut T) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let (done, outcome) = mpsc::channel();
        let job: Job<T> = Box::new(move |owned| {
            let _ = done.send(job(owned));
        });
        self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok()).context("a lane's thread died")?;
        outcome.recv().context("a lane's thread died")?
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Every job is bounded in time. A panic of the thread has been printed by it.
            let _ = thread.join();
        }
    }
}

fn take(seat: Seat) -> Result<()> {
    os::own_descriptor_table().context("cannot have a descriptor table of my own")?;
    let cpu = match seat {
        Seat::Free => return Ok(()),
        Seat::Behind(cpu) => {
            os::yield_to_others().context("cannot become a batch thread")?;
            cpu
        }
        Seat::Beside(cpu) => cpu,
    };
    os::pin_this_thread(cpu).with_context(|| format!("cannot run on processor {cpu}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_keeps_its_own_state_and_reports_errors() {
        let lane = Lane::start(Seat::Free, || Ok(1)).unwrap();
        let next = |n: &mut i32| {
            *n += 1;
            Ok(*n)
        };
        assert_eq!((lane.run(next).unwrap(), lane.run(next).unwrap()), (2, 3));
        assert!(lane.run(|_| -> Result<()> { anyhow::bail!("no") }).is_err());
        assert!(Lane::<()>::start(Seat::Free, || anyhow::bail!("no")).is_err());
    }
}
