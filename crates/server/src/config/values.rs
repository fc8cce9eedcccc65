//! The types of values: how each is read from what was given, and shown as the file would have it.

use std::{
    fmt::{self, Display, Formatter},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use ipnet::IpNet;
use jiff::tz::TimeZone;
use tracing::level_filters::LevelFilter;

use super::sources::Given;

/// How clients speak to a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain.
    Http,
    /// By TLS.
    Https,
    /// Either; a connection's first byte tells.
    Either,
}

/// Where to listen, e.g. `127.0.0.1:8080`, `https://0.0.0.0:8443`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// How clients speak there.
    pub scheme: Scheme,
    /// The address.
    pub address: SocketAddr,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Listen, String> {
        let (scheme, address) = match text.split_once("://") {
            None | Some(("http", _)) => (Scheme::Http, text.strip_prefix("http://")),
            Some(("https", address)) => (Scheme::Https, Some(address)),
            Some(("either", address)) => (Scheme::Either, Some(address)),
            Some(_) => (Scheme::Http, None),
        };
        let address = address.unwrap_or(text).parse().map_err(
            |_| "an address and a port, e.g. 0.0.0.0:8080, if need be after https:// or either://",
        )?;
        Ok(Listen { scheme, address })
    }
}

impl Display for Listen {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Either => "either",
        };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// A web page's origin as browsers write it: `scheme://host[:port]`, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// As the header `Origin` has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Origin, String> {
        let wrong = || "an origin as browsers send it, e.g. https://home.example".to_owned();
        let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
        let usual_port = match scheme {
            "http" => "80",
            "https" => "443",
            _ => return Err(wrong()),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        if port.is_some_and(|port| port == usual_port || !is_port(port)) {
            return Err(wrong()); // Browsers leave the usual port out.
        }
        host.parse::<Host>().map_err(|_| wrong())?;
        Ok(Origin(text.to_owned()))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Digits of a number from 1 to 65535, as they are written without need of thought.
fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0 && port.to_string() == text)
}

/// A host's name or address in lower case, without a port; an IPv6 address in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// As the header `Host` has it, the port aside.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Host, String> {
        let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let is_address = bracketed.is_some_and(|text| {
            text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6())
                && !text.bytes().any(|byte| byte.is_ascii_uppercase())
        });
        let is_label = |label: &str| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
            (1..=63).contains(&label.len()) && label.bytes().all(plain)
        };
        if is_address || (text.len() <= 253 && text.split('.').all(is_label)) {
            return Ok(Host(text.to_owned()));
        }
        Err("a name or an address without a port, in lower case, e.g. home.example".to_owned())
    }
}

impl Display for Host {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In which form the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `Text` on a terminal, else `Json`.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Format, String> {
        match text {
            "auto" => Ok(Format::Auto),
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err("auto, text or json".to_owned()),
        }
    }
}

impl Display for Format {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Auto => "auto",
            Format::Text => "text",
            Format::Json => "json",
        })
    }
}

/// To whom a service is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenTo {
    /// Who holds a token.
    Tokens,
    /// Anybody who reaches the server.
    Anyone,
}

impl FromStr for OpenTo {
    type Err = String;

    fn from_str(text: &str) -> Result<OpenTo, String> {
        match text {
            "tokens" => Ok(OpenTo::Tokens),
            "open" => Ok(OpenTo::Anyone),
            _ => Err("tokens or open".to_owned()),
        }
    }
}

impl Display for OpenTo {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OpenTo::Tokens => "tokens",
            OpenTo::Anyone => "open",
        })
    }
}

/// A time zone by its name in the IANA database, of which the program has a copy: nothing is read from the machine.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// UTC.
    pub fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// The zone with its rules.
    pub fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Zone, String> {
        let zone = TimeZone::get(text).ok().filter(|zone| !zone.is_unknown());
        zone.map(Zone).ok_or_else(|| "the name of a time zone, e.g. Europe/Berlin".to_owned())
    }
}

impl Display for Zone {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().unwrap_or("UTC"))
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({self})")
    }
}

/// Reads a level: error, warn, info, debug, trace or off, in any case.
///
/// # Errors
/// What would be right.
pub fn level(text: &str) -> Result<LevelFilter, String> {
    match text.to_ascii_lowercase().as_str() {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "trace" => Ok(LevelFilter::TRACE),
        "off" => Ok(LevelFilter::OFF),
        _ => Err("error, warn, info, debug, trace or off".to_owned()),
    }
}

/// Reads a demo's speed.
///
/// # Errors
/// What would be right.
pub fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if is_speed(&speed) => Ok(speed),
        _ => Err("a number from 0.01 to 10000".to_owned()),
    }
}

