//! What a client shows to say who it is.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bellwire_services::{
    areas::pairing,
    kit::{Claims, Code, Payload, Principal},
};
use serde_json::Value;

use super::house::{House, nobody};
use crate::{
    net::caller::{COOKIE, From, Rules, Shown},
    opening::{self, Credential},
};

pub(super) static HOUSE: LazyLock<House> = LazyLock::new(|| House::new("token"));

/// The first line says how it is shown: `bearer`, `authorization`, `cookie`, `cookies`, `query`, `ticket`, `device` or
/// `code`. What follows is shown. In it `$user`, `$admin` and so on stand for tokens of these, `$user.0` to `$user.2`
/// for their parts, `$ticket`, `$device_code`, `$user_code` for those; what is between two `~` is written as base64.
///
/// - Nothing is accepted but what was signed or made here, byte for byte, for what it was made.
/// - It says who it was made for.
/// - A pairing code may be written in small letters, and with what people put between letters.
pub fn token(data: &[u8]) {
    let (how, shown) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (&data[..0], data),
    };
    let shown = encoded(&filled(shown));
    match how {
        b"device" => device(&shown),
        b"code" => code(&shown),
        _ => head(how, &shown),
    }
    // However it came, the keys have the last word.
    if let Ok(text) = std::str::from_utf8(&shown) {
        let (door, now) = (&HOUSE.door, HOUSE.door.clock.now());
        verified(text, door.keyring.verify(text, now));
        let ticket = door.keyring.verify_ticket(text, now);
        assert_eq!(ticket.is_some(), text == HOUSE.ticket, "a ticket: {text:?}");
    }
}

/// What a token says who was let in by it, and that it was signed here.
fn verified(text: &str, claims: Option<Claims>) {
    let own = HOUSE.bearers.iter().find(|(.., token)| !token.is_empty() && token == text);
    assert_eq!(claims.is_some(), own.is_some(), "{text:?}");
    if let (Some(claims), Some((who, principal, _))) = (claims, own) {
        assert_eq!(claims.role, principal.role.name(), "{who}");
    }
}

/// What stands for something known, replaced by that.
fn filled(shown: &[u8]) -> Vec<u8> {
    static NAMES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
        let mut names = HashMap::new();
        for (who, _, token) in HOUSE.bearers.iter().filter(|(.., token)| !token.is_empty()) {
            names.insert((*who).to_owned(), token.clone());
            for (number, part) in token.split('.').enumerate() {
                names.insert(format!("{who}.{number}"), part.to_owned());
            }
        }
        for (name, secret) in [
            ("ticket", &HOUSE.ticket),
            ("device_code", &HOUSE.device_code),
            ("user_code", &HOUSE.user_code),
        ] {
            names.insert(name.to_owned(), secret.clone());
        }
        names
    });
    let mut out = Vec::new();
    let mut pieces = shown.split(|byte| *byte == b'$');
    out.extend_from_slice(pieces.next().unwrap_or_default());
    for piece in pieces {
        let is_name =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._".contains(byte);
        let most = piece.iter().take_while(|byte| is_name(byte)).count();
        let known = (1..=most).rev().find_map(|len| {
            let name = std::str::from_utf8(&piece[..len]).ok()?;
            Some((len, NAMES.get(name)?))
        });
        match known {
            Some((len, text)) => {
                out.extend_from_slice(text.as_bytes());
                out.extend_from_slice(&piece[len..]);
            }
            None => out.extend([b"$", piece].concat()),
        }
    }
    out
}

/// Every second piece between `~`, in base64.
fn encoded(shown: &[u8]) -> Vec<u8> {
    let pieces = shown.split(|byte| *byte == b'~').enumerate();
    let pieces = pieces.map(|(number, piece)| match number % 2 {
        0 => piece.to_vec(),
        _ => URL_SAFE_NO_PAD.encode(piece).into_bytes(),
    });
    pieces.collect::<Vec<_>>().concat()
}

