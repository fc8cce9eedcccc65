//! The statements of the marketplace.

use bellwire_store::statements;

statements! {
    /// A new comment.
    INSERT_COMMENT = "INSERT INTO comments (comment_id, houseworker_id, author_id, comment, at)
                      VALUES ($1, $2, $3, $4, $5)";
    /// A comment of this author.
    OWN_COMMENT = "SELECT houseworker_id, comment FROM comments WHERE comment_id = $1 AND author_id = $2";
    /// Lists the comments on a houseworker from before this one, the newest first.
    COMMENTS = "SELECT comment_id, comment, author_id, at FROM comments
                WHERE houseworker_id = $1 AND comment_id < $2 ORDER BY comment_id DESC LIMIT $3";
    /// The rating of a pair.
    RATING = "SELECT rating, at FROM ratings WHERE houseworker_id = $1 AND client_id = $2";
    /// Sets the rating of a pair.
    RATE = "INSERT INTO ratings (houseworker_id, client_id, rating_id, rating, at) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (houseworker_id, client_id) DO UPDATE
            SET rating_id = excluded.rating_id, rating = excluded.rating, at = excluded.at";
    /// Lists the ratings of a houseworker from before this one, the newest first.
    RATINGS = "SELECT rating_id, rating, client_id, at FROM ratings
               WHERE houseworker_id = $1 AND rating_id < $2 ORDER BY rating_id DESC LIMIT $3";
    /// What there is of a houseworker.
    TOTALS = "SELECT comments, ratings, ratings_sum, read_upto FROM houseworker_totals WHERE houseworker_id = $1";
    /// Counts what comes.
    MORE = "INSERT INTO houseworker_totals (houseworker_id, comments, ratings, ratings_sum, read_upto)
            VALUES ($1, $2, $3, $4, 0)
            ON CONFLICT (houseworker_id) DO UPDATE
            SET comments = houseworker_totals.comments + excluded.comments,
                ratings = houseworker_totals.ratings + excluded.ratings,
                ratings_sum = houseworker_totals.ratings_sum + excluded.ratings_sum";
    /// Counts what goes.
    LESS = "UPDATE houseworker_totals
            SET comments = comments - $2, ratings = ratings - $3, ratings_sum = ratings_sum - $4
            WHERE houseworker_id = $1";
    /// Notes that a houseworker has seen all comments on them.
    READ_ALL = "UPDATE houseworker_totals
                SET read_upto = (SELECT coalesce(max(comment_id), 0) FROM comments WHERE houseworker_id = $1)
                WHERE houseworker_id = $1";
    /// Forgets what there is of a houseworker.
    FORGET_TOTALS = "DELETE FROM houseworker_totals WHERE houseworker_id = $1";
    /// Forgets some comments on a houseworker, up to a time.
    FORGET_COMMENTS_ON = "DELETE FROM comments WHERE comment_id IN (
                          SELECT comment_id FROM comments WHERE houseworker_id = $1 AND at <= $2 LIMIT $3)";
    /// Forgets some comments of an author, up to a time, and gives whom they were about.
    FORGET_COMMENTS_BY = "DELETE FROM comments WHERE comment_id IN (
                          SELECT comment_id FROM comments WHERE author_id = $1 AND at <= $2 LIMIT $3)
                          RETURNING houseworker_id";
    /// Forgets some ratings of a houseworker, up to a time.
    FORGET_RATINGS_OF = "DELETE FROM ratings WHERE (houseworker_id, client_id) IN (
                         SELECT houseworker_id, client_id FROM ratings
                         WHERE houseworker_id = $1 AND at <= $2 LIMIT $3)";
    /// Forgets some ratings that a user gave, up to a time, and gives whom they were about.
    FORGET_RATINGS_BY = "DELETE FROM ratings WHERE (houseworker_id, client_id) IN (
                         SELECT houseworker_id, client_id FROM ratings
                         WHERE client_id = $1 AND at <= $2 LIMIT $3)
                         RETURNING houseworker_id, rating";
}
