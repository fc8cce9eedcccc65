// The example of the README is run as it stands there, but for the server's address.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { WebSocketServer } from 'ws';

const DOWNTOWN = { id: 1, name: 'Downtown Station', status: 'online', available_batteries: 15, booked_batteries: 3, total_batteries: 18 };
const UPDATE = { type: 'inventory_update', station_id: 1, station_name: DOWNTOWN.name, available_batteries: 14, action: 'book', cursor: 'e.2' };

/** A server that knows what the example asks for. */
async function listening(test) {
  const answer = (request, response) => {
    const says = { '/api/auth/login': { token: 'secret' }, '/api/auth/ticket': { ticket: 'once' } }[request.url];
    response.writeHead(says ? 200 : 404).end(JSON.stringify(says ?? {}));
  };
  const http = createServer(answer);
  new WebSocketServer({ server: http }).on('connection', (socket, { url }) => {
    const say = (frame) => socket.send(JSON.stringify(frame));
    assert.equal(url, '/ws/stations/?snapshot=1&since=now&ticket=once');
    say({ type: 'resumed', cursor: 'e.1', replayed: 0 });
    say({ type: 'stations:snapshot', data: [DOWNTOWN], cursor: 'e.1' });
    socket.on('message', (text) => {
      say({ type: 'stations.book:response', success: true, data: { id: 123, battery_id: 4 }, id: JSON.parse(text).id });
      say(UPDATE);
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  test.after(() => (http.closeAllConnections(), http.close()));
  return http.address().port;
}

test('the example of the README', { timeout: 30_000 }, async (test) => {
  const port = await listening(test);
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, example] = /```js\n(.*?)```/s.exec(readme);
  const folder = await mkdtemp(join(tmpdir(), 'bellwire-readme-'));
  test.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'example.mjs');
  await writeFile(file, example.replace('http://localhost:8080', `http://127.0.0.1:${port}`));
  const packages = new URL('../../../tests/clients/packages.mjs', import.meta.url).href;
  const child = spawn(process.execPath, ['--import', packages, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  test.after(() => child.kill());
  const lines = [];
  let said = '';
  for await (const chunk of child.stdout) {
    said += chunk;
    lines.splice(0, Infinity, ...said.trim().split('\n'));
    if (lines.length >= 6) break;
  }
  const expected = [
    'connecting',
    'catching-up',
    'Downtown Station: 15 available',
    'live',
    'Downtown Station: 14 available after book',
    'battery 4 is booked',
  ];
  assert.deepEqual(lines.sort(), expected.sort());
});
