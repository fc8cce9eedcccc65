//! `bellwire backup`, `bellwire restore` and `bellwire check`: what is asked and what is printed.

use std::path::PathBuf;

use anyhow::bail;
use bellwire::{backup, clock::Clock};
use bellwire_store::sqlite::BackupReport;
use clap::{Args, Subcommand};

use super::{Place, print};

/// What keeps a data directory safe.
#[derive(Subcommand)]
pub enum Command {
    /// Copies a data directory to a new one, also while the server runs.
    Backup(Backup),
    /// Makes a data directory of a backup.
    Restore(Restore),
    /// Checks a data directory from end to end, also while the server runs.
    Check(Check),
}

/// `bellwire backup`.
#[derive(Args)]
#[command(mut_arg("data", |data| data.help("The data directory to copy [default: bellwire-data]")))]
pub struct Backup {
    #[command(flatten)]
    place: Place,
    /// Where the backup goes: a directory that is new or empty. It holds the signing keys.
    to: PathBuf,
}

/// `bellwire restore`.
#[derive(Args)]
#[command(mut_arg("data", |data| data.help(
    "The data directory to make: it must be new or empty [default: bellwire-data]"
)))]
pub struct Restore {
    /// The backup.
    from: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Makes a new signing key: no token of before is valid any more.
    #[arg(long)]
    new_keys: bool,
}

/// `bellwire check`.
#[derive(Args)]
#[command(mut_arg("data", |data| data.help("The data directory to check [default: bellwire-data]")))]
pub struct Check {
    #[command(flatten)]
    place: Place,
}

/// Does what is asked and prints what it came to.
///
/// # Errors
/// In one sentence that says what to do; the problems that a check finds are printed before. Or as
/// [`print`].
pub fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Backup(Backup { place, to }) => {
            let data = place.data()?;
            let report = backup::backup(&data, &to, Clock::new().now())?;
            let (at, of) = (to.display(), data.display());
            print(&format!("{at} is a backup of {of}: {}.\n", told(&report)))
        }
        Command::Restore(restore) => run_restore(&restore),
        Command::Check(Check { place }) => {
            let data = place.data()?;
            let at = data.display();
            let report = match backup::check(&data) {
                Ok(report) => report,
                Err(problems) => {
                    // Whoever does not read them is told by the status all the same.
                    let _ = problems.iter().try_for_each(|problem| print(&format!("{problem}\n")));
                    match problems.len() {
                        1 => bail!("{at} has 1 problem."),
                        count => bail!("{at} has {count} problems."),
                    }
                }
            };
            let states = report.tables.get("states").unwrap_or(&0);
            let log = report.tables.get("log").unwrap_or(&0);
            print(&format!(
                "{at} is sound: {states} rows of states, {log} of the log up to {}.\n",
                report.head
            ))
        }
    }
}

fn run_restore(Restore { from, place, new_keys }: &Restore) -> anyhow::Result<()> {
    let data = place.data()?;
    let restored = backup::restore(from, &data, *new_keys)?;
    let of = match &restored.note {
        Some(note) => format!("the backup of {} by version {}", note.made_at, note.version),
        None => "a data directory that was copied by other means".to_owned(),
    };
    print(&format!(
        "{} is restored from {}, {of}: {}.\n\
         Whatever was changed after the backup is undone, and so is every revocation; \
         passwords are those of then.\n\
         Clients with a cursor from before are told to start anew (reset), once.\n",
        data.display(),
        from.display(),
        told(&restored.report)
    ))?;
    if *new_keys {
        print(&format!(
            "There is a new signing key, so no token of before is valid any more: make new ones with \
             `bellwire token create --data {}`.\n",
            data.display()
        ))
    } else {
        print(
            "Tokens of before are valid, and one that was revoked or restricted after the backup has its \
             rights again: revoke it anew; or, if it is not known which, restore with --new-keys, which \
             ends every token.\n",
        )
    }
}

/// Size, rows of states, and the log's head.
fn told(report: &BackupReport) -> String {
    let states = report.tables.get("states").unwrap_or(&0);
    format!("{}, {states} rows of states, log up to {}", size(report.bytes), report.head)
}

/// Bytes in words.
fn size(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} kB", bytes.div_ceil(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
