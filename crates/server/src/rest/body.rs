//! Bodies of requests: one JSON object, or nothing; where a route says so, also a list.

use axum::{
    body::Body,
    http::{StatusCode, header, request::Parts},
    response::Response,
};
use bellwire_services::kit::{Fault, Payload};
use bellwire_wire::json::{self, Malformed};
use serde::de::IgnoredAny;

use crate::net::{
    body::bytes,
    problem::{self, problem},
};

/// The longest body, in bytes: as long as a message.
pub const BODY_LEN_MAX: usize = 64 << 10;

/// The fields of a body. An empty one has none; one that is a list is the field `listed`, if there is such.
///
/// # Errors
/// The response that refuses it: 408, 413, 415, 400, and what `unheld` says of a field whose number nothing can hold.
pub async fn read(
    parts: &Parts,
    body: Body,
    listed: Option<&str>,
    unheld: impl FnOnce(&str) -> Fault,
) -> Result<Payload, Box<Response>> {
    let refuse = |status, code, why: &str| Err(Box::new(problem(status, code, why)));
    let bytes = bytes(&parts.headers, body, BODY_LEN_MAX).await?;
    if bytes.is_empty() {
        return Ok(Payload::new());
    }
    if !is_json(parts) {
        let why = "a body is application/json, and not compressed";
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", why);
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return refuse(StatusCode::BAD_REQUEST, "INVALID_JSON", "the body is not UTF-8");
    };
    let list = listed.filter(|_| is_list(text)).map(|field| format!(r#"{{"{field}":{text}}}"#));
    match json::object(list.as_deref().unwrap_or(text)) {
        Ok(payload) => Ok(payload),
        Err(Malformed::Syntax(why)) => refuse(StatusCode::BAD_REQUEST, "INVALID_JSON", &why),
        Err(Malformed::Number { field, .. }) => Err(Box::new(problem::of(&unheld(&field)))),
    }
}

/// Whether a text is one JSON array, and nothing behind it.
fn is_list(text: &str) -> bool {
    text.trim_ascii_start().starts_with('[') && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether the body is announced as JSON in UTF-8, as it is.
fn is_json(parts: &Parts) -> bool {
    let mut types = parts.headers.get_all(header::CONTENT_TYPE).iter();
    let Some(Ok(media_type)) = types.next().map(|media_type| media_type.to_str()) else {
        return false;
    };
    let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let essence = essence.trim().to_ascii_lowercase();
    let charset = parameters.to_ascii_lowercase().replace([' ', '"'], "");
    types.next().is_none()
        && (essence == "application/json"
            || (essence.starts_with("application/") && essence.ends_with("+json")))
        && (!charset.contains("charset=") || charset.contains("charset=utf-8"))
        && parts.headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity")
}
