//! The names of rooms: who is in them.

use sha2::{Digest, Sha256};

use crate::{
    identity::UserId,
    kit::{Code, Fault},
};

/// The label of a room: the ids of its present members, each once and in the order of numbers, as in `1:2:5`. Two ids
/// are a private room, more a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomLabel {
    text: String,
    members: Vec<UserId>,
}

impl RoomLabel {
    /// The longest, in bytes. Longer ones name no room, and a group does not grow beyond it.
    pub const LEN_MAX: usize = 8 << 10;

    /// The label that is written so.
    ///
    /// # Errors
    /// `INVALID_ROOM` for any other spelling: one id alone, unsorted, one twice, leading zeros, too long.
    pub fn parse(text: &str) -> Result<RoomLabel, Fault> {
        if text.len() > Self::LEN_MAX {
            return Err(wrong_label());
        }
        let members: Option<Vec<UserId>> = text.split(':').map(UserId::parse).collect();
        let members = members.ok_or_else(wrong_label)?;
        let is_sorted = members.windows(2).all(|pair| pair[0].0 < pair[1].0);
        if members.len() < 2 || !is_sorted {
            return Err(wrong_label());
        }
        Ok(RoomLabel { text: text.to_owned(), members })
    }

    /// The label of a room with these members, of whom there are two at least.
    pub(super) fn of(members: impl IntoIterator<Item = UserId>) -> RoomLabel {
        let mut members: Vec<UserId> = members.into_iter().collect();
        members.sort_by_key(|id| id.0);
        members.dedup();
        let ids: Vec<String> = members.iter().map(|id| id.0.to_string()).collect();
        RoomLabel { text: ids.join(":"), members }
    }

    /// The label with one member more.
    pub(super) fn with(&self, user: UserId) -> RoomLabel {
        RoomLabel::of(self.members.iter().copied().chain([user]))
    }

    /// The label without this member.
    pub(super) fn without(&self, user: UserId) -> RoomLabel {
        RoomLabel::of(self.others(user))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who is in it, by id.
    pub fn members(&self) -> &[UserId] {
        &self.members
    }

    /// Those beside this one, by id.
    pub(super) fn others(&self, user: UserId) -> Vec<UserId> {
        self.members.iter().copied().filter(|id| *id != user).collect()
    }

    /// Whether this user is in it.
    pub fn has(&self, user: UserId) -> bool {
        self.members.binary_search_by_key(&user.0, |id| id.0).is_ok()
    }

    /// Whether it is a room of two.
    pub fn is_private(&self) -> bool {
        self.members.len() == 2
    }

    /// What stands for it in indexes, where 8 KiB are too much.
    pub(super) fn digest(&self) -> String {
        let digest: [u8; 32] = Sha256::digest(self.text.as_bytes()).into();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What is said of a text that is no label, or not the one that it should be.
pub(super) fn wrong_room(why: &'static str) -> Fault {
    Fault::new(Code::Invalid, why).named("INVALID_ROOM")
}

fn wrong_label() -> Fault {
    wrong_room(
        "roomID: the ids of its members in the order of numbers, joined by colons, e.g. 1:2:5",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_one_spelling() {
        for text in ["1:2", "2:10", "9:10:11", "1:9007199254740992"] {
            let label = RoomLabel::parse(text).expect(text);
            assert_eq!(label.as_str(), text);
            assert_eq!(label, RoomLabel::of(label.members().iter().rev().copied()), "{text}");
        }
        for text in [
            "",
            ":",
            "1",
            "1:",
            ":1",
            "2:1",
            "10:2",
            "1:1",
            "1:2:2",
            "01:2",
            "1:02",
            "0:1",
            "-1:2",
            "1:+2",
            "1 :2",
            "1:2 ",
            "1:2:",
            "1::2",
            "1,2",
            "room:1:2",
            "a:b",
            "1:9007199254740993",
            "1:\u{0662}",
            "1:2\0",
            "1:2.0",
            "1:1e1",
        ] {
            let fault = RoomLabel::parse(text).expect_err(text);
            assert_eq!((fault.code, fault.name()), (Code::Invalid, "INVALID_ROOM"), "{text:?}");
        }
    }

    #[test]
    fn a_label_has_an_end() {
        // 1,638 ids of four digits with their colons, and one that fills up what is left.
        let ids = |count: i64| (1_000..1_000 + count).map(UserId);
        let longest = RoomLabel::of(ids(1_637).chain([UserId(1_000_000)]));
        assert_eq!(longest.as_str().len(), RoomLabel::LEN_MAX);
        assert!(RoomLabel::parse(longest.as_str()).is_ok());
        let longer = longest.without(UserId(1_000_000)).with(UserId(10_000_000));
        assert_eq!(longer.as_str().len(), RoomLabel::LEN_MAX + 1);
        assert!(RoomLabel::parse(longer.as_str()).is_err());
    }

    #[test]
    fn members_come_and_go() {
        let label = RoomLabel::parse("1:2:10").expect("a label");
        assert_eq!(label.with(UserId(5)).as_str(), "1:2:5:10");
        assert_eq!(label.with(UserId(2)).as_str(), "1:2:10");
        assert_eq!(label.without(UserId(10)).as_str(), "1:2");
        assert!(label.has(UserId(10)) && !label.has(UserId(5)));
        assert!(!label.is_private() && label.without(UserId(1)).is_private());
        assert_ne!(label.digest(), label.without(UserId(10)).digest());
    }
}
