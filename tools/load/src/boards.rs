//! Boards with a sensor each, made over REST as an admin makes them, and what the server measures.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};

use crate::http::{self, number_of, text_of};
use crate::interrupt;
use crate::opening::Line;

/// A device and its one sensor.
#[derive(Clone, Debug)]
pub struct Board {
    /// The device's number.
    pub device_id: u64,
    /// The sensor's number.
    pub sensor_id: u64,
    /// What the device shows.
    pub token: String,
}

impl Board {
    /// The stream on which a board posts, and hears of itself.
    pub fn path(&self) -> String {
        format!("/ws/device/{}/", self.device_id)
    }
}

/// Makes so many boards.
pub fn make(address: SocketAddr, admin: &str, count: usize) -> Result<Vec<Board>> {
    let mut line = line(address)?;
    let mut boards = Vec::with_capacity(count);
    for number in 0..count {
        interrupt::check()?;
        let mut post = |path: &str, body: &str| {
            let request = http::json(address, &format!("POST {path}"), Some(admin), body);
            line.ask(&request).with_context(|| format!("board {number}, {path}"))
        };
        let made = post("/api/devices", &format!(r#"{{"name":"Board {number}"}}"#))?;
        let device_id = number_of(&made, "id")?;
        let sensor = r#""sensor_type":"temperature","unit":"celsius""#;
        let made = post("/api/sensors", &format!(r#"{{"device_id":{device_id},{sensor}}}"#))?;
        let sensor_id = number_of(&made, "id")?;
        let token = format!(r#"{{"role":"device","subject":"{device_id}"}}"#);
        let token = text_of(&post("/api/tokens", &token)?, "token")?;
        boards.push(Board { device_id, sensor_id, token });
    }
    Ok(boards)
}

/// A connection for one request after another.
pub fn line(address: SocketAddr) -> Result<Line> {
    Line::dial(address, Ipv4Addr::LOCALHOST)
}

/// How many transactions a server has committed.
pub fn commits(address: SocketAddr) -> Result<u64> {
    const COUNTED: &str = "\nbellwire_batch_commands_size_count ";
    // Each time anew: a server ends a connection on which nothing happens.
    let metrics = line(address)?.ask(&http::get(address, "/metrics"))?;
    let metrics = String::from_utf8_lossy(&metrics);
    let Some((_, count)) = metrics.split_once(COUNTED) else { return Ok(0) };
    let count = count.lines().next().unwrap_or_default();
    count.parse().with_context(|| format!("not a count of commits: {count:?}"))
}
