//! What an operator sets, and where: defaults, then one TOML file, then variables `BELLWIRE_*`, then
//! flags; the later one wins, setting by setting.
//!
//! | module | what is in it |
//! |---|---|
//! | `settings` | the table of all settings: name, what is right, how it is read and shown |
//! | `sources` | the file, the environment and the flags, as assignments to settings |
//! | `values` | the types of values, as text and back |
//! | `contradictions` | what is right by itself and wrong together |
//!
//! Whatever is wrong is one sentence that names the source, the setting and what would be right.
//! `default.toml` describes every setting; `bellwire config print-default` prints it. Not here: what
//! the settings do.

mod contradictions;
mod settings;
mod sources;
mod values;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};

use bellwire_services::kit::Settings;
use bellwire_store::log::Keep;
use ipnet::IpNet;
use tracing::level_filters::LevelFilter;

pub use sources::{Flags, Source};
pub use values::{Format, Host, Listen, OpenTo, Origin, Scheme, Zone, duration, level, speed};

/// The file that describes every setting, each at its default.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// The data directory by default.
const DATA: &str = "bellwire-data";
/// The demo's, which nobody shall mix up with it.
const DEMO_DATA: &str = "bellwire-demo";
/// How long the demo's history is kept: it is made much faster than anybody's own.
const DEMO_HISTORY: Duration = Duration::from_secs(3_600);

/// Everything that can be set. Its fields have the names that they have in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The data directory; made if there is none. Relative to the working directory.
    pub data: PathBuf,
    /// Where to listen; none: port 8080 of both loopbacks, as far as it is free.
    pub listen: Vec<Listen>,
    /// The origins whose pages may use the session cookie.
    pub origins: Vec<Origin>,
    /// The host names that are answered to; none: any.
    pub hosts: Vec<Host>,
    /// The networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub proxies: Vec<IpNet>,
    /// Whether a recording is replayed and guests of this machine are let in.
    pub demo: bool,
    /// How many times faster than recorded the demo runs, 0.01 to 10,000.
    pub demo_speed: f64,
    /// Where it is the day and the time that people are shown.
    pub time_zone: Zone,
    /// Certificates.
    pub tls: Tls,
    /// Logins of people.
    pub login: Login,
    /// Limits of connections.
    pub limits: Limits,
    /// The event log.
    pub log: Log,
    /// Home states.
    pub states: States,
    /// Areas and paired clients.
    pub areas: Areas,
    /// Sensors and the devices that carry them.
    pub sensors: Sensors,
    /// Battery stations.
    pub stations: Stations,
    /// Notifications.
    pub notifications: Notifications,
    /// Who is online.
    pub presence: Presence,
    /// What is measured.
    pub metrics: Metrics,
    /// How the server ends.
    pub drain: Drain,
    /// What the server writes on stderr.
    pub logging: Logging,
}

/// Certificates: both files, or neither, and then one is made here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// A file with the certificate chain, PEM.
    pub certificate: Option<PathBuf>,
    /// A file with its private key, PEM.
    pub key: Option<PathBuf>,
    /// Names and addresses that a certificate made here is for, besides this machine's own.
    pub names: Vec<Host>,
}

/// Logins of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// How long one lasts, a minute to 3,650 days.
    pub session: Duration,
}

/// Limits of connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Whether every address gets 10 new connections a minute, whoever asks.
    pub strict: bool,
}

/// The event log, from which clients that come back are told what they missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The most bytes, 64 KiB at the least; past it the oldest events go, whatever `kept` says.
    pub bytes_max: u64,
    /// How long events are kept, ten minutes at the least; the newest 10,000 stay longer.
    pub kept: Duration,
}

impl Log {
    /// As the store has it.
    pub fn keep(&self) -> Keep {
        Keep { time: micros(self.kept), bytes_max: self.bytes_max, ..Keep::default() }
    }
}

/// Home states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct States {
    /// How long past states are kept, a minute at the least; an entity's newest stays for good.
    pub history: Duration,
}

/// Areas and paired clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Areas {
    /// How long it is kept what clients were told, a minute at the least.
    pub history: Duration,
}

/// Sensors and the devices that carry them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensors {
    /// Who may read and post sensor data.
    pub access: OpenTo,
    /// How many readings a device may send in a second, 1 to 1,000,000; twice that at once.
    pub rate_max: u32,
}

