//! What is written on stderr besides the plain lines at the start: text for people, or one JSON
//! object a line for programs.

use std::io::IsTerminal as _;

use crate::config::{Format, Logging};

/// Begins to log, for the whole process. To be called once.
pub fn start(logging: &Logging) {
    let builder = tracing_subscriber::fmt()
        .with_max_level(logging.level)
        .with_writer(std::io::stderr)
        .with_target(false)
        // Where stderr is gone, there is nowhere to say so either: that must not panic.
        .log_internal_errors(false);
    let is_terminal = std::io::stderr().is_terminal();
    match logging.format {
        Format::Auto if !is_terminal => builder.json().flatten_event(true).init(),
        Format::Json => builder.json().flatten_event(true).init(),
        Format::Auto | Format::Text => builder.with_ansi(is_terminal).init(),
    }
}
