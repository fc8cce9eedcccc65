//! Passwords: hashed with Argon2id (RFC 9106), 19 MiB and two passes, as OWASP's password storage cheat
//! sheet has it.

use argon2::{
    Argon2, PasswordVerifier as _,
    password_hash::{PasswordHasher as _, phc::PasswordHash},
};

use crate::kit::{Code, Fault};

/// The hash of a password, as text with its salt and parameters (the PHC string format).
///
/// # Errors
/// [`Code::Internal`], if the hash cannot be made.
pub fn hash(password: &str, salt: &[u8; 16]) -> Result<String, Fault> {
    Argon2::default()
        .hash_password_with_salt(password.as_bytes(), salt)
        .map(|hash: PasswordHash| hash.to_string())
        .map_err(|error| Fault::new(Code::Internal, format!("a password was not hashed: {error}")))
}

/// Whether this is the password behind a hash.
pub fn is_right(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// What is compared with when there is no such user: so that this takes as long, and nobody learns which
/// names there are.
pub const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZSBzYWx0IG9yIG90aGVy$\
                          MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let one = hash("correct horse", &[1; 16]).expect("it is hashed");
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert!(is_right("correct horse", &one));
        for wrong in ["", "correct horse ", "Correct horse", "battery staple"] {
            assert!(!is_right(wrong, &one), "{wrong:?}");
        }
        let other = hash("correct horse", &[2; 16]).expect("it is hashed");
        assert_ne!(one, other);
        for nothing in ["", "plain", NOBODY] {
            assert!(!is_right("correct horse", nothing), "{nothing}");
        }
        assert!(PasswordHash::new(NOBODY).is_ok(), "or it would take no time");
    }
}
