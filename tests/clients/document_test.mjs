// Runs the test of document 001, "WebSocket Events System" ("Automated Testing"), which stands word for word in
// document-001/test.js. Only the address and the name of the library are replaced; `describe`, `it` and `expect` are as
// much of Jest as it uses, `clientToken` and `updateAreaViaAPI` are what it leaves to its surroundings.
//
//   node document_test.mjs --address HOST:PORT --token ADMIN [--screen TOKEN]
//
// `--screen` is the token of a demo's screen. Without it one is paired, and the test is told of the ids that area has.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import WebSocket from 'ws';
import { cast } from './admin.mjs';
import { Difference, check, doing, same, script, short } from './client.mjs';

const AREA_IN_DOCUMENT = 'area_123';

await script(30, { screen: { type: 'string' } }, async (values) => {
  const { address } = values;
  const { admin, area, clientId, screen } = await cast(values);
  const replaced = {
    "'http://localhost:8443'": JSON.stringify(`http://${address}`),
    "'socket.io-client'": JSON.stringify(import.meta.resolve('socket.io-client-4.8')),
    [`'${AREA_IN_DOCUMENT}'`]: JSON.stringify(area.id),
  };
  let source = await readFile(new URL('document-001/test.js', import.meta.url), 'utf8');
  for (const [text, instead] of Object.entries(replaced)) {
    check(source.includes(text), `document-001/test.js: ${text}, which is to be replaced, is not in it`);
    source = source.replaceAll(text, instead);
  }

  const { arrives } = await arrivalOf(clientId, values);
  const tests = [];
  let suite = '';
  const describe = (name, define) => {
    suite = name;
    define();
  };
  const it = (name, run) => tests.push({ name: `${suite} ${name}`, run });
  const expect = (actual) => ({
    toBe: (expected) => check(Object.is(actual, expected), `expected ${short(expected)}, got ${short(actual)}`),
  });
  // The test calls this as soon as it begins to connect, and hears what happens once it is there.
  const updateAreaViaAPI = async (areaId, change) => {
    await arrives;
    await admin.changes(areaId, change);
  };
  Object.assign(globalThis, { describe, it, expect, updateAreaViaAPI, clientToken: screen });
  await import(`data:text/javascript,${encodeURIComponent(source)}`);

  check(tests.length === 1, `the document has one test, not ${tests.length}`);
  for (const { name, run } of tests) {
    doing(`running "${name}"`);
    await new Promise((resolve, reject) => {
      run((error) => (error ? reject(error) : resolve()));
    });
    same((await admin.area(area.id)).name, 'Updated Name', 'the name of the area');
  }
  return `ok: ${tests.map(({ name }) => name).join(', ')}`;
});

/**
 * Listens, as an admin, to who is connected: `arrives` resolves once this client is.
 */
async function arrivalOf(clientId, { address, token }) {
  doing('listening to who is connected');
  const headers = { Authorization: `Bearer ${token}` };
  const socket = new WebSocket(`ws://${address}/?typed=1`, { headers });
  const arrives = new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Difference(`closed with ${code}`)));
    socket.on('message', (data) => {
      const { type, clients } = JSON.parse(data);
      if (type === 'clients_present' && clients.some(({ id, online }) => id === clientId && online)) resolve();
    });
  });
  await once(socket, 'open');
  // What is answered on it says that it hears.
  socket.send('{"type":"ping"}');
  await once(socket, 'message');
  return { arrives };
}
