//! The table of all settings. A setting is a field of [`Config`] by its name, and a row here.

use std::time::Duration;

use super::{
    Config,
    sources::Given,
    values::{Value, is_speed},
};

/// A setting.
#[derive(Debug)]
pub(super) struct Setting {
    /// Its name in the file, with its section: `log.kept`.
    pub name: &'static str,
    /// What is right, to end a sentence with `it must be`.
    pub right: &'static str,
    /// Sets it; says whether that was right.
    pub set: fn(&mut Config, &Given) -> bool,
    /// Its value as the file would have it.
    pub show: fn(&Config) -> String,
}

/// Rows as `NAME: WHAT IS RIGHT`, with a condition on the value if its type does not say all.
macro_rules! settings {
    ($($section:ident $(. $field:ident)?: $right:literal $(, if $is_right:expr)?;)+) => {
        &[$(Setting {
            name: concat!(stringify!($section) $(, ".", stringify!($field))?),
            right: $right,
            set: |config, given| {
                let place = &mut config.$section$(.$field)?;
                match read_like(place, given) {
                    Some(value) $(if $is_right(&value))? => *place = value,
                    _ => return false,
                }
                true
            },
            show: |config| config.$section$(.$field)?.show(),
        }),+]
    };
}

/// Reads a value of the type that is there already.
fn read_like<T: Value>(_there: &T, given: &Given) -> Option<T> {
    T::read(given)
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// All settings, in the order of the file.
pub(super) const SETTINGS: &[Setting] = settings! {
    data: "a path, e.g. \"/var/lib/bellwire\"";
    listen: "a list of addresses with a port, e.g. \"0.0.0.0:8080\", \"https://0.0.0.0:8443\" or \
             \"either://127.0.0.1:8443\"";
    origins: "a list of origins as browsers send them, without a path, in lower case and without \
              the usual port, e.g. \"https://home.example\"";
    hosts: "a list of host names without a port, in lower case, e.g. \"home.example\"";
    proxies: "a list of networks or addresses, but not of all there are, e.g. \"10.0.0.0/8\"";
    demo: "true or false";
    demo_speed: "a number from 0.01 to 10000", if is_speed;
    time_zone: "the name of a time zone, e.g. \"Europe/Berlin\"";
    tls.certificate: "the path of a PEM file, e.g. \"/etc/bellwire/chain.pem\"";
    tls.key: "the path of a PEM file, e.g. \"/etc/bellwire/key.pem\"";
    tls.names: "a list of host names or addresses, e.g. \"home.example\"";
    login.session: "a duration from 1m to 3650d, e.g. \"12h\"",
        if |session: &Duration| (MINUTE..=3_650 * DAY).contains(session);
    limits.strict: "true or false";
    log.bytes_max: "a number of bytes, 64KiB or more, e.g. 1073741824 or \"512MiB\"",
        if |bytes: &u64| *bytes >= 64 << 10;
    log.kept: "a duration of 10m or more, e.g. \"24h\"", if |kept: &Duration| *kept >= 10 * MINUTE;
    states.history: "a duration of 1m or more, e.g. \"10d\"",
        if |history: &Duration| *history >= MINUTE;
    areas.history: "a duration of 1m or more, e.g. \"10d\"",
        if |history: &Duration| *history >= MINUTE;
    sensors.access: "tokens or open";
    sensors.rate_max: "a whole number from 1 to 1000000",
        if |rate: &u32| (1..=1_000_000).contains(rate);
    stations.access: "tokens or open";
    stations.hold: "a duration from 1s to 30d, e.g. \"30m\"",
        if |hold: &Duration| (SECOND..=30 * DAY).contains(hold);
    stations.bookings_per_user: "a whole number from 1 to 10000",
        if |bookings: &u32| (1..=10_000).contains(bookings);
    stations.history: "a duration of 1m or more, e.g. \"365d\"",
        if |history: &Duration| *history >= MINUTE;
    notifications.history: "a duration of 1m or more, e.g. \"90d\"",
        if |history: &Duration| *history >= MINUTE;
    presence.grace: "a duration to 10m, e.g. \"5s\"",
        if |grace: &Duration| *grace <= 10 * MINUTE;
    metrics.open: "true or false";
    drain.time_max: "a duration from 1s to 1h, e.g. \"10s\"",
        if |time_max: &Duration| *time_max <= 60 * MINUTE;
    logging.level: "error, warn, info, debug, trace or off";
    logging.format: "auto, text or json";
};

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Whether there are settings below this name.
pub(super) fn is_section(name: &str) -> bool {
    SETTINGS.iter().any(|setting| section(setting.name) == Some(name))
}

fn section(name: &str) -> Option<&str> {
    name.split_once('.').map(|(section, _)| section)
}

/// The setting or section that somebody most likely meant by an unknown name.
pub(super) fn nearest(unknown: &str) -> Option<&'static str> {
    let leaf = |name: &'static str| name.rsplit_once('.').map_or(name, |(_, leaf)| leaf);
    let unknown_leaf = unknown.rsplit_once('.').map_or(unknown, |(_, leaf)| leaf);
    let names = SETTINGS.iter().map(|setting| setting.name);
    let sections = SETTINGS.iter().filter_map(|setting| section(setting.name));
    let far = |name: &'static str| {
        // The right word in the wrong section is as near as one wrong letter.
        let in_leaf = 1 + 2 * distance(unknown_leaf, leaf(name));
        distance(unknown, name).min(in_leaf)
    };
    let (far, name) = names.chain(sections).map(|name| (far(name), name)).min()?;
    (far <= 1 + unknown.len() / 4).then_some(name)
}

/// How many letters have to be added, left out or changed to make one word of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
