// The same over real sockets: how a server that dies, hangs or refuses looks to the client is not in the test's hands.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { Stream } from '../src/index.js';

/** A server; `serve` is called with each socket and its URL. It ends with the test. */
async function listening(test, serve, port = 0) {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (socket, request) => serve(socket, new URL(request.url, 'http://x')));
  http.listen(port, '127.0.0.1');
  await once(http, 'listening');
  /** As a process that is killed. */
  const kill = async () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  };
  test.after(kill);
  return { port: http.address().port, kill };
}

/** A stream to a server here; it ends with the test, however that ends. */
function streamTo(test, port) {
  const stream = new Stream({ url: `http://127.0.0.1:${port}`, path: '/ws/stations/', WebSocket });
  test.after(() => stream.close());
  return stream;
}

/** Waits until `find` gives something that holds. */
function until(stream, find, limitMs = 10_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`it is ${stream.condition}: ${stream.why}`)), limitMs);
    const look = () => {
      if (!find()) return;
      clearTimeout(timer);
      end();
      resolve(undefined);
    };
    const end = stream.watch(look);
    look();
  });
}

const say = (socket, frame) => socket.send(JSON.stringify(frame));

test('over the end of a server it goes on, and a call that was lost is done once', async (test) => {
  const asked = [];
  const done = new Map();
  let answers = false;
  const serve = (socket, url) => {
    const since = url.searchParams.get('since');
    asked.push(since);
    say(socket, { type: 'resumed', cursor: since === 'now' ? 'e.1' : since, replayed: since === 'now' ? 0 : 1 });
    say(socket, { type: 'battery_added', battery_id: asked.length, cursor: `e.${asked.length + 1}` });
    socket.on('message', (text) => {
      const { type, id, idempotency_key: key } = JSON.parse(text);
      if (type === 'ping') return say(socket, { type: 'pong' });
      done.set(key, (done.get(key) ?? 0) + 1);
      if (answers) say(socket, { type: `${type}:response`, success: true, data: 'booked', id });
      else server.kill();
      return undefined;
    });
  };
  let server = await listening(test, serve);
  const { port } = server;
  const stream = streamTo(test, port);
  const ids = [];
  stream.on('battery_added', ({ battery_id }) => ids.push(battery_id));
  stream.start();
  await until(stream, () => stream.isLive);
  const call = stream.call('stations.book', { station_id: 1 }, { retry: true });
  await until(stream, () => stream.condition === 'offline');
  answers = true;
  server = await listening(test, serve, port);
  assert.equal(await call, 'booked');
  await until(stream, () => stream.isLive && ids.length === 2);
  assert.deepEqual([asked, ids, [...done.values()]], [['now', 'e.2'], [1, 2], [2]]);
});

test('a server that is not there, one that is no WebSocket, and one that refuses', async (test) => {
  const plain = createServer((_, response) => response.writeHead(503).end());
  plain.on('upgrade', (_, socket) => socket.end('HTTP/1.1 429 Too Many Requests\r\n\r\n'));
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  test.after(() => plain.close());
  const { port } = plain.address();
  const stream = streamTo(test, port);
  stream.start();
  await until(stream, () => stream.condition === 'offline');
  plain.close();
  plain.closeAllConnections();
  await until(stream, () => stream.condition === 'connecting');
  await until(stream, () => stream.condition === 'offline');
  const server = await listening(test, (socket) => {
    say(socket, { type: 'error', message: 'Station not found: 9' });
    socket.close(4404, 'not found');
  }, port);
  await until(stream, () => stream.condition === 'refused');
  assert.deepEqual([stream.why, stream.error?.status], ['Station not found: 9', 404]);
});

test('who closes says so', { timeout: 30_000 }, async (test) => {
  const closes = [];
  const server = await listening(test, (socket) => {
    say(socket, { type: 'resumed', cursor: 'e.1', replayed: 0 });
    socket.on('close', (code) => closes.push(code));
  });
  const stream = streamTo(test, server.port);
  stream.start();
  await until(stream, () => stream.isLive);
  stream.close();
  stream.close();
  while (closes.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(closes, [1000]);
});
