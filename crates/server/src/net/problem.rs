//! Errors over HTTP (RFC 9457).

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bellwire_services::kit::{Code, Fault};

use crate::faults;

/// A response that refuses: a stable code, and words for a person.
pub fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    with_error(status, code, detail, None)
}

/// The same with the member `error`, for clients of another standard.
fn with_error(status: StatusCode, code: &str, detail: &str, error: Option<&str>) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let mut body = serde_json::json!({ "title": title, "status": status.as_u16(), "code": code, "detail": detail });
    if let Some(error) = error {
        body["error"] = error.into();
    }
    let headers = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, Body::from(format!("{body}\n"))).into_response()
}

/// The answer where nothing is found.
pub fn nowhere() -> Response {
    problem(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing here")
}

/// What a fault is over HTTP. A fault of ours is logged, and not told.
pub fn of(fault: &Fault) -> Response {
    let detail = match fault.code {
        Code::Internal => {
            tracing::error!(cause = %fault, "a request failed");
            "a fault of ours; it was logged"
        }
        _ => &*fault.message,
    };
    let error = faults::oauth_error(fault.code);
    let mut response = with_error(faults::status(fault.code), fault.name(), detail, error);
    let headers = response.headers_mut();
    match fault.code {
        Code::Unauthenticated => {
            let challenge = HeaderValue::from_static("Bearer realm=\"bellwire\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        Code::Overloaded | Code::Timeout | Code::Full => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // What a service counts lasts for minutes, unless it is known to the second.
        Code::RateLimited => {
            headers.insert(header::RETRY_AFTER, fault.after_s.unwrap_or(60).into());
        }
        _ => {}
    }
    response
}

/// The answer to one who asks too often: when to try again, and why.
pub fn limited(retry_s: u64, why: &'static str) -> Response {
    of(&Fault::new(Code::RateLimited, why).after(retry_s))
}

/// The answer of a server that is shutting down.
pub fn draining() -> Response {
    let why = "the server is shutting down";
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "DRAINING", why);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_problem_has_the_finer_name_and_the_status_of_the_code() {
        let check = async |fault: Fault, status: u16, code: &str| {
            let response = of(&fault);
            assert_eq!(response.status().as_u16(), status);
            let body =
                axum::body::to_bytes(response.into_body(), 1_000).await.expect("it is short");
            let body: serde_json::Value = serde_json::from_slice(&body).expect("it is JSON");
            assert_eq!(body["code"], code);
        };
        check(Fault::new(Code::Invalid, "no"), 422, "INVALID").await;
        check(Fault::new(Code::Invalid, "no").named("INVALID_VALUE"), 422, "INVALID_VALUE").await;
        check(Fault::new(Code::NotFound, "no").named("UNKNOWN_SENSOR"), 404, "UNKNOWN_SENSOR")
            .await;
    }
}