pub(super) fn is_speed(speed: &f64) -> bool {
    (0.01..=10_000.0).contains(speed)
}

/// The units of durations, in seconds, the largest first.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
/// The longest duration that is read: 100,000 days, which the store can count in microseconds.
const DURATION_MAX_S: u64 = 100_000 * 86_400;

/// Reads a duration of at least a second, e.g. `90s`, `15m`, `12h`, `30d`.
///
/// # Errors
/// What would be right.
pub fn duration(text: &str) -> Result<Duration, String> {
    let count = |&(unit, seconds): &(char, u64)| {
        let digits = text.strip_suffix(unit)?;
        let count: u64 =
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
        count.checked_mul(seconds).filter(|total| (1..=DURATION_MAX_S).contains(total))
    };
    let seconds = UNITS.iter().find_map(count);
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| "a number with s, m, h or d, e.g. 30d".to_owned())
}

/// Reads a size in bytes, e.g. `512MiB`.
fn size(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let split = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift)));
    let (digits, shift) = split.unwrap_or((text, 0));
    let count: u64 = digits.trim_end().parse().ok()?;
    count.checked_mul(1 << shift)
}

/// A value that can be set.
pub(super) trait Value: Sized {
    /// Reads it; `None` if that is none.
    fn read(given: &Given) -> Option<Self>;
    /// As the file would have it; for what is absent, the empty text.
    fn show(&self) -> String;
}

/// A value that is written as one text.
macro_rules! text_value {
    ($($type:ty: $read:expr, $show:expr;)+) => {$(
        impl Value for $type {
            fn read(given: &Given) -> Option<Self> {
                let read: fn(&str) -> Option<Self> = $read;
                given.text().and_then(read)
            }

            fn show(&self) -> String {
                let show: fn(&Self) -> String = $show;
                quoted(&show(self))
            }
        }
    )+};
}

text_value! {
    Listen: |text| text.parse().ok(), Listen::to_string;
    Origin: |text| text.parse().ok(), Origin::to_string;
    Host: |text| text.parse().ok(), Host::to_string;
    Format: |text| text.parse().ok(), Format::to_string;
    OpenTo: |text| text.parse().ok(), OpenTo::to_string;
    Zone: |text| text.parse().ok(), Zone::to_string;
    LevelFilter: |text| level(text).ok(), LevelFilter::to_string;
    Duration: |text| duration(text).ok(), duration_text;
    IpNet: network, IpNet::to_string;
}

impl Value for bool {
    fn read(given: &Given) -> Option<bool> {
        match given {
            Given::Bool(value) => Some(*value),
            Given::Word(word) => word.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for f64 {
    fn read(given: &Given) -> Option<f64> {
        match given {
            Given::Float(value) => Some(*value),
            Given::Integer(value) => Some(*value as f64),
            Given::Word(word) => word.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        format!("{self:?}")
    }
}

/// A size in bytes.
impl Value for u64 {
    fn read(given: &Given) -> Option<u64> {
        match given {
            Given::Integer(value) => u64::try_from(*value).ok(),
            _ => given.text().and_then(size),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A whole number.
impl Value for u32 {
    fn read(given: &Given) -> Option<u32> {
        match given {
            Given::Integer(value) => u32::try_from(*value).ok(),
            Given::Word(word) => word.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn read(given: &Given) -> Option<PathBuf> {
        match given {
            Given::Path(path) => Some(path.clone()),
            _ => given.text().map(PathBuf::from),
        }
        .filter(|path| !path.as_os_str().is_empty())
    }

    fn show(&self) -> String {
        quoted(&self.to_string_lossy())
    }
}

impl Value for Option<PathBuf> {
    fn read(given: &Given) -> Option<Option<PathBuf>> {
        PathBuf::read(given).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(String::new, PathBuf::show)
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(given: &Given) -> Option<Vec<T>> {
        given.list()?.iter().map(T::read).collect()
    }

    fn show(&self) -> String {
        format!("[{}]", self.iter().map(T::show).collect::<Vec<_>>().join(", "))
    }
}

/// A network, or an address as the network of it alone; not all addresses there are.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse().ok().or_else(address)?;
    Some(IpNet::trunc(&network)).filter(|network| network.prefix_len() > 0)
}

fn duration_text(duration: &Duration) -> String {
    let seconds = duration.as_secs();
    let (unit, length) =
        UNITS.into_iter().find(|(_, length)| seconds.is_multiple_of(*length)).unwrap_or(('s', 1));
    format!("{}{unit}", seconds / length)
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
