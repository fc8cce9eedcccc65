//! `cargo xtask soak`: the tests that go by chance, in their long forms, and what came of it, as docs/soak.md shows it.
//!
//! A round is every [`Task`] once, with seeds that no round before had. `--hours` goes on with further rounds until that
//! time is over; the page has the sum.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{cargo, command, output, root, run};
use crate::postgres::Cluster;
use crate::prerequisites::Installed;
use crate::test;

/// What can be said about a soak.
#[derive(Args)]
pub struct Options {
    /// Goes on with further seeds until so many hours are over; otherwise each test is run once
    #[arg(long)]
    hours: Option<f64>,
    /// The first seed
    #[arg(long, default_value_t = 1_000)]
    seed: u64,
    /// Only tasks whose names contain this, and the page is left as it is
    #[arg(long)]
    only: Option<String>,
}

/// A test in its long form.
pub struct Task {
    /// What fails, or who tries.
    pub name: &'static str,
    /// The test, as nextest's filters name it.
    pub filter: &'static str,
    /// How much of it a round is, and of what.
    pub count: u64,
    pub unit: &'static str,
    /// What tells the test, from the first seed and the count.
    pub variables: fn(u64, u64) -> Vec<(&'static str, String)>,
}

/// A range of seeds, as tests read it.
fn range(variable: &'static str, from: u64, count: u64) -> Vec<(&'static str, String)> {
    vec![(variable, format!("{from}..{}", from + count))]
}

/// Kills, which are drawn from one seed.
fn kills(from: u64, count: u64) -> Vec<(&'static str, String)> {
    vec![
        ("BELLWIRE_TEST_CRASH_SEED", from.to_string()),
        ("BELLWIRE_TEST_CRASH_ROUNDS", count.to_string()),
    ]
}

/// All of them.
pub const TASKS: &[Task] = &[
    Task {
        name: "SIGKILL under writers of home states",
        filter: "test(=crash::what_was_acknowledged_survives_sigkill)",
        count: 200,
        unit: "kills",
        variables: kills,
    },
    Task {
        name: "SIGKILL while all services are used, in both dialects",
        filter: "test(=crash::nothing_is_lost_or_done_twice_in_any_service_over_sigkill)",
        count: 200,
        unit: "kills",
        variables: kills,
    },
    Task {
        name: "sessions, hubs, store and restarts in virtual time",
        filter: "test(=simulation::seeds)",
        count: 3_000,
        unit: "seeds",
        variables: |from, count| {
            vec![
                ("BELLWIRE_SIM_FROM", from.to_string()),
                ("BELLWIRE_SIM_ROUNDS", count.to_string()),
            ]
        },
    },
    Task {
        name: "power cuts at every sync, all services on one disk",
        filter: "test(=simulation::disk::cuts::a_power_cut_leaves_what_was_acknowledged)",
        count: 100,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_DISK_SEED", from, count),
    },
    Task {
        name: "a full disk, all services",
        filter: "test(=simulation::disk::full::without_room_nothing_is_half_done)",
        count: 100,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_DISK_SEED", from, count),
    },
    Task {
        name: "a disk that fails once, all services, in the running program",
        filter: "test(=faults::disk::the_nth_call_fails_while_all_services_are_used)",
        count: 40,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_MACHINE_SEED", from, count),
    },
    Task {
        name: "networks that fail, all services in both dialects",
        filter: "test(/^network::weathers::/) + test(/^network::wrong_bits::/) + test(/^network::lost_answers::/)",
        count: 8,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_NETWORK_SEED", from, count),
    },
    Task {
        name: "what a stranger may send, by mutation of seeds",
        filter: "test(/^fuzzing::tests::/) + test(/^corpus::/)",
        count: 50_000,
        unit: "inputs a target",
        variables: |from, count| {
            vec![
                ("BELLWIRE_TEST_FUZZ_SEED", from.to_string()),
                ("BELLWIRE_TEST_FUZZ_RUNS", count.to_string()),
            ]
        },
    },
    Task {
        name: "areas and clients, who hears what",
        filter: "test(=areas::audiences::everybody_hears_what_is_theirs_and_nothing_else)",
        count: 40,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_AREAS_SEED", from, count),
    },
    Task {
        name: "people in chat, over real connections and crashes",
        filter: "test(/^chat::oracle::/)",
        count: 40,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_PEOPLE_SEED", from, count),
    },
    Task {
        name: "decisions of chat against a model",
        filter: "test(/^chat::tests::oracle::/)",
        count: 150,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_CHAT_SEED", from, count),
    },
    Task {
        name: "bookings over real connections and crashes",
        filter: "test(/^stations::oracle::/)",
        count: 20,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_BOOKINGS_SEED", from, count),
    },
    Task {
        name: "decisions of stations against a model",
        filter: "test(/^stations::tests::oracle::/)",
        count: 150,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_STATIONS_SEED", from, count),
    },
    Task {
        name: "readings, alarms and silence against a model",
        filter: "test(/^sensors::tests::oracle::/)",
        count: 60,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_SENSORS_SEED", from, count),
    },
    Task {
        name: "history packed, aged and read, against a model",
        filter: "test(=sensors::history::tests::random::what_is_kept_is_what_came)",
        count: 20,
        unit: "seeds",
        variables: |from, count| range("BELLWIRE_TEST_HISTORY_SEED", from, count),
    },
    Task {
        name: "REST, asked whatever can be asked",
        filter: "test(/^rest_properties::/)",
        count: 20_000,
        unit: "requests",
        variables: |from, count| {
            vec![
                ("BELLWIRE_TEST_REST_SEED", from.to_string()),
                ("BELLWIRE_TEST_REST_CASES", count.to_string()),
            ]
        },
    },
];

/// What became of a task.
struct Done {
    task: &'static Task,
    from: u64,
    rounds: u64,
    took: Duration,
    /// The variables with which it failed.
    failed: Option<String>,
}

/// Runs everything, and writes the page.
pub fn run_all(options: &Options) -> Result<()> {
    let installed = Installed::ensure()?;
    let cluster = Cluster::start(&installed.postgres)?;
    let environment = |command: &mut Command| test::environment(command, &cluster, &installed);
    let mut build = cargo();
    build.args(["nextest", "run", "--workspace", "--no-run"]);
    run(&mut build)?;
    let logs = root().join("target/soak");
    fs::create_dir_all(&logs)?;
    let is_meant = |task: &&Task| options.only.as_ref().is_none_or(|only| task.name.contains(only));
    let mut all: Vec<Done> = TASKS
        .iter()
        .filter(is_meant)
        .map(|task| Done {
            task,
            from: options.seed,
            rounds: 0,
            took: Duration::ZERO,
            failed: None,
        })
        .collect();
    let (began, limit) =
        (Instant::now(), Duration::from_secs_f64(options.hours.unwrap_or(0.0) * 3_600.0));
    loop {
        round(&mut all, &logs, &environment);
        if began.elapsed() >= limit || all.iter().any(|done| done.failed.is_some()) {
            break;
        }
    }
    let text = page(&all, options, began.elapsed())?;
    if options.only.is_none() {
        fs::write(root().join("docs/soak.md"), &text).context("docs/soak.md")?;
    }
    println!("{text}");
    match all.iter().find_map(|done| Some((done, done.failed.as_ref()?))) {
        Some((done, how)) => bail!("{} failed; again: {how}", done.task.name),
        None => Ok(()),
    }
}

/// Every task once, as many at a time as there are processors.
fn round(all: &mut [Done], logs: &Path, environment: &(impl Fn(&mut Command) + Sync)) {
    let workers = thread::available_parallelism().map_or(2, usize::from);
    let waiting: Mutex<VecDeque<&mut Done>> = Mutex::new(all.iter_mut().collect());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().expect("nobody panics under this lock").pop_front();
                    let Some(done) = next else { return };
                    once(done, logs, environment);
                }
            });
        }
    });
}

