//! Paired clients: each asks to be paired, an admin approves it, it fetches its token.
//!
//! All over REST, as screens and admins do it. A server lets an address begin so many pairings in a
//! minute: there are as many addresses here as that takes.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, ensure};

use crate::dialect::LOAD_ENTITY;
use crate::endpoint::Paired;
use crate::http::{self, text_of};
use crate::interrupt;
use crate::opening::Line;

/// Pairings that an address may begin in a minute.
const CLIENTS_PER_SOURCE: usize = 10;
/// The most clients: a server gives one area to so many.
pub const CLIENTS_MAX: usize = 2000;

/// Makes an area with [`LOAD_ENTITY`] in it and pairs `clients` that have it.
pub fn pair(address: SocketAddr, admin: &str, clients: usize) -> Result<Paired> {
    ensure!(clients <= CLIENTS_MAX, "an area has at most {CLIENTS_MAX} clients");
    let mut line = Line::dial(address, source(0))?;
    let area = format!(r#"{{"name":"Load","entityIds":["{LOAD_ENTITY}"]}}"#);
    let made = line.ask(&http::json(address, "POST /api/areas", Some(admin), &area))?;
    let area_id = text_of(&made, "id")?;
    let mut tokens = Vec::with_capacity(clients);
    for number in 0..clients {
        interrupt::check()?;
        if number % CLIENTS_PER_SOURCE == 0 {
            line = Line::dial(address, source(number / CLIENTS_PER_SOURCE))?;
        }
        let mut ask = |target: &str, token: Option<&str>, body: &str| {
            let request = http::json(address, &format!("POST {target}"), token, body);
            line.ask(&request).with_context(|| format!("client {number}"))
        };
        let name = format!(r#"{{"name":"Screen {number}"}}"#);
        let started = ask("/api/pairing", None, &name)?;
        let approve = format!("/api/pairing/{}/approve", text_of(&started, "userCode")?);
        ask(&approve, Some(admin), &format!(r#"{{"areaIds":["{area_id}"]}}"#))?;
        let code = format!(r#"{{"deviceCode":"{}"}}"#, text_of(&started, "deviceCode")?);
        tokens.push(text_of(&ask("/api/pairing/token", None, &code)?, "token")?);
    }
    Ok(Paired { admin: admin.to_owned(), area_id, clients: tokens.into() })
}

fn source(number: usize) -> Ipv4Addr {
    // Enough for `CLIENTS_MAX`.
    Ipv4Addr::new(127, 0, 0, 1 + (number % 250) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_addresses_enough() {
        let sources: std::collections::HashSet<Ipv4Addr> =
            (0..CLIENTS_MAX.div_ceil(CLIENTS_PER_SOURCE)).map(source).collect();
        assert_eq!(sources.len(), CLIENTS_MAX.div_ceil(CLIENTS_PER_SOURCE));
    }
}
