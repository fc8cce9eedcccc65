//! `bellwire serve`.

use std::path::PathBuf;

use bellwire::{
    app,
    config::{self, Flags, Format, Host, Listen, Origin},
};
use clap::Args;
use tracing::level_filters::LevelFilter;

use super::load;

/// What `serve` is told; each flag overrides a setting of the configuration.
#[derive(Args)]
pub struct Serve {
    /// The configuration file [default: $BELLWIRE_CONFIG, else none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen, e.g. 0.0.0.0:8080, https://0.0.0.0:8443, or either://0.0.0.0:8443 for both;
    /// may be given several times [default: port 8080 of both loopbacks, as far as it is free; for the
    /// demo also 8000, 5000, and 8443 with TLS]
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<Listen>,
    /// A PEM file with the certificate and its chain [default: one of the server's own]
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<PathBuf>,
    /// A PEM file with the certificate's private key.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// A further name or address for the server's own certificate; may be given several times
    #[arg(long = "tls-name", value_name = "NAME")]
    tls_names: Vec<Host>,
    /// The data directory; it is made if there is none [default: bellwire-data; for the demo
    /// bellwire-demo]
    #[arg(long)]
    data: Option<PathBuf>,
    /// A web site whose pages may use the session cookie, e.g. https://home.example; may be given
    /// several times
    #[arg(long = "origin", value_name = "ORIGIN")]
    origins: Vec<Origin>,
    /// Replays a recorded home and lets guests of this machine in.
    #[arg(long)]
    demo: bool,
    /// How many times faster than recorded the demo runs [default: 1]
    #[arg(long, value_parser = config::speed)]
    demo_speed: Option<f64>,
    /// How much is logged: error, warn, info, debug, trace or off [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = config::level)]
    log_level: Option<LevelFilter>,
    /// How it is logged: auto, text or json [default: auto, which is text on a terminal, else json]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<Format>,
}

impl Serve {
    /// Runs the server until it is told to stop.
    ///
    /// # Errors
    /// In one sentence that says what to do.
    pub fn run(&self) -> anyhow::Result<()> {
        app::serve(&load(&self.flags())?.config)
    }

    /// What these arguments set.
    pub fn flags(&self) -> Flags {
        let mut flags = Flags::with_file(self.config.clone());
        flags.list("--listen", "listen", &self.listen);
        flags.path("--tls-certificate", "tls.certificate", self.tls_certificate.as_deref());
        flags.path("--tls-key", "tls.key", self.tls_key.as_deref());
        flags.list("--tls-name", "tls.names", &self.tls_names);
        flags.path("--data", "data", self.data.as_deref());
        flags.list("--origin", "origins", &self.origins);
        flags.one("--demo", "demo", self.demo.then_some(true));
        flags.one("--demo-speed", "demo_speed", self.demo_speed);
        flags.one("--log-level", "logging.level", self.log_level);
        flags.one("--log-format", "logging.format", self.log_format);
        flags
    }
}
