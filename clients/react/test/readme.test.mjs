// The example of the README is run as it stands there, in a page.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { acts } from './dom.mjs';
import { server, sockets } from '../../js/test/scripted.mjs';

const DOWNTOWN = { id: 1, name: 'Downtown Station', status: 'online', available_batteries: 15, booked_batteries: 3, total_batteries: 18 };

test('the example of the README', async (test) => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, example] = /```js\n(.*?)```/s.exec(readme);
  const folder = await mkdtemp(join(tmpdir(), 'bellwire-readme-'));
  test.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'example.mjs');
  await writeFile(file, `${example.replace('createRoot(', 'export const root = createRoot(').replace('.render(', ';\nroot.render(')}`);

  const { WebSocket, made } = sockets();
  const http = server({
    'POST /api/auth/ticket': { ticket: 'once' },
    'GET /api/notifications': { items: [{ id: 1, message: 'Booking confirmed', read: false }], next: null },
    'POST /api/stations/1/bookings': [201, { id: 123 }],
  });
  const before = { fetch: globalThis.fetch, WebSocket: globalThis.WebSocket, localStorage: globalThis.localStorage };
  Object.assign(globalThis, { WebSocket, fetch: http.fetch, localStorage: window.localStorage });
  test.after(() => Object.assign(globalThis, before));
  window.localStorage.setItem('token', 'secret');
  document.body.innerHTML = '<div id="root"></div>';

  let root;
  await acts(async () => ({ root } = await import(pathToFileURL(file).href)));
  test.after(() => acts(() => root.unmount()));
  assert.match(document.body.textContent, /^Loading0 unread/);
  await acts(async () => {
    for (const socket of made) {
      socket.begin();
      if (socket.url.pathname === '/ws/stations/1/') socket.say({ type: 'stations:snapshot', data: [DOWNTOWN], cursor: 'e.1' });
    }
    // Rendering again waits for a frame.
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
  assert.equal(document.body.textContent, 'Downtown Station15 of 18 batteries availableBook1 unreadBooking confirmed');
  assert.equal(document.querySelector('section').className, 'live');
  await acts(() => document.querySelector('section button').click());
  const booked = http.asked.find(({ name }) => name === 'POST /api/stations/1/bookings');
  assert.deepEqual([booked.url.host, booked.headers.get('Authorization')], ['localhost:8080', 'Bearer secret']);
});
