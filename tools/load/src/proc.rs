//! What `/proc` knows: a process's CPU time to the nanosecond, its memory, and the machine.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

/// The CPU time of every thread of a process at one moment, from `/proc/PID/task/*/schedstat`.
///
/// `/proc/PID/schedstat` alone is the main thread's, and `/proc/PID/stat` counts in ticks of
/// 10 ms; neither would do.
pub struct CpuTime {
    /// Nanoseconds by thread id.
    by_thread: BTreeMap<u32, u64>,
}

/// CPU time between two moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CpuSpent {
    /// Of all threads that still live, those born in between included.
    pub ns: u64,
    /// Threads that ended in between: their time is not in `ns`.
    pub threads_ended: usize,
}

impl CpuTime {
    /// Reads it now. A thread that ends while its file is being read is left out.
    pub fn of(pid: u32) -> Result<Self> {
        let directory = format!("/proc/{pid}/task");
        let mut by_thread = BTreeMap::new();
        for entry in fs::read_dir(&directory).with_context(|| format!("cannot read {directory}"))? {
            let entry = entry?;
            let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) {
                by_thread.insert(thread, run_ns(&text)?);
            }
        }
        Ok(Self { by_thread })
    }

    /// What was spent since `earlier`.
    pub fn since(&self, earlier: &Self) -> CpuSpent {
        let ns = self
            .by_thread
            .iter()
            .map(|(thread, now)| {
                let before = earlier.by_thread.get(thread).copied().unwrap_or(0);
                now.saturating_sub(before)
            })
            .sum();
        let threads_ended =
            earlier.by_thread.keys().filter(|thread| !self.by_thread.contains_key(thread)).count();
        CpuSpent { ns, threads_ended }
    }
}

/// The first of the three numbers of a `schedstat` file: nanoseconds on a processor.
fn run_ns(schedstat: &str) -> Result<u64> {
    schedstat
        .split_ascii_whitespace()
        .next()
        .and_then(|field| field.parse().ok())
        .with_context(|| format!("not a schedstat line: {schedstat:?}"))
}

/// A process's memory in bytes, from `/proc/PID/smaps_rollup`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Resident pages.
    pub rss: u64,
    /// Resident pages, shared ones divided by their sharers.
    pub pss: u64,
    /// Pages that this process alone has written.
    pub private_dirty: u64,
}

impl Memory {
    /// Reads it now.
    pub fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/smaps_rollup");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Self::parse(&text)
    }

    fn parse(rollup: &str) -> Result<Self> {
        let bytes = |name: &str| {
            rollup
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
                .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok())
                .map(|kib| kib * 1024)
                .with_context(|| format!("no {name} in smaps_rollup"))
        };
        Ok(Self { rss: bytes("Rss")?, pss: bytes("Pss")?, private_dirty: bytes("Private_Dirty")? })
    }
}

/// Processor, cores and kernel in one line.
pub fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedstat_lines() {
        assert_eq!(run_ns("1234567890 43915 17\n").unwrap(), 1_234_567_890);
        assert!(run_ns("").is_err());
        assert!(run_ns("x 1 2").is_err());
    }

    #[test]
    fn threads_may_come_and_go() {
        let time =
            |threads: &[(u32, u64)]| CpuTime { by_thread: threads.iter().copied().collect() };
        let before = time(&[(1, 100), (2, 200), (3, 300)]);
        let after = time(&[(1, 150), (3, 300), (4, 7)]);
        assert_eq!(after.since(&before), CpuSpent { ns: 57, threads_ended: 1 });
    }

    #[test]
    fn this_process_has_run_and_has_memory() {
        let before = CpuTime::of(std::process::id()).unwrap();
        assert!(!before.by_thread.is_empty());
        assert!(Memory::of(std::process::id()).unwrap().rss > 0);
    }

    #[test]
    fn smaps_rollup_fields() {
        let rollup = "55d0-7ffe ---p 00000000 00:00 0  [rollup]\n\
                      Rss:                1320 kB\nPss:                 500 kB\n\
                      Pss_Dirty:           100 kB\nPrivate_Dirty:        96 kB\n";
        let memory = Memory::parse(rollup).unwrap();
        assert_eq!(
            (memory.rss, memory.pss, memory.private_dirty),
            (1320 * 1024, 500 * 1024, 96 * 1024)
        );
        assert!(Memory::parse("Rss: 1 kB").is_err());
    }
}
