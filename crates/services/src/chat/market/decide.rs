//! Decisions about comments and ratings.

use std::borrow::Cow;

use bellwire_store::tx::Value;
use serde::Serialize;

use super::{
    COMMENT_CHANGE, COMMENT_NOTIFY, RATING_NOTIFY,
    contract::{
        AddComment, Comment, CommentNotification, OneHouseworker, PrivateCommentNotify,
        PrivateRatingNotify, Rate, Rating, Stars, day,
    },
    read, sql,
};
use crate::{
    chat::{
        contract::{Done, Unread},
        find,
        news::{News, Note},
        rights,
    },
    identity::{User, UserId},
    kit::{Code, Ctx, Fault, Micros, Outcome, Tx},
};

/// How long the same rating, told of over a socket, is the one that was given.
pub const SAME_RATING_MICROS: Micros = 60 * 1_000_000;

/// `commentNotification`: a comment of the caller's own that is there already is not made again.
pub fn comment_notification(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &CommentNotification,
) -> Result<Outcome<Done>, Fault> {
    let new = &cmd.new_comment;
    let (author, houseworker) = pair(tx, ctx, new.houseworker_id)?;
    if let Some(comment_id) = new.comment_id {
        let place = [Value::Integer(comment_id), Value::Integer(author.user_id.0)];
        let own = tx.one(sql::OWN_COMMENT, &place, |row| {
            row.integer(0) == houseworker.user_id.0 && row.text_ref(1) == new.comment.as_str()
        })?;
        if own == Some(true) {
            return Ok(Outcome::reply(Done::DONE));
        }
    }
    Ok(comment_on(tx, ctx, &author, &houseworker, new.comment.as_str())?.map(|_| Done::DONE))
}

/// `houseworkers.comment`.
pub fn comment(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &AddComment,
) -> Result<Outcome<Comment>, Fault> {
    let (author, houseworker) = pair(tx, ctx, cmd.houseworker_id)?;
    comment_on(tx, ctx, &author, &houseworker, cmd.comment.as_str())
}

/// Who calls, and whom they speak of.
///
/// # Errors
/// [`Code::Invalid`] if they are the same; as [`find::caller`] and [`read::target`].
fn pair(tx: &Tx<'_>, ctx: &Ctx<'_>, houseworker_id: UserId) -> Result<(User, User), Fault> {
    let caller = find::caller(tx, ctx)?;
    if caller.user_id == houseworker_id {
        let why = "nobody comments on or rates themselves";
        return Err(Fault::new(Code::Invalid, why));
    }
    Ok((caller, read::target(tx, houseworker_id)?))
}

fn comment_on(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    author: &User,
    houseworker: &User,
    words: &str,
) -> Result<Outcome<Comment>, Fault> {
    let comment = Comment {
        comment_id: tx.next_id("comments")?,
        comment: words.to_owned(),
        from: author.username.clone(),
        houseworker_id: houseworker.user_id,
        date: day(ctx.now, &ctx.settings.time_zone),
        read: false,
    };
    let row = [
        Value::Integer(comment.comment_id),
        Value::Integer(houseworker.user_id.0),
        Value::Integer(author.user_id.0),
        Value::Text(words),
        Value::Integer(ctx.now),
    ];
    tx.execute(sql::INSERT_COMMENT, &row)?;
    count(tx, houseworker.user_id, 1, 0, 0)?;
    let message = format!("You've got comment from {}", author.username);
    let note = Note::of_market(author, "New comment", &message);
    let notification = note.write(tx, ctx, houseworker.user_id)?;
    let mut news = News::default();
    let told = PrivateCommentNotify { new_comment: &comment, notification: &notification };
    tell(&mut news, COMMENT_NOTIFY, houseworker, &told);
    tell(&mut news, COMMENT_CHANGE, houseworker, &comment);
    news.tell_inboxes(ctx, &[houseworker.user_id], &note);
    Ok(news.with(comment))
}

