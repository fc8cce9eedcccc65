//! The marketplace: who offers help, what people say of them, and how they rate them.
//!
//! - A target is a user who exists, is not shut out, and is not of kind client. Lists show those of kind houseworker.
//!   Nobody comments on or rates themselves.
//! - A comment is told to whom it is about, and stays. A client that made it over HTTP and tells the same over a socket
//!   names it by its id: that is no second one. An id that is not the caller's own means nothing.
//! - Of each user a houseworker has one rating, the newest. Over a socket the same one again within
//!   `decide::SAME_RATING_MICROS` changes nothing, and nobody is told.
//! - Names, dates, ids and notifications are the server's, whatever a client sends.
//! - How many comments and ratings a houseworker has is counted as they come and go, so that nobody has to count.
//! - Who is deleted takes along what they said and what was said of them ([`forget_user`]).
//!
//! Not here: who is online, and whom a caller speaks for; that is the business of chat.

mod contract;
mod decide;
mod forget;
mod read;
mod sql;
#[cfg(test)]
mod tests;

pub(super) use forget::{forget_user, go_on};
pub(super) use sql::STATEMENTS;

use crate::kit::{Access, Route, Service, Spelling};

/// What a houseworker is told of a comment, with its notification.
const COMMENT_NOTIFY: &str = "privateCommentNotify";
/// What a list of comments is told.
const COMMENT_CHANGE: &str = "newCommentChange";
/// What a houseworker is told of a rating; their id stands behind it.
const RATING_NOTIFY: &str = "privateRatingNotify-";
/// What is due for who was deleted and had said much.
const FORGET: &str = "chat.forget_market";

/// All times are microseconds since 1970.
///
/// - `ratings.rating_id`: counts up with each rating that is given, a newer one of the same user included: lists go by
///   it.
/// - `houseworker_totals`: what there is of comments and ratings. Comments up to `read_upto` were seen by whom they are
///   about.
pub(super) const MIGRATION: &str = "
    CREATE TABLE comments (
        comment_id INTEGER PRIMARY KEY,
        houseworker_id INTEGER NOT NULL,
        author_id INTEGER NOT NULL,
        comment TEXT NOT NULL,
        at INTEGER NOT NULL
    );
    CREATE INDEX comments_of_houseworker ON comments (houseworker_id, comment_id);
    CREATE INDEX comments_of_author ON comments (author_id, comment_id);
    CREATE TABLE ratings (
        houseworker_id INTEGER NOT NULL,
        client_id INTEGER NOT NULL,
        rating_id INTEGER NOT NULL,
        rating INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (houseworker_id, client_id)
    );
    CREATE UNIQUE INDEX ratings_of_houseworker ON ratings (houseworker_id, rating_id);
    CREATE INDEX ratings_of_client ON ratings (client_id, rating_id);
    CREATE TABLE houseworker_totals (
        houseworker_id INTEGER PRIMARY KEY,
        comments INTEGER NOT NULL,
        ratings INTEGER NOT NULL,
        ratings_sum INTEGER NOT NULL,
        read_upto INTEGER NOT NULL
    );
";

/// Adds what the marketplace offers.
pub(super) fn calls(service: Service) -> Service {
    service
        .command("commentNotification", Access::Caller, decide::comment_notification)
        .command("ratingNotification", Access::Caller, decide::rating_notification)
        .command("houseworkers.comment", Access::Caller, decide::comment)
        .command("houseworkers.rate", Access::Caller, decide::rate)
        .command("houseworkers.read_comments", Access::Caller, decide::read_comments)
        .query("houseworkers.list", Access::Caller, read::houseworkers)
        .query("houseworkers.get", Access::Caller, read::one_houseworker)
        .query("houseworkers.comments", Access::Caller, read::comments)
        .query("houseworkers.ratings", Access::Caller, read::ratings)
        .rest("houseworkers.list", Route::get("/api/houseworkers?limit:int&cursor"))
        .rest("houseworkers.get", Route::get("/api/houseworkers/{houseworkerID}"))
        .rest(
            "houseworkers.comments",
            Route::get("/api/houseworkers/{houseworkerID}/comments?limit:int&cursor"),
        )
        .rest("houseworkers.comment", Route::post("/api/houseworkers/{houseworkerID}/comments"))
        .rest(
            "houseworkers.read_comments",
            Route::post("/api/houseworkers/{houseworkerID}/comments/read").status(200),
        )
        .rest(
            "houseworkers.ratings",
            Route::get("/api/houseworkers/{houseworkerID}/ratings?limit:int&cursor"),
        )
        .rest("houseworkers.rate", Route::post("/api/houseworkers/{houseworkerID}/ratings"))
        .event::<contract::PrivateCommentNotify>(COMMENT_NOTIFY, Spelling::Spread)
        .event::<contract::Comment>(COMMENT_CHANGE, Spelling::Spread)
        .means("Somebody said something of this houseworker, as a list of comments shows it.")
        .event::<contract::PrivateRatingNotify>(RATING_NOTIFY, Spelling::Spread)
        .due(FORGET, go_on)
}