/// One task, with seeds that it has not had.
fn once(done: &mut Done, logs: &Path, environment: &impl Fn(&mut Command)) {
    let Done { task, from, rounds, .. } = done;
    let variables = (task.variables)(*from + *rounds * task.count, task.count);
    let shown: Vec<String> =
        variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let again = format!(
        "{} cargo nextest run --workspace --profile soak -E '{}'",
        shown.join(" "),
        task.filter
    );
    eprintln!("== {}: {}", task.name, shown.join(" "));
    let began = Instant::now();
    let log = logs.join(format!("{}.log", task.name.replace(|c: char| !c.is_alphanumeric(), "-")));
    let result = File::create(&log).and_then(|file| {
        let mut nextest = cargo();
        nextest.args(["nextest", "run", "--workspace", "--profile", "soak", "-E", task.filter]);
        environment(&mut nextest);
        nextest.envs(variables).stdout(file.try_clone()?).stderr(file).status()
    });
    done.took += began.elapsed();
    done.rounds += 1;
    if !result.is_ok_and(|status| status.success()) {
        eprintln!("{} FAILED: see {}", done.task.name, log.display());
        done.failed = Some(again);
    }
}

/// The page of the documentation.
fn page(all: &[Done], options: &Options, took: Duration) -> Result<String> {
    let said = |program: &str, arguments: &[&str]| output(command(program).args(arguments));
    let commit = said("git", &["rev-parse", "--short=10", "HEAD"])?;
    let is_clean = said("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    let changed = if is_clean { "" } else { ", with changes" };
    let date = said("date", &["-u", "+%Y-%m-%d"])?;
    let processors = thread::available_parallelism().map_or(0, usize::from);
    let system = said("uname", &["-s"])?;
    let hours = options.hours.map_or(String::new(), |hours| format!(" --hours {hours}"));
    let mut text = format!(
        "# Soak\n\n\
         Written by `cargo xtask soak`, which runs the tests that go by chance in their long forms: the same tests as in\n\
         `cargo xtask test`, from other seeds and for longer. Where one fails, the page says how to run it again.\n\n\
         | | |\n|---|---|\n\
         | command | `cargo xtask soak --seed {}{hours}` |\n\
         | commit | `{commit}`{changed} |\n\
         | day | {date} |\n\
         | machine | {processors} processors, {system} |\n\
         | time | {} |\n\n\
         | What | How much | First seed | Time | Result |\n|---|---|---|---|---|\n",
        options.seed,
        minutes(took),
    );
    for Done { task, from, rounds, took, failed } in all {
        let count = grouped(task.count * rounds);
        let result =
            failed.as_ref().map_or("passed".to_owned(), |how| format!("**failed**: `{how}`"));
        text += &format!(
            "| {} | {count} {} | {from} | {} | {result} |\n",
            task.name,
            task.unit,
            minutes(*took)
        );
    }
    Ok(text)
}

/// E.g. `1 min 40 s`.
fn minutes(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..60 => format!("{seconds} s"),
        seconds => format!("{} min {} s", seconds / 60, seconds % 60),
    }
}

/// E.g. `30,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let places = digits.char_indices().map(|(at, digit)| {
        let is_group = at > 0 && (digits.len() - at).is_multiple_of(3);
        if is_group { format!(",{digit}") } else { digit.to_string() }
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped() {
        for (number, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), shown);
        }
    }
}
