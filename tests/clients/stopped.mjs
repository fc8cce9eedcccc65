// Hears of states, and says of each what it is, over every break of its connection: `heard 7`. For a test that stops this
// process for a while (SIGSTOP).
//
//   node stopped.mjs --as plain|newest|socketio --address HOST:PORT --token TOKEN
//
// `plain` has a cursor and comes back with it, `newest` has none, `socketio` is the unmodified socket.io-client 4.8 with
// `auth.recover`. It says `listens` when it does so for the first time, `lost` if something was lost, and ends with its
// input.

import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';

const require = createRequire(import.meta.url);
const text = { type: 'string' };
const { values } = parseArgs({ options: { as: text, address: text, token: text } });
const { address, token } = values;

/** Before it comes back, in milliseconds. */
const PAUSE_MS = 50;

const say = (words) => process.stdout.write(`${words}\n`);
let listens = false;
const begins = () => {
  if (!listens) say('listens');
  listens = true;
};

function plain(cursor) {
  const query = values.as === 'plain' ? `?since=${cursor}` : '';
  const socket = new WebSocket(`ws://${address}/api/ws${query}`, { headers: { authorization: `Bearer ${token}` } });
  let place = cursor;
  socket.on('open', () => socket.send(JSON.stringify({ type: 'ping' })));
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    if (message.cursor) place = message.cursor;
    if (message.type === 'pong') begins();
    if (message.type === 'reset') say('lost');
    if (message.type === 'state_changed') say(`heard ${message.data.new_state.state}`);
  });
  socket.on('error', () => {});
  socket.on('close', (code) => {
    say(`closed ${code}`);
    setTimeout(plain, PAUSE_MS, place);
  });
}

function socketio() {
  const { io } = require('socket.io-client-4.8');
  const socket = io(`http://${address}/states`, {
    auth: { token, recover: true },
    transports: ['websocket'],
    reconnectionDelay: PAUSE_MS,
  });
  socket.on('connect', () => {
    if (listens && !socket.recovered) say('lost');
    begins();
  });
  socket.on('disconnect', () => say('closed'));
  socket.on('state_changed', ({ new_state: { state } }) => say(`heard ${state}`));
}

process.stdin.on('end', () => process.exit(0)).resume();
if (values.as === 'socketio') socketio();
else plain('now');
