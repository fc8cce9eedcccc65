//! The bodies of requests over HTTP: so long, and no longer under way than that.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::problem::problem;

/// How long a body may take.
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a body is going to be, if its request says.
pub fn announced_len(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A body, if it is at most so long.
///
/// # Errors
/// The response that refuses it: 400 if it broke off, 408, 413.
pub async fn bytes(
    headers: &HeaderMap,
    body: Body,
    len_max: usize,
) -> Result<Bytes, Box<Response>> {
    let refuse = |status, code, why: &str| Err(Box::new(problem(status, code, why)));
    let too_large = || {
        let why = format!("a body has at most {len_max} bytes");
        refuse(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", &why)
    };
    if announced_len(headers).is_some_and(|len| len > len_max as u64) {
        return too_large();
    }
    match timeout(BODY_TIME_MAX, Limited::new(body, len_max).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => too_large(),
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "INVALID", "the body broke off"),
        Err(_) => {
            let why = "the body did not come within 10 s";
            refuse(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", why)
        }
    }
}
