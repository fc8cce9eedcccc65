//! Requests, replies and what is told, with the keys that the document's clients know: `houseworkerID`.

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    chat::{contract::Text, news::Notified},
    identity::UserId,
    kit::{Micros, Paging},
    notifications::Date,
};

/// What a rating may be.
pub const RATING: std::ops::RangeInclusive<i64> = 1..=5;

/// A rating: a whole number as [`RATING`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Stars(#[schemars(range(min = *RATING.start(), max = *RATING.end()))] pub(super) i64);

impl<'de> Deserialize<'de> for Stars {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let rating = i64::deserialize(from)?;
        let (least, most) = (RATING.start(), RATING.end());
        let words = || format!("a whole number from {least} to {most}");
        RATING.contains(&rating).then_some(Stars(rating)).ok_or_else(|| D::Error::custom(words()))
    }
}

/// `commentNotification`: tells of a comment. What else its objects hold is not believed.
#[derive(Debug, Clone, Deserialize)]
pub struct CommentNotification {
    /// The comment.
    #[serde(rename = "newComment")]
    pub new_comment: NewComment,
}

/// A comment as a client tells of it.
#[derive(Debug, Clone, Deserialize)]
pub struct NewComment {
    /// Its id, if the caller made it over HTTP before.
    #[serde(rename = "commentID", default)]
    pub comment_id: Option<i64>,
    /// What it says.
    pub comment: Text,
    /// Whom it is about.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
}

/// `houseworkers.comment`: says something of a houseworker.
#[derive(Debug, Clone, Deserialize)]
pub struct AddComment {
    /// Whom it is about.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
    /// What it says.
    pub comment: Text,
}

/// `ratingNotification`, and `houseworkers.rate`: rates a houseworker.
#[derive(Debug, Clone, Deserialize)]
pub struct Rate {
    /// How good they are.
    pub rating: Stars,
    /// Whom it is about.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
}

/// Asks for houseworkers, by id.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ListHouseworkers {
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// One houseworker.
#[derive(Debug, Clone, Deserialize)]
pub struct OneHouseworker {
    /// Who.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
}

/// Asks for what was said of a houseworker, the newest first.
#[derive(Debug, Clone, Deserialize)]
pub struct ListOfHouseworker {
    /// Who.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// Who offers help.
#[derive(Debug, Clone, Serialize)]
pub struct Houseworker {
    /// Their id.
    #[serde(rename = "userID")]
    pub user_id: UserId,
    /// The name that others see.
    pub username: String,
    /// The mean of their ratings, to two decimals; `null` while there is none.
    pub rating: Option<f64>,
    /// How many users have rated them.
    pub ratings: i64,
    /// How many comments there are.
    pub comments: i64,
    /// Whether they are online.
    pub online: bool,
}

/// What somebody said of a houseworker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "HouseworkerComment")]
pub struct Comment {
    /// Its id.
    #[serde(rename = "commentID")]
    pub comment_id: i64,
    /// What it says.
    pub comment: String,
    /// The name of who said it.
    pub from: String,
    /// Whom it is about.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
    /// The day, `DD.MM.YYYY`.
    pub date: String,
    /// Whether whom it is about has seen it.
    pub read: bool,
}

/// How somebody rated a houseworker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rating {
    /// The name of who did.
    pub client: String,
    /// How good they are, as [`RATING`] has it.
    pub rating: i64,
    /// Whom it is about.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
    /// The day, `DD.MM.YYYY`.
    pub date: String,
}

/// Somebody said something of this houseworker.
#[derive(Serialize, JsonSchema)]
pub(super) struct PrivateCommentNotify<'a> {
    /// What they said.
    #[serde(rename = "newComment")]
    pub new_comment: &'a Comment,
    /// What stands in the houseworker's inbox.
    #[serde(rename = "notificationObj")]
    pub notification: &'a Notified<'a>,
}

/// Somebody rated this houseworker.
#[derive(Serialize, JsonSchema)]
pub(super) struct PrivateRatingNotify<'a> {
    /// The name of who did.
    pub client: &'a str,
    /// The name of the houseworker.
    pub houseworker: &'a str,
    /// How good they are.
    pub rating: Stars,
    /// The houseworker.
    #[serde(rename = "houseworkerID")]
    pub houseworker_id: UserId,
    /// What stands in their inbox.
    pub notification: &'a Notified<'a>,
}

/// `DD.MM.YYYY`: the day of this moment there.
pub(super) fn day(at: Micros, zone: &TimeZone) -> String {
    let Date { day, month, year, .. } = Date::in_zone(at, zone);
    format!("{day:02}.{month:02}.{year:04}")
}
