//! Fills a server with states through many pipelining callers.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::dialect::{Dialect, Operation};
use crate::endpoint::Endpoint;
use crate::fleet::Fleet;
use crate::frame;

/// Callers, and commands that each has on the way: far below what a server accepts of one
/// connection (64), enough to fill its batches.
const CALLERS: usize = 64;
const ON_THE_WAY: u64 = 16;
/// How long no answer at all may come.
const SILENCE_LIMIT: Duration = Duration::from_secs(15);

/// Creates `states` states, each of an entity of its own, and returns when all are durable.
pub fn fill(endpoint: &Endpoint, states: u64) -> Result<()> {
    let mut fleet = Fleet::new()?;
    for _ in 0..CALLERS {
        endpoint.join_writer(&mut fleet)?;
    }
    let mut asked = 0;
    let mut answered = 0;
    // What each caller may ask now.
    let mut credit = vec![ON_THE_WAY; CALLERS];
    let mut last_answer = Instant::now();
    while answered < states {
        for (caller, credit) in credit.iter_mut().enumerate() {
            let count = std::mem::take(credit).min(states - asked);
            if count > 0 {
                fleet.send(caller, &creates(asked..asked + count))?;
                asked += count;
            }
        }
        let before = answered;
        fleet.pump(SILENCE_LIMIT, |heard| {
            if Dialect::Plain.is_reply(heard.text, Operation::Create)? {
                credit[heard.index] += 1;
                answered += 1;
            }
            Ok(())
        })?;
        if answered > before {
            last_answer = Instant::now();
        }
        ensure!(
            last_answer.elapsed() < SILENCE_LIMIT,
            "the server stopped answering after {answered} of {states} states"
        );
    }
    Ok(())
}

fn creates(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let mut frames = Vec::new();
    for number in numbers {
        let create = Dialect::Plain.create(&format!("sensor.fill_{number:07}"), number);
        frames.extend(frame::encode_client(frame::TEXT, create.as_bytes()));
    }
    frames
}
