//! What a fault's code is on the wire: one table for HTTP and for WebSocket.
//!
//! | code | HTTP | close | come back? |
//! |---|---|---|---|
//! | `INVALID` | 422 | 1008 | not with the same request |
//! | `UNAUTHENTICATED` | 401 | 4401 | with a credential |
//! | `FORBIDDEN` | 403 | 4403 | with another credential |
//! | `NOT_FOUND` | 404 | 4404 | no |
//! | `CONFLICT` | 409 | 1008 | after looking again |
//! | `PRECONDITION_FAILED` | 412 | 1008 | after looking again |
//! | `RATE_LIMITED` | 429 | 4429 | after a while |
//! | `AUTHORIZATION_PENDING` | 400 | 1008 | after a while |
//! | `SLOW_DOWN` | 400 | 1008 | after a while |
//! | `ACCESS_DENIED` | 400 | 1008 | with another code |
//! | `EXPIRED_TOKEN` | 400 | 1008 | with another code |
//! | `OVERLOADED` | 503 | 1013 | after a while |
//! | `FULL` | 507 | 1013 | when there is room |
//! | `TIMEOUT` | 503 | 1013 | after a while |
//! | `INTERNAL` | 500 | 1011 | yes |

use axum::http::StatusCode;
use bellwire_services::kit::Code;

/// The status of a response that refuses.
pub fn status(code: Code) -> StatusCode {
    match code {
        Code::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Forbidden => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::Conflict => StatusCode::CONFLICT,
        Code::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        Code::AuthorizationPending | Code::SlowDown | Code::AccessDenied | Code::ExpiredToken => {
            StatusCode::BAD_REQUEST
        }
        Code::Overloaded | Code::Timeout => StatusCode::SERVICE_UNAVAILABLE,
        Code::Full => StatusCode::INSUFFICIENT_STORAGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The code and reason of a close frame (RFC 6455 section 7.4; 44xx are ours, after HTTP's).
pub fn close(code: Code) -> (u16, &'static str) {
    match code {
        Code::Invalid
        | Code::Conflict
        | Code::PreconditionFailed
        | Code::AuthorizationPending
        | Code::SlowDown
        | Code::AccessDenied
        | Code::ExpiredToken => (1008, "policy violation"),
        Code::Unauthenticated => (4401, "unauthenticated"),
        Code::Forbidden => (4403, "forbidden"),
        Code::NotFound => (4404, "not found"),
        Code::RateLimited => (4429, "too many"),
        Code::Overloaded | Code::Full | Code::Timeout => (1013, "try again later"),
        Code::Internal => (1011, "internal error"),
    }
}

/// The code by which clients of RFC 8628 (section 3.5) know a refusal, if it is one of theirs.
pub fn oauth_error(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::AuthorizationPending => "authorization_pending",
        Code::SlowDown => "slow_down",
        Code::AccessDenied => "access_denied",
        Code::ExpiredToken => "expired_token",
        _ => return None,
    })
}