/// Battery stations, and bookings there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stations {
    /// Who may see stations and hear of them.
    pub access: OpenTo,
    /// How long a battery is held for who booked it, a second to 30 days.
    pub hold: Duration,
    /// How many bookings a user may have at once, 1 to 10,000.
    pub bookings_per_user: u32,
    /// How long bookings are kept that are over, a minute at the least.
    pub history: Duration,
}

/// What users have to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notifications {
    /// How long it is kept, a minute at the least.
    pub history: Duration,
}

/// Who is online.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// How long a user whose connection was lost may take to come back, to ten minutes: others hear nothing of it.
    pub grace: Duration,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    /// Whether `/metrics` is answered without a credential.
    pub open: bool,
}

/// How the server ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// How long connections may take to end before they are cut off, a second to an hour.
    pub time_max: Duration,
}

/// What the server writes on stderr.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logging {
    /// The least that is written.
    pub level: LevelFilter,
    /// In which form.
    pub format: Format,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: DATA.into(),
            listen: Vec::new(),
            origins: Vec::new(),
            hosts: Vec::new(),
            proxies: Vec::new(),
            demo: false,
            demo_speed: 1.0,
            time_zone: Zone::utc(),
            tls: Tls::default(),
            login: Login {
                session: Duration::from_secs(Settings::default().session_s.unsigned_abs()),
            },
            limits: Limits::default(),
            log: Log { bytes_max: 1 << 30, kept: Duration::from_secs(10 * 60) },
            states: States { history: Duration::from_secs(10 * 86_400) },
            areas: Areas { history: Duration::from_secs(10 * 86_400) },
            sensors: Sensors {
                access: OpenTo::Tokens,
                rate_max: Settings::default().readings_per_second,
            },
            stations: Stations {
                access: OpenTo::Anyone,
                hold: Duration::from_micros(Settings::default().booking_hold.unsigned_abs()),
                bookings_per_user: Settings::default().bookings_per_user,
                history: Duration::from_secs(365 * 86_400),
            },
            notifications: Notifications { history: Duration::from_secs(90 * 86_400) },
            presence: Presence {
                grace: Duration::from_millis(Settings::default().presence_grace_ms),
            },
            metrics: Metrics { open: true },
            drain: Drain { time_max: Duration::from_secs(10) },
            logging: Logging { level: LevelFilter::INFO, format: Format::Auto },
        }
    }
}

/// Microseconds, as the store counts.
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// What is wrong, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong(String);

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// A configuration, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What is in force.
    pub config: Config,
    /// The file that was read, if one was named.
    pub file: Option<PathBuf>,
    /// Who set what.
    sources: BTreeMap<&'static str, Source>,
}

impl Loaded {
    /// Reads everything that sets something: the file that `--config` or else `BELLWIRE_CONFIG`
    /// names, these variables (as `std::env::vars_os` gives them) and these flags.
    ///
    /// # Errors
    /// The first thing that is wrong, in one sentence.
    pub fn read(
        flags: &Flags,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, Wrong> {
        let variables = sources::ours(variables);
        let named = variables.get("BELLWIRE_CONFIG").map(PathBuf::from);
        let file = flags.config.clone().or(named);
        let mut assignments = Vec::new();
        if let Some(path) = &file {
            sources::file(path, &mut assignments)?;
        }
        sources::environment(&variables, &mut assignments)?;
        flags.add_to(&mut assignments);

        let mut config = Config::default();
        let mut sources = BTreeMap::new();
        for assignment in assignments {
            assignment.apply(&mut config)?;
            sources.insert(assignment.setting.name, assignment.source);
        }
        if config.demo {
            if !sources.contains_key("data") {
                config.data = DEMO_DATA.into();
            }
            if !sources.contains_key("states.history") {
                config.states.history = DEMO_HISTORY;
            }
        }
        let loaded = Loaded { config, file, sources };
        contradictions::refuse(&loaded)?;
        Ok(loaded)
    }

    /// Who set this, or `default`.
    fn source(&self, name: &str) -> String {
        self.sources.get(name).map_or_else(|| "default".to_owned(), Source::to_string)
    }

    /// What differs from the defaults: the setting, its value as the file would have it, and who
    /// set it.
    pub fn differences(&self) -> Vec<(&'static str, String, String)> {
        let defaults = Config::default();
        let mut differences = Vec::new();
        for setting in settings::SETTINGS {
            let shown = (setting.show)(&self.config);
            if shown != (setting.show)(&defaults) {
                let source = self.sources.get(setting.name).map(Source::to_string);
                let source = source.unwrap_or_else(|| "the demo's default".to_owned());
                differences.push((setting.name, shown, source));
            }
        }
        differences
    }
}

/// A path as a sentence shows it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
