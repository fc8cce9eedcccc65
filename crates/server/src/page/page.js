// The live states of the home: a snapshot, then each change; after a break, what was missed.
const rows = new Map(); // entity id -> table row, in the order of ids
const token = new URLSearchParams(location.search).get("token");
const list = document.getElementById("states");
let cursor = "now", pause = 500;

function say(connection, words) {
  document.body.dataset.connection = connection;
  document.getElementById("connection").textContent = words;
}

function show(id, state, at, isNew) {
  const row = rows.get(id) ?? insert(id);
  row.querySelector("small").textContent = state.attributes.friendly_name ?? "";
  row.querySelector(".state").textContent = state.state;
  row.querySelector(".changed").textContent = at.toLocaleTimeString();
  row.classList.remove("new");
  if (isNew) requestAnimationFrame(() => row.classList.add("new"));
}

function insert(id) {
  const row = document.createElement("tr");
  row.dataset.entityId = id;
  for (const name of ["entity", "state", "changed"]) row.insertCell().className = name;
  row.cells[0].append(id, document.createElement("small"));
  const next = [...rows.keys()].find((other) => other > id);
  list.insertBefore(row, next ? rows.get(next) : null);
  rows.set(id, row);
  if (next) for (const other of [...rows.keys()].filter((key) => key > id)) { const r = rows.get(other); rows.delete(other); rows.set(other, r); }
  return row;
}

function remove(id) {
  rows.get(id)?.remove();
  rows.delete(id);
}

function receive(message, socket) {
  cursor = message.cursor ?? cursor;
  if (message.type === "state_changed") {
    const { entity_id, new_state } = message.data;
    if (new_state) show(entity_id, new_state, new Date(), true);
    else remove(entity_id);
  } else if (message.type === "states:snapshot") {
    const known = new Set(message.data.map((state) => state.entity_id));
    for (const id of [...rows.keys()]) if (!known.has(id)) remove(id);
    for (const state of message.data) show(state.entity_id, state, new Date(state.last_updated), false);
    say("live", "live");
  } else if (message.type === "reset" || (message.type === "resumed" && rows.size === 0)) {
    socket.send(JSON.stringify({ type: "subscribe_entities" }));
  } else if (message.type === "resumed") {
    say("live", "live");
  } else if (message.error) {
    say("offline", message.error);
  }
  document.getElementById("count").textContent = `${rows.size} entities`;
  document.getElementById("empty").hidden = rows.size > 0;
}

function connect() {
  const query = new URLSearchParams({ since: cursor, ...(token && { token }) });
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/ws?${query}`);
  socket.onmessage = (event) => { pause = 500; receive(JSON.parse(event.data), socket); };
  socket.onclose = (event) => {
    if (event.code === 4401) return say("offline", "not signed in: open this page with ?token=TOKEN");
    say("offline", "offline, trying again");
    setTimeout(connect, pause * (0.5 + Math.random()));
    pause = Math.min(pause * 2, 10_000);
  };
}

connect();
