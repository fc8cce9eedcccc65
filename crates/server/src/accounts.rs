//! The users that a server begins with: one admin, or the demo's.

use std::sync::Arc;

use anyhow::anyhow;
use bellwire_services::{
    identity::{self, Kind, Sample, UserRole},
    kit::{Code, Fault, Payload, Principal},
};
use serde_json::json;

use crate::{credentials::chance, door::Door};

/// The password of every sample user.
pub const SAMPLE_PASSWORD: &str = "demo";

/// The users of the documents' examples.
pub const SAMPLES: [Sample; 6] = [
    sample(900, "admin", "admin", UserRole::Admin, None),
    sample(1, "john_doe", "john_doe", UserRole::User, Some(Kind::Client)),
    // Neither: the document's examples talk to her as to a client, and comment on and rate her.
    sample(2, "jane", "jane", UserRole::User, None),
    sample(3, "sara_cleaner", "sara_cleaner", UserRole::User, Some(Kind::Houseworker)),
    sample(4, "mike_butler", "mike_butler", UserRole::User, Some(Kind::Houseworker)),
    // A namesake of user 1, who signs in by another name.
    sample(123, "john_doe_123", "john_doe", UserRole::User, Some(Kind::Client)),
];

const fn sample(
    user_id: i64,
    login: &'static str,
    username: &'static str,
    role: UserRole,
    kind: Option<Kind>,
) -> Sample {
    Sample { user_id, login, username, role, kind }
}

fn words(fault: Fault) -> anyhow::Error {
    anyhow!(fault.message.into_owned())
}

/// Makes the demo's users, those that are not there yet.
///
/// # Errors
/// The store's.
pub async fn add_samples(door: &Door) -> anyhow::Result<()> {
    let seed = chance();
    let salt = seed.first_chunk().expect("a seed has 32 bytes");
    let hash = identity::hash_sample(SAMPLE_PASSWORD, salt).map_err(words)?;
    let added = door.maintain(move |tx, now| {
        SAMPLES.iter().try_for_each(|sample| identity::add_sample(tx, now, sample, &hash))
    });
    added.await.map_err(words)
}

/// Makes an admin if there is none who can sign in, and gives the password, which nobody can tell again.
///
/// # Errors
/// The store's.
pub async fn first_admin(door: &Door) -> anyhow::Result<Option<String>> {
    if door.maintain(|tx, _| identity::has_admin(tx)).await.map_err(words)? {
        return Ok(None);
    }
    let password = new_password(&chance());
    let request = json!({ "username": "admin", "role": "admin", "password": password });
    let request: Payload = request.as_object().cloned().unwrap_or_default();
    let made = door.ask("users.create", request, Arc::new(Principal::operator())).await;
    match made {
        Ok(_) => Ok(Some(password)),
        Err(fault) if fault.code == Code::Conflict => {
            tracing::warn!(
                "no admin can sign in, and the login admin is somebody else's: make one with \
                 `bellwire user create NAME --role admin`"
            );
            Ok(None)
        }
        Err(fault) => Err(words(fault)),
    }
}

/// A password of 100 bits: five times four letters and digits, without those that look alike.
pub fn new_password(chance: &[u8; 32]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let letters = chance[..20].iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    let letters: Vec<char> = letters.collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn passwords_are_easy_to_type_and_hard_to_guess() {
        let passwords: HashSet<String> = (0..100).map(|_| new_password(&chance())).collect();
        assert_eq!(passwords.len(), 100);
        for password in passwords {
            assert_eq!(password.split('-').map(str::len).collect::<Vec<_>>(), [4; 5], "{password}");
        }
        assert_eq!(new_password(&[0; 32]), "aaaa-aaaa-aaaa-aaaa-aaaa");
        assert_eq!(new_password(&[255; 32]), "9999-9999-9999-9999-9999");
    }

    #[test]
    fn samples_are_told_apart() {
        let ids: HashSet<i64> = SAMPLES.iter().map(|sample| sample.user_id).collect();
        let logins: HashSet<&str> = SAMPLES.iter().map(|sample| sample.login).collect();
        assert_eq!((ids.len(), logins.len()), (SAMPLES.len(), SAMPLES.len()));
    }
}
