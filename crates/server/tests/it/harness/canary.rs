//! The healthy connection beside every hostile one.

use super::{Client, Server};

/// Writes to an entity of its own, and hears of it.
pub struct Canary {
    client: Client,
    songs: u32,
}

impl Canary {
    /// A canary in this server, alive.
    pub fn new(server: &Server) -> Canary {
        let mut client = server.admin();
        client.send(r#"{"type":"subscribe_entities","entity_ids":["canary.bird"]}"#);
        // In a demo something may happen before that.
        while !client.text().starts_with(r#"{"type":"states:snapshot","data":["#) {}
        let mut canary = Canary { client, songs: 0 };
        canary.sings();
        canary
    }

    /// It still gets its answer and its event, and nothing else.
    #[track_caller]
    pub fn sings(&mut self) {
        self.songs += 1;
        let song = self.songs;
        self.client.send(&format!(
            r#"{{"type":"states:create","entity_id":"canary.bird","state":"{song}","id":{song}}}"#
        ));
        let event = format!(
            r#"{{"type":"state_changed","data":{{"entity_id":"canary.bird","new_state":{{"state":"{song}","attributes":{{}}}}}}}}"#
        );
        let mut both = [self.client.text(), self.client.text()];
        both.sort_by_key(|text| *text == event);
        let [answer, told] = both;
        assert_eq!(told, event);
        assert!(
            answer.starts_with(r#"{"type":"states:create:response","success":true,"data":{"#)
                && answer.ends_with(&format!(r#","id":{song}}}"#)),
            "{answer}"
        );
    }
}
