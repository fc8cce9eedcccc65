//! What is done with groups, word for word as the document has it: who is told which frames, in which order, and that
//! nobody else is told anything.

use super::{
    DONE, JANE, JOHN, MIKE, SARA, in_room, message, notify, on_page,
    table::{A1, A2, ALL, J1, J2, J3, M1, Row, S1, Scene, X1},
};

/// The document's `createUserGroup`.
pub const CREATE: &str = r#"{"data":{"newUserID":"3","newUsername":"sara_cleaner","roomID":"1:2","newRoomID":"1:2:3","currentMember":[{"userID":"2","username":"jane"}],"clientID":"1","clientUsername":"john_doe","newUserPicturePath":"https://...","online":true,"notifications":[{"id":394,"from":"1","to":"2","type":"chatGroup","date":{},"message":"The client john_doe has added you to the chat","read":false}]}}"#;
/// Its `addUserToGroup`.
pub const ADD: &str = r#"{"data":{"newUserID":"4","newUsername":"mike_butler","roomID":"1:2:3","newRoomID":"1:2:3:4","currentMember":[{"userID":"2","username":"jane"}],"clientID":"1","clientUsername":"john_doe","newUserPicturePath":"https://...","online":false,"notifications":[]}}"#;
/// Its `kickUserFromGroup`.
pub const KICK: &str = r#"{"firstRoomID":"1:2","roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUserID":"3","kickedUsername":"sara_cleaner","clientID":"1","clientUsername":"john_doe","notifications":[]}"#;
/// Its `deleteUserRoom`.
pub const DELETE: &str =
    r#"{"roomID":"1:2:3","clientID":"1","clientUsername":"john_doe","notifications":[]}"#;

/// A notification as it is told.
fn note(event: &str, to: &str, text: &str, more: &str) -> String {
    format!(
        r#"{event} {{"id":N,"from":"1","to":"{to}","type":"chatGroup","date":DATE,"message":"{text}","read":false{more}}}"#
    )
}

