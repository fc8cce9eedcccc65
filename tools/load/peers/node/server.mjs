// The scenarios of bellwire-load, served by Node's socket.io: what `../socketioxide` does, in the same words.
//
//     node server.mjs HOST PORT
//
// Nothing is kept and nobody's rights are looked at: what is measured is delivery alone.

import { createServer } from "node:http";
import { Server } from "socket.io";

const [host, port] = process.argv.slice(2);
const http = createServer();
// No heartbeat falls into a round: the bare loop, beside which this is measured, has none.
const io = new Server(http, { pingInterval: 600_000, serveClient: false });

io.of("/states").on("connection", (socket) => {
  // A writer hears nothing of what it writes, so that a delivery is one to a reader.
  if (socket.handshake.auth.token === "reader") {
    socket.join("states");
  }
  socket.on("states:create", ({ entity_id, state, attributes }, answer) => {
    io.of("/states").to("states").emit("state_changed", { entity_id, new_state: { state, attributes } });
    answer({ success: true });
  });
});

io.on("connection", (socket) => {
  socket.on("message-with-ack", (...args) => {
    const answer = args.pop();
    answer(...args);
  });
});

process.on("SIGTERM", () => process.exit(0));
http.listen(Number(port), host);