/// In the head of a request.
fn head(how: &[u8], shown: &[u8]) {
    let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("home:8080"))]);
    let mut uri = Uri::from_static("/api/states");
    let in_query = |name: &str| {
        let text = std::str::from_utf8(shown).ok()?;
        format!("/api/states?{name}={text}").parse::<Uri>().ok()
    };
    let mut add = |name, begin: &str| {
        let value = HeaderValue::from_bytes(&[begin.as_bytes(), shown].concat());
        value.map(|value| headers.insert(name, value)).is_ok()
    };
    let is_request = match how {
        b"bearer" => add(header::AUTHORIZATION, "Bearer "),
        b"authorization" => add(header::AUTHORIZATION, ""),
        b"cookie" => add(header::COOKIE, &format!("{COOKIE}=")),
        b"cookies" => add(header::COOKIE, ""),
        b"query" | b"ticket" => {
            let name = if how == b"query" { "token" } else { "ticket" };
            in_query(name).map(|parsed| uri = parsed).is_some()
        }
        _ => false,
    };
    if !is_request {
        return;
    }
    let from = From { address: IpAddr::from([192, 0, 2, 1]), tls: false };
    let now = HOUSE.door.clock.now();
    let rules = Rules::default();
    match rules.shown(&HOUSE.door.keyring, now, from, (&Method::GET, &uri, &headers)) {
        Shown::Token { claims, by_cookie } => {
            assert_eq!(by_cookie, how.starts_with(b"cookie"), "{}", shown.escape_ascii());
            let is_there = |token: &String| {
                !token.is_empty() && shown.windows(token.len()).any(|at| at == token.as_bytes())
            };
            let own = HOUSE.bearers.iter().filter(|(.., token)| is_there(token));
            let is_own = |role| role == claims.role;
            let mut roles = own.map(|(_, principal, _)| principal.role.name());
            assert!(roles.any(is_own), "{} is accepted", shown.escape_ascii());
            if matches!(how, b"bearer") {
                let text = std::str::from_utf8(shown).expect("a token is text");
                verified(text.trim_start(), Some(claims));
            }
        }
        Shown::Ticket(ticket) => {
            let is_good = HOUSE.door.keyring.verify_ticket(ticket, now).is_some();
            assert_eq!(is_good, ticket == HOUSE.ticket, "{ticket:?}");
        }
        Shown::Nothing => {
            assert!(how.starts_with(b"cookie") || how == b"ticket" || how == b"query")
        }
        Shown::Bad { .. } | Shown::Foreign => {}
    }
}

/// As the device code of a screen that waits.
fn device(shown: &[u8]) {
    let Ok(text) = std::str::from_utf8(shown) else { return };
    let is_own = text == HOUSE.device_code;
    if is_own && !HOUSE.is_screen_waiting() {
        return;
    }
    let credential = Credential::DeviceCode { digest: pairing::digest(text) };
    let now = HOUSE.door.clock.now();
    let is_let_in = HOUSE.inside(move |tx| match opening::caller(tx, &credential, now) {
        Ok(_) => true,
        Err(fault) => {
            assert_eq!(fault.code, Code::ExpiredToken, "{fault}");
            false
        }
    });
    assert_eq!(is_let_in, is_own, "{text:?}");
    let fields = Payload::from_iter([("deviceCode".to_owned(), Value::from(text))]);
    let code = asked("pairing.token", fields, nobody());
    let expected = if is_own { Code::AuthorizationPending } else { Code::ExpiredToken };
    assert!(matches!(code, Some(code) if code == expected || code == Code::Invalid), "{code:?}");
}

/// As the code that a screen shows, typed in by an admin.
fn code(shown: &[u8]) {
    let Ok(text) = std::str::from_utf8(shown) else { return };
    let letters = |text: &str| -> String {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase()
    };
    let is_own = letters(text) == letters(&HOUSE.user_code);
    if is_own && !HOUSE.is_screen_waiting() {
        return;
    }
    let fields = Payload::from_iter([("userCode".to_owned(), Value::from(text))]);
    let code = asked("pairing.approve", fields.clone(), HOUSE.bearer("admin"));
    assert!(code.is_some() || is_own, "{text:?} is accepted");
    assert!(text != HOUSE.user_code || code.is_none(), "{code:?}");
    let refused = asked("pairing.approve", fields, HOUSE.bearer("user"));
    assert_eq!(refused, Some(Code::Forbidden), "only admins approve");
}

/// Why a call is refused, if it is.
fn asked(name: &str, fields: Payload, who: Arc<Principal>) -> Option<Code> {
    let run = HOUSE.door.rehearse(name, fields, who, None);
    let mut run = match run {
        Ok(run) => run,
        Err(fault) => return Some(fault.code),
    };
    HOUSE.inside(move |tx| match run(tx) {
        Ok(outcome) => outcome.reply.refusal.map(|fault| fault.code),
        Err(fault) => Some(fault.code),
    })
}