fn sent(room: &str) -> String {
    format!(r#"{{"success":true,"messageID":N,"roomID":"{room}","date":DATE}}"#)
}

/// Makes the document's group; sara_cleaner is online or not.
#[track_caller]
fn create(scene: &mut Scene, online: bool) {
    let created = format!(
        r#"createUserGroupChange {{"newUserID":"3","newUsername":"sara_cleaner","roomID":"1:2","newRoomID":"1:2:3","currentMember":[{{"userID":"2","username":"jane"}}],"clientUsername":"john_doe","newUserPicturePath":"https://...","online":{online}}}"#
    );
    scene.row(
        J1,
        "createUserGroup",
        CREATE,
        DONE,
        &[
            (
                &[S1],
                &note(
                    "createUserToGroupNotify",
                    "3",
                    "The client john_doe has added you to the chat",
                    "",
                ),
            ),
            (
                &[A1, A2],
                &note(
                    "createUserToGroupNotify",
                    "2",
                    "The client john_doe has added sara_cleaner to the chat",
                    "",
                ),
            ),
            (&[J1, J2, J3, A1, A2, S1], &created),
        ],
    );
}

/// Adds mike_butler as the document does; these connections are in the group.
#[track_caller]
fn add(scene: &mut Scene, here: &[usize]) {
    let joined = "mike_butler has been added to the group by john_doe";
    let added = r#"addUserToGroupChange {"newUserID":"4","newUsername":"mike_butler","roomID":"1:2:3","newRoomID":"1:2:3:4","currentMember":[{"userID":"2","username":"jane"},{"userID":"3","username":"sara_cleaner"}],"clientUsername":"john_doe","newUserPicturePath":"https://...","online":false}"#;
    scene.row(
        J1,
        "addUserToGroup",
        ADD,
        DONE,
        &[
            (
                &[M1],
                &note(
                    "addUserToGroupNotify",
                    "4",
                    "You've been added to the group by john_doe",
                    "",
                ),
            ),
            (&[A1, A2], &note("addUserToGroupNotify", "2", joined, "")),
            (&[S1], &note("addUserToGroupNotify", "3", joined, "")),
            (&[J1, J2, J3, A1, A2, S1, M1], added),
            (here, r#"addUserToGroupChangeInRoom "1:2:3:4""#),
        ],
    );
}

/// The document's story: a group is made, grows, loses one who is kicked, and ends where two are left.
#[test]
fn a_group_from_its_making_to_two() {
    for is_swapped in [false, true] {
        let mut scene = Scene::at_home(is_swapped);
        scene.row(
            S1,
            "addOnlineUser",
            r#"{"userID":"3","userUsername":"sara_cleaner"}"#,
            DONE,
            &[(&ALL, r#"newOnlineUser {"type":"Add","userID":"3"}"#)],
        );
        scene.enter("1:2", &[J1, J2, A1]);
        create(&mut scene, true);
        // Nobody was moved: what is said in either room stays there.
        scene.enter("1:2:3", &[J1, S1, A2]);
        scene.row(
            J2,
            "message",
            &message("1:2", "for two"),
            &sent("1:2"),
            &[
                (&[J1, J2, A1], &in_room(JOHN, "1:2", "for two")),
                (&[A2], &on_page("1:2", "for two")),
                (&[A1, A2], &notify(JOHN, JANE, "1:2", "for two")),
            ],
        );
        scene.row(
            S1,
            "message",
            &message("1:2:3", "for three"),
            &sent("1:2:3"),
            &[
                (&[J1, S1, A2], &in_room(SARA, "1:2:3", "for three")),
                (&[J2, J3, A1], &on_page("1:2:3", "for three")),
                (&[J1, J2, J3], &notify(SARA, JOHN, "1:2:3", "for three")),
                (&[A1, A2], &notify(SARA, JANE, "1:2:3", "for three")),
            ],
        );
        let types = |what: &str, room: &str| {
            format!(
                r#"typingMessage{what} {{"senderID":"2","senderUsername":"jane","roomID":"{room}"}}"#
            )
        };
        let start: Row<'_> = (&[J1, S1], &types("Start", "1:2:3"));
        scene.row(A2, "startTypingRoom", r#"{"roomID":"1:2:3"}"#, DONE, &[start]);
        add(&mut scene, &[J1, S1, A2]);
        // What has begun under the label of before ends under that of now.
        let stop: Row<'_> = (&[J1, S1], &types("Stop", "1:2:3:4"));
        scene.row(A2, "stopTypingRoom", r#"{"roomID":"1:2:3:4"}"#, DONE, &[stop]);
        // Who has entered by the label of now does not leave by that of before.
        scene.enter("1:2:3:4", &[M1, J1]);
        scene.row(J1, "chatRoom.leave", r#""1:2:3""#, DONE, &[]);
        // The label of before still leads there, for who is in it.
        scene.enter("1:2:3", &[A1]);
        scene.refused(X1, "chatRoom.join", r#""1:2:3""#, "NOT_FOUND");
        scene.row(
            M1,
            "message",
            &message("1:2:3", "for four"),
            &sent("1:2:3:4"),
            &[
                (&[J1, S1, A1, A2, M1], &in_room(MIKE, "1:2:3:4", "for four")),
                (&[J2, J3], &on_page("1:2:3:4", "for four")),
                (&[J1, J2, J3], &notify(MIKE, JOHN, "1:2:3:4", "for four")),
                (&[A1, A2], &notify(MIKE, JANE, "1:2:3:4", "for four")),
                (&[S1], &notify(MIKE, SARA, "1:2:3:4", "for four")),
            ],
        );
        kick(&mut scene);
        two_are_left(&mut scene);
    }
}

/// sara_cleaner is kicked, as the document has it.
#[track_caller]
fn kick(scene: &mut Scene) {
    let note = note("", "3", "You've been removed from the group", "");
    let told = format!(
        r#"kickUserFromGroupNotify {{"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUserID":"3","notification":{}}}"#,
        note.trim_start()
    );
    let change = r#"kickUserFromGroupChange {"roomID":"1:2:3:4","newRoomID":"1:2:4","kickedUsername":"sara_cleaner","kickedUserID":"3"}"#;
    let here = r#"kickUserFromGroupChangeInRoom {"firstRoomID":"1:2","kickedUserID":"3","newRoomID":"1:2:4"}"#;
    // Only the creator may, or an admin; mike_butler may not even as one of them.
    scene.refused(
        M1,
        "kickUserFromGroup",
        &KICK.replace(r#""1","clientU"#, r#""4","clientU"#),
        "FORBIDDEN",
    );
    scene.row(
        J1,
        "kickUserFromGroup",
        KICK,
        DONE,
        &[(&[S1], &told), (&[J1, J2, J3, A1, A2, M1], change), (&[J1, S1, A1, A2, M1], here)],
    );
    // That was the last she heard; and she is nobody there.
    scene.row(
        A1,
        "message",
        &message("1:2:4", "without her"),
        &sent("1:2:4"),
        &[
            (&[J1, A1, A2, M1], &in_room(JANE, "1:2:4", "without her")),
            (&[J2, J3], &on_page("1:2:4", "without her")),
            (&[J1, J2, J3], &notify(JANE, JOHN, "1:2:4", "without her")),
            (&[M1], &notify(JANE, MIKE, "1:2:4", "without her")),
        ],
    );
    for room in ["1:2:4", "1:2:3:4", "1:2:3"] {
        scene.refused(S1, "message", &message(room, "still here"), "NOT_FOUND");
        scene.refused(S1, "chatRoom.join", &format!("\"{room}\""), "NOT_FOUND");
        let typing = format!(r#"{{"roomID":"{room}"}}"#);
        scene.refused(S1, "startTypingRoom", &typing, "NOT_FOUND");
    }
    scene.row(S1, "chatRoom.leave", r#""1:2:3:4""#, DONE, &[]);
}

/// mike_butler leaves, and the group goes on in the private room of the two who are left.
#[track_caller]
fn two_are_left(scene: &mut Scene) {
    let leave = r#"{"firstRoomID":"1:2","roomID":"1:2:4","newRoomID":"1:2","kickedUserID":"4","kickedUsername":"mike_butler","clientID":"4","clientUsername":"mike_butler","notifications":[]}"#;
    let change = r#"kickUserFromGroupChange {"roomID":"1:2:4","newRoomID":"1:2","kickedUsername":"mike_butler","kickedUserID":"4"}"#;
    let here = r#"kickUserFromGroupChangeInRoom {"firstRoomID":"1:2","kickedUserID":"4","newRoomID":"1:2"}"#;
    scene.row(
        M1,
        "kickUserFromGroup",
        leave,
        DONE,
        &[(&[J1, J2, J3, A1, A2], change), (&[J1, A1, A2, M1], here)],
    );
    // Who was in the group is in the private room now; who was in both hears everything once.
    let (room, told) = (in_room(JOHN, "1:2", "alone"), notify(JOHN, JANE, "1:2", "alone"));
    let rows: [Row<'_>; 2] = [(&[J1, J2, A1, A2], &room), (&[A1, A2], &told)];
    scene.row(J3, "message", &message("1:2", "alone"), &sent("1:2"), &rows);
    // So it is under the label that the group bore last.
    scene.row(J3, "message", &message("1:2:4", "alone"), &sent("1:2"), &rows);
    scene.refused(M1, "message", &message("1:2:4", "alone"), "NOT_FOUND");
    // They leave it by either name.
    scene.row(A2, "chatRoom.leave", r#""1:2:4""#, DONE, &[]);
    scene.row(A1, "chatRoom.leave", r#""1:2""#, DONE, &[]);
    scene.row(
        J3,
        "message",
        &message("1:2", "gone"),
        &sent("1:2"),
        &[
            (&[J1, J2], &in_room(JOHN, "1:2", "gone")),
            (&[A1, A2], &on_page("1:2", "gone")),
            (&[A1, A2], &notify(JOHN, JANE, "1:2", "gone")),
        ],
    );
}

#[test]
fn a_group_that_is_deleted() {
    for is_swapped in [false, true] {
        let mut scene = Scene::at_home(is_swapped);
        create(&mut scene, false);
        scene.enter("1:2:3", &[J1, S1]);
        // Members who did not make it may not, and nobody may delete a private room.
        let jane = DELETE.replace(r#""1","clientU"#, r#""2","clientU"#);
        scene.refused(A1, "deleteUserRoom", &jane, "FORBIDDEN");
        scene.refused(X1, "deleteUserRoom", r#"{"roomID":"1:2:3"}"#, "NOT_FOUND");
        scene.refused(J1, "deleteUserRoom", r#"{"roomID":"1:2"}"#, "FORBIDDEN");
        let told = note(
            "deleteUserRoomNotify",
            "room",
            "The room has been deleted by john_doe",
            r#","roomID":"1:2:3""#,
        );
        let all = [J1, J2, J3, A1, A2, S1];
        let change = r#"deleteUserRoomChange {"roomID":"1:2:3"}"#;
        scene.row(J2, "deleteUserRoom", DELETE, DONE, &[(&all, &told), (&all, change)]);
        // Nothing is said there any more, and nothing can be.
        for line in [J1, S1, A1] {
            scene.refused(line, "message", &message("1:2:3", "still"), "NOT_FOUND");
            scene.refused(line, "chatRoom.join", r#""1:2:3""#, "NOT_FOUND");
        }
        scene.refused(J1, "deleteUserRoom", DELETE, "NOT_FOUND");
        // The same people may begin anew; who was in the old group's room is in none.
        create(&mut scene, false);
        scene.row(
            A1,
            "message",
            &message("1:2:3", "anew"),
            &sent("1:2:3"),
            &[
                (&[J1, J2, J3, S1], &on_page("1:2:3", "anew")),
                (&[J1, J2, J3], &notify(JANE, JOHN, "1:2:3", "anew")),
                (&[S1], &notify(JANE, SARA, "1:2:3", "anew")),
            ],
        );
    }
}

/// The creator may go: who has been there longest takes their place.
#[test]
fn the_creator_leaves() {
    let mut scene = Scene::at_home(false);
    create(&mut scene, false);
    add(&mut scene, &[]);
    let leave = r#"{"roomID":"1:2:3:4","newRoomID":"2:3:4","kickedUserID":"1","clientID":"1"}"#;
    let change = r#"kickUserFromGroupChange {"roomID":"1:2:3:4","newRoomID":"2:3:4","kickedUsername":"john_doe","kickedUserID":"1"}"#;
    scene.row(J1, "kickUserFromGroup", leave, DONE, &[(&[A1, A2, S1, M1], change)]);
    let kick = |by: usize| {
        format!(r#"{{"roomID":"2:3:4","newRoomID":"2:3","kickedUserID":"4","clientID":"{by}"}}"#)
    };
    scene.refused(S1, "kickUserFromGroup", &kick(SARA), "FORBIDDEN");
    scene.enter("2:3:4", &[A1, M1]);
    let note = note("", "4", "You've been removed from the group", "").replace(r#""1""#, r#""2""#);
    let told = format!(
        r#"kickUserFromGroupNotify {{"roomID":"2:3:4","newRoomID":"2:3","kickedUserID":"4","notification":{}}}"#,
        note.trim_start()
    );
    scene.row(
        A1,
        "kickUserFromGroup",
        &kick(JANE),
        DONE,
        &[
            (&[M1], &told),
            (
                &[A1, A2, S1],
                r#"kickUserFromGroupChange {"roomID":"2:3:4","newRoomID":"2:3","kickedUsername":"mike_butler","kickedUserID":"4"}"#,
            ),
            (
                &[A1, M1],
                r#"kickUserFromGroupChangeInRoom {"firstRoomID":"1:2","kickedUserID":"4","newRoomID":"2:3"}"#,
            ),
        ],
    );
}
