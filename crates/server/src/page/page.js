// The live states of the home: a snapshot, then each change; after a break, what was missed. Who is not
// signed in is asked to; the session is a cookie that this script cannot read.
const QUIET_MS = 30_000; // After this long without a message the server is asked for one,
const ANSWER_MS = 8_000; // and has this long to answer.
const token = new URLSearchParams(location.search).get("token");
const [list, filter, empty, enter, wrong, leave] = ["states", "filter", "empty", "enter", "wrong", "leave"].map((id) =>
  document.getElementById(id),
);
const rows = new Map(); // By entity id.
let socket, cursor, silence, retry;
let complete = false; // Whether the rows are a snapshot and all that followed it, up to the cursor.
let pauseMs = 500, error = "";
let cleared = false; // Whether a bad cookie was taken away since the page was last live.

function say(connection, words) {
  if (document.body.dataset.connection !== connection) document.body.dataset.connection = connection;
  const status = document.getElementById("connection");
  if (status.textContent !== words) status.textContent = words; // Or it would be read aloud again.
}

function insert(id) {
  const row = document.getElementById("row").content.firstElementChild.cloneNode(true);
  row.dataset.entityId = id;
  const words = id.split(/(?<=[._])/); // Where a narrow screen may break it.
  row.cells[0].prepend(...words.flatMap((word) => [word, document.createElement("wbr")]));
  const isLast = !list.lastChild || list.lastChild.dataset.entityId < id;
  list.insertBefore(row, isLast ? null : [...list.children].find((other) => other.dataset.entityId > id));
  rows.set(id, row);
  return row;
}

function show(id, { state, attributes }, at, isNew) {
  const row = rows.get(id) ?? insert(id);
  const text = (place, value) => (row.querySelector(place).textContent = value ?? "");
  text("th small", attributes.friendly_name);
  text(".state", state);
  text(".unit", attributes.unit_of_measurement);
  const isToday = at.toDateString() === new Date().toDateString();
  text("time", isToday ? at.toLocaleTimeString() : at.toLocaleDateString());
  row.querySelector("time").dateTime = at.toISOString();
  row.hidden = !matches(row);
  row.classList.remove("new");
  if (isNew) requestAnimationFrame(() => row.classList.add("new"));
}

function remove(id) {
  rows.get(id)?.remove();
  rows.delete(id);
}

const matches = (row) => row.cells[0].textContent.toLowerCase().includes(filter.value.trim().toLowerCase());

function count() {
  const shown = [...rows.values()].filter((row) => !row.hidden).length;
  const all = `${rows.size} ${rows.size === 1 ? "entity" : "entities"}`;
  document.getElementById("count").textContent = !complete ? "" : shown < rows.size ? `${shown} of ${all}` : all;
  empty.textContent = rows.size > 0 ? "No entity matches the filter." : "No states yet. They appear here as they are created.";
  empty.hidden = !complete || shown > 0;
  list.parentElement.hidden = shown === 0;
}

function receive(message) {
  const { type, data } = message;
  if (type === "state_changed") {
    if (data.new_state) show(data.entity_id, data.new_state, new Date(), true);
    else remove(data.entity_id);
    if (complete) cursor = message.cursor;
  } else if (type === "states:snapshot") {
    const known = new Set(data.map((state) => state.entity_id));
    [...rows.keys()].filter((id) => !known.has(id)).forEach(remove);
    for (const state of data) show(state.entity_id, state, new Date(state.last_updated), false);
    [cursor, complete] = [message.cursor, true];
    live();
  } else if (type === "resumed" && complete) {
    live(); // What was missed follows; each event brings its own cursor.
  } else if (type === "resumed" || type === "reset") {
    complete = false;
    socket.send('{"type":"subscribe_entities"}');
  } else if (message.error) {
    say("offline", (error = message.error));
    if (type === "subscribe_entities:response") lost();
  }
  count();
}

// A cookie may be left from another time or another server of this machine, and guests may be let in. Asked
// over HTTP, the server takes a bad one away.
async function refused() {
  if (cleared) return signedOut();
  cleared = true;
  await fetch("/api/auth/verify").catch(() => undefined);
  connect();
}

// Forgets what was shown: it may not be for whoever signs in next.
function signedOut() {
  [...rows.keys()].forEach(remove);
  [complete, cursor] = [false, undefined];
  say("offline", "not signed in");
  count();
  showForm(true);
  enter.elements.username.focus();
}

function showForm(isShown) {
  document.body.classList.toggle("out", isShown);
  enter.hidden = !isShown;
  if (isShown) leave.hidden = true;
}

const post = (path, body) =>
  fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

enter.onsubmit = async (event) => {
  event.preventDefault();
  const button = enter.querySelector("button");
  button.disabled = true;
  wrong.textContent = "";
  try {
    const response = await post("/api/auth/login", Object.fromEntries(new FormData(enter)));
    if (!response.ok) throw new Error((await response.json()).detail);
    enter.reset();
    showForm(false);
    say("connecting", "connecting");
    connect();
  } catch (problem) {
    wrong.textContent = problem instanceof TypeError ? "the server cannot be reached" : problem.message;
    enter.elements.password.select();
  } finally {
    button.disabled = false;
  }
};

leave.onclick = async () => {
  const response = await post("/api/auth/logout", {}).catch(() => undefined);
  if (!response) return;
  clearTimeout(retry);
  const gone = socket;
  socket = undefined;
  gone?.close();
  signedOut();
};

// Guests of the demo have nothing to sign out of.
async function showLeave() {
  const response = await fetch("/api/auth/verify").catch(() => undefined);
  leave.hidden = token !== null || !response?.ok;
}

function live() {
  cleared = false;
  if (leave.hidden) showLeave();
  pauseMs = 500;
  say("live", "live");
}

function connect() {
  clearTimeout(retry);
  error = "";
  const query = new URLSearchParams({ since: complete ? cursor : "now", ...(token && { token }) });
  const own = (socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/ws?${query}`));
  own.onmessage = (event) => {
    if (own !== socket) return;
    listen();
    receive(JSON.parse(event.data));
  };
  own.onclose = (event) => own === socket && lost(event);
  clearTimeout(silence);
  silence = setTimeout(lost, ANSWER_MS);
}

// A network that went away says nothing; so the page asks when it has been quiet for long.
function listen() {
  clearTimeout(silence);
  silence = setTimeout(ask, QUIET_MS);
}

function ask() {
  clearTimeout(silence);
  if (socket.readyState === WebSocket.OPEN) socket.send('{"type":"ping"}');
  silence = setTimeout(lost, ANSWER_MS);
}

function lost(event) {
  clearTimeout(silence);
  const gone = socket;
  socket = undefined;
  gone.close();
  if (event?.code === 4401) return token ? say("offline", error || "not signed in") : refused();
  say("offline", error || "offline, trying again");
  retry = setTimeout(connect, pauseMs * (0.5 + Math.random()));
  pauseMs = Math.min(pauseMs * 2, 10_000);
}

filter.oninput = () => {
  for (const row of rows.values()) row.hidden = !matches(row);
  count();
};
addEventListener("offline", () => socket && ask());
addEventListener("online", () => !socket && connect());
addEventListener("pageshow", (event) => event.persisted && !socket && connect());
connect();