/// Counts what came of comments, ratings and their sum.
fn count(
    tx: &mut Tx<'_>,
    houseworker_id: UserId,
    comments: i64,
    ratings: i64,
    sum: i64,
) -> Result<(), Fault> {
    let more = [houseworker_id.0, comments, ratings, sum].map(Value::Integer);
    tx.execute(sql::MORE, &more).map(drop)
}

/// Tells a houseworker something in their personal room.
fn tell(news: &mut News, name: impl Into<Cow<'static, str>>, to: &User, payload: &impl Serialize) {
    news.tell(name, to.user_id.0.to_string(), vec![rights::person(to.user_id)], payload);
}

/// `ratingNotification`: the same rating that was given just now is not given again.
pub fn rating_notification(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &Rate,
) -> Result<Outcome<Done>, Fault> {
    let (client, houseworker) = pair(tx, ctx, cmd.houseworker_id)?;
    let before = rating_of(tx, &client, &houseworker)?;
    let is_same = |&(rating, at): &(i64, Micros)| {
        rating == cmd.rating.0 && ctx.now.saturating_sub(at) < SAME_RATING_MICROS
    };
    if before.as_ref().is_some_and(is_same) {
        return Ok(Outcome::reply(Done::DONE));
    }
    Ok(rate_as(tx, ctx, &client, &houseworker, cmd.rating, before)?.map(|_| Done::DONE))
}

/// `houseworkers.rate`.
pub fn rate(tx: &mut Tx<'_>, ctx: &Ctx<'_>, cmd: &Rate) -> Result<Outcome<Rating>, Fault> {
    let (client, houseworker) = pair(tx, ctx, cmd.houseworker_id)?;
    let before = rating_of(tx, &client, &houseworker)?;
    rate_as(tx, ctx, &client, &houseworker, cmd.rating, before)
}

/// How a client has rated a houseworker, and when.
fn rating_of(
    tx: &Tx<'_>,
    client: &User,
    houseworker: &User,
) -> Result<Option<(i64, Micros)>, Fault> {
    let pair = [houseworker, client].map(|user| Value::Integer(user.user_id.0));
    tx.one(sql::RATING, &pair, |row| (row.integer(0), row.integer(1)))
}

fn rate_as(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    client: &User,
    houseworker: &User,
    rating: Stars,
    before: Option<(i64, Micros)>,
) -> Result<Outcome<Rating>, Fault> {
    let row = [houseworker.user_id.0, client.user_id.0, tx.next_id("ratings")?, rating.0, ctx.now];
    tx.execute(sql::RATE, &row.map(Value::Integer))?;
    let (more, sum) = before.map_or((1, rating.0), |(old, _)| (0, rating.0 - old));
    count(tx, houseworker.user_id, 0, more, sum)?;
    let message = format!("The user {} has rated you with {}", client.username, rating.0);
    let note = Note::of_market(client, "New rating", &message);
    let notification = note.write(tx, ctx, houseworker.user_id)?;
    let mut news = News::default();
    let told = PrivateRatingNotify {
        client: &client.username,
        houseworker: &houseworker.username,
        rating,
        houseworker_id: houseworker.user_id,
        notification: &notification,
    };
    tell(&mut news, format!("{RATING_NOTIFY}{}", houseworker.user_id.0), houseworker, &told);
    news.tell_inboxes(ctx, &[houseworker.user_id], &note);
    Ok(news.with(Rating {
        client: client.username.clone(),
        rating: rating.0,
        houseworker_id: houseworker.user_id,
        date: day(ctx.now, &ctx.settings.time_zone),
    }))
}

/// `houseworkers.read_comments`: notes that the caller has seen all comments on them.
pub fn read_comments(
    tx: &mut Tx<'_>,
    ctx: &Ctx<'_>,
    cmd: &OneHouseworker,
) -> Result<Outcome<Unread>, Fault> {
    if rights::require_caller_id(ctx.principal)? != cmd.houseworker_id {
        let why = "only whom comments are about notes that they were read";
        return Err(Fault::new(Code::Forbidden, why));
    }
    tx.execute(sql::READ_ALL, &[Value::Integer(cmd.houseworker_id.0)])?;
    Ok(Outcome::reply(Unread { unread: 0 }))
}
