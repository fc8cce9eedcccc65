//! What is right by itself and wrong together.

use super::{Listen, Loaded, Scheme, Wrong};

/// Says the first contradiction.
pub(super) fn refuse(loaded: &Loaded) -> Result<(), Wrong> {
    let config = &loaded.config;
    let source = |name| loaded.source(name);
    if let Some(public) = config.listen.iter().find(|at| !at.address.ip().is_loopback())
        && config.demo
    {
        return Err(Wrong(format!(
            "{}: the demo lets guests in and listens on loopback only, not on {}; \
             leave out demo ({}) to serve others.",
            source("listen"),
            public.address,
            source("demo")
        )));
    }
    if loaded.sources.contains_key("demo_speed") && !config.demo {
        return Err(Wrong(format!(
            "{}: demo_speed is for the demo only; set demo (--demo) too, or leave it out.",
            source("demo_speed")
        )));
    }
    for (number, listen) in config.listen.iter().enumerate() {
        // Port 0 is any free one, each time another.
        let is_same = |other: &Listen| other.address == listen.address;
        if listen.address.port() != 0 && config.listen[..number].iter().any(is_same) {
            return Err(Wrong(format!(
                "{}: listen has {} twice; an address must be there once, with one scheme.",
                source("listen"),
                listen.address
            )));
        }
    }
    for (has, given, lacks, absent) in [
        ("tls.certificate", &config.tls.certificate, "tls.key", &config.tls.key),
        ("tls.key", &config.tls.key, "tls.certificate", &config.tls.certificate),
    ] {
        if given.is_some() && absent.is_none() {
            return Err(Wrong(format!(
                "{}: {has} is set and {lacks} is not; set both, or neither to have a certificate made here.",
                source(has)
            )));
        }
    }
    // A demo listens with TLS, too, if nothing is said.
    let is_clear = |at: &Listen| at.scheme == Scheme::Http;
    let never =
        if config.listen.is_empty() { !config.demo } else { config.listen.iter().all(is_clear) };
    if config.tls.certificate.is_some() && never {
        return Err(Wrong(format!(
            "{}: tls.certificate is set and no listener speaks TLS; listen on https:// or either:// too, \
             or leave it out.",
            source("tls.certificate")
        )));
    }
    Ok(())
}
