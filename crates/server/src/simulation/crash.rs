//! The machine stops, and starts again with what the disk has kept.

use std::{fs, path::PathBuf};

use super::{
    node::Node,
    world::{World, note},
};

impl World {
    /// Everything in memory is lost; the database is opened again.
    pub fn crash(&mut self) -> Result<(), String> {
        note!(self, "crash");
        self.tally.count("crash");
        if self.node().committed.is_some() {
            self.tally.count("crash before publish");
        }
        for client in 0..self.clients.len() {
            let unread =
                self.clients[client].pipe.as_ref().map_or(0, |pipe| pipe.borrow().unread());
            let heard = self.chance.below(unread + 1);
            self.receive(client, heard, 0)?;
            self.clients[client].link = None;
            self.clients[client].pipe = None;
        }
        self.ops.clear();
        self.node = None;
        self.reopen()
    }

    fn reopen(&mut self) -> Result<(), String> {
        let path = self.folder.path().join("db");
        let mut node = Node::open(&path, &self.tables, &self.knobs, self.now())?;
        self.oracle.compare(&mut node.reader)?;
        self.node = Some(node);
        Ok(())
    }

    /// What publishing before COMMIT comes to: a batch was told, then the machine stopped, and the
    /// database knows nothing of it.
    pub fn publish_too_early(&mut self) -> Result<(), String> {
        self.node().publish();
        let files: Vec<PathBuf> =
            ["db", "db-wal"].iter().map(|name| self.folder.path().join(name)).collect();
        let before: Vec<_> = files.iter().map(fs::read).collect();
        self.commit(2)?;
        self.node().publish();
        for shard in 0..self.node().shards.len() {
            self.deliver(shard, usize::MAX);
        }
        for client in 0..self.clients.len() {
            self.receive(client, usize::MAX, 0)?;
            self.clients[client].link = None;
        }
        self.node = None;
        let _ = fs::remove_file(self.folder.path().join("db-shm"));
        for (file, before) in files.iter().zip(before) {
            let restored = match before {
                Ok(before) => fs::write(file, before),
                Err(_) => fs::remove_file(file),
            };
            restored.map_err(|error| error.to_string())?;
        }
        self.reopen()
    }
}
