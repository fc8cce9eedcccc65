// What ends a connection, and whether and when the next one comes.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mock, test } from 'node:test';
import { Stream } from '../src/index.js';
import { page, server, settled, sockets, still } from './scripted.mjs';

/** A stream that is started, and its sockets. */
async function started(options = {}) {
  const { WebSocket, made, last } = sockets();
  const stream = new Stream({ url: 'http://127.0.0.1:8000', path: '/ws/stations/', WebSocket, ...options });
  stream.start();
  await settled();
  return { stream, made, last };
}

/** The same, live. */
async function live(options) {
  const all = await started(options);
  all.last().begin();
  assert.equal(all.stream.condition, 'live');
  return all;
}

test('pauses grow to their cap, and are drawn by chance', async (test) => {
  const time = still(test);
  const { stream, made, last } = await started();
  const pauses = [];
  for (let tries = 0; tries < 9; tries += 1) {
    last().end();
    pauses.push(stream.retryAt - Date.now());
    await time.pass(pauses.at(-1) - 1);
    assert.equal(made.length, tries + 1);
    await time.pass(1);
    assert.equal(made.length, tries + 2);
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16000, 20000, 20000, 20000]);
  for (const [random, pauseMs] of [[0, 10_000], [0.999, 29_980]]) {
    time.chance.mock.mockImplementation(() => random);
    last().end();
    assert.equal(stream.retryAt - Date.now(), pauseMs);
    await time.pass(pauseMs);
  }
  stream.close();
});

test('a server that is down at the start is waited for', async (test) => {
  const time = still(test);
  const { stream, made, last } = await started();
  assert.equal(stream.condition, 'connecting');
  last().end();
  assert.deepEqual([stream.condition, stream.why], ['offline', '']);
  await time.pass(500);
  last().end();
  await time.pass(1000);
  assert.equal(made.length, 3);
  last().begin();
  assert.equal(stream.condition, 'live');
  stream.close();
});

test('a good connection makes pauses short again, one that breaks at once does not', async (test) => {
  const time = still(test);
  const { stream, last } = await live();
  const pauses = [];
  for (const liveMs of [9_999, 9_999, 0, 10_000, 0]) {
    await time.pass(liveMs);
    last().end();
    pauses.push(stream.retryAt - Date.now());
    await time.pass(pauses.at(-1));
    last().begin();
  }
  assert.deepEqual(pauses, [500, 1000, 2000, 500, 1000]);
  stream.close();
});

test('close codes: those against which trying again does not help, and the others', async (test) => {
  const time = still(test);
  const final = [
    [1002, 400, 'the connection broke the protocol'],
    [1003, 400, 'the connection broke the protocol'],
    [1007, 400, 'the connection broke the protocol'],
    [1008, 422, 'the server refuses what this page sends'],
    [1009, 413, 'a message was too large for the server'],
    [4403, 403, 'the server refuses this page'],
    [4404, 404, 'this server has nothing live here'],
  ];
  for (const [code, status, words] of final) {
    const { stream, made, last } = await started();
    last().open();
    last().end(code);
    assert.deepEqual([stream.condition, stream.why, stream.error.status], ['refused', words, status], String(code));
    await time.pass(3_600_000);
    assert.equal(made.length, 1, String(code));
    // Somebody may know better.
    stream.connect();
    await settled();
    last().begin();
    assert.deepEqual([stream.condition, stream.error], ['live', null], String(code));
    stream.close();
  }
  const passing = [
    [1000, '', 500],
    [1001, '', 500],
    [1005, '', 500],
    [1006, '', 500],
    [1011, '', 500],
    [1012, 'the server restarts', 500],
    [1013, 'the server is busy', 2_500],
    [4408, 'this page did not keep up', 500],
    [4429, 'there were too many connections', 18_750],
  ];
  for (const [code, words, pauseMs] of passing) {
    const { stream, made, last } = await live();
    last().say({ type: 'battery_added', cursor: 'e.2' });
    last().end(code);
    assert.deepEqual([stream.condition, stream.why, stream.retryAt - Date.now()], ['offline', words, pauseMs], String(code));
    await time.pass(pauseMs);
    assert.deepEqual([made.length, last().since], [2, 'e.2'], String(code));
    stream.close();
  }
});

test('what the server said of it is what is told of it', async (test) => {
  still(test);
  const { stream, last } = await started({ path: '/ws/stations/9/' });
  const errors = [];
  stream.on('error', ({ message }) => errors.push(message));
  last().open();
  last().say({ type: 'error', message: 'Station not found: 9' });
  last().end(4404);
  assert.deepEqual([stream.condition, stream.why], ['refused', 'Station not found: 9']);
  assert.deepEqual([stream.error.status, stream.error.code, errors], [404, 'NOT_FOUND', ['Station not found: 9']]);
  // What was said long before says nothing of this end.
  const other = await live();
  other.last().say({ type: 'error', message: 'Invalid JSON' }, { type: 'battery_added', cursor: 'e.2' });
  other.last().end(1012);
  assert.equal(other.stream.why, 'the server restarts');
  other.stream.close();
});

test('a snapshot that is too much is left out', async (test) => {
  still(test);
  const query = { snapshot: '1', alarms: '1' };
  const asksLess = () => 'snapshot' in query && delete query.snapshot;
  const { stream, made, last } = await started({ query: () => query, asksLess });
  last().open();
  last().end(1008);
  await settled();
  assert.deepEqual([made.length, last().url.search], [2, '?alarms=1&since=now']);
  last().begin();
  assert.equal(stream.condition, 'live');
  last().end(1008);
  assert.equal(stream.condition, 'refused');
});

test('a socket that is half open is noticed, one that is only quiet is kept', async (test) => {
  const time = still(test);
  const { stream, made, last } = await live();
  await time.pass(29_999);
  assert.deepEqual(last().sent, []);
  await time.pass(1);
  assert.deepEqual(last().sent, [{ type: 'ping' }]);
  await time.pass(7_999);
  last().say({ type: 'pong' });
  assert.equal(stream.condition, 'live');
  // What comes counts, whatever it is; each puts the question off.
  for (let at = 0; at < 10; at += 1) {
    await time.pass(20_000);
    last().say({ type: 'battery_added', cursor: `e.${at}` });
  }
  assert.equal(last().sent.length, 1);
  await time.pass(30_000);
  assert.equal(last().sent.length, 2);
  await time.pass(7_999);
  assert.equal(stream.condition, 'live');
  await time.pass(1);
  assert.deepEqual([stream.condition, last().closed !== undefined], ['offline', true]);
  await time.pass(500);
  assert.deepEqual([made.length, last().since], [2, 'e.9']);
  stream.close();
});

test('a connection that says nothing is given up: in the handshake, and behind it', async (test) => {
  const time = still(test);
  for (const opens of [false, true]) {
    const { stream, last } = await started();
    if (opens) last().open();
    await time.pass(9_999);
    assert.equal(stream.condition, 'connecting');
    await time.pass(1);
    assert.deepEqual([stream.condition, last().closed !== undefined], ['offline', true]);
    stream.close();
  }
});

test('a page that slept asks before it gives a connection up', async (test) => {
  const time = still(test);
  const { stream, made, last } = await live();
  await time.pass(30_000);
  assert.equal(last().sent.length, 1);
  // The answer may lie there, unread; so lateness alone proves nothing.
  await time.sleep(3 * 3_600_000);
  assert.deepEqual([stream.condition, last().sent.length], ['live', 2]);
  last().say({ type: 'pong' });
  await time.pass(8_000);
  assert.deepEqual([stream.condition, made.length], ['live', 1]);
  await time.pass(30_000);
  await time.pass(8_000);
  assert.equal(stream.condition, 'offline');
  stream.close();
});

test('a clock that is put back does not put the question off', async (test) => {
  const time = still(test);
  const { stream, last } = await live();
  await time.pass(20_000);
  last().say({ type: 'battery_added', cursor: 'e.2' });
  const now = Date.now();
  const clock = mock.method(Date, 'now', () => now - 3_600_000);
  await time.pass(10_000);
  clock.mock.restore();
  assert.deepEqual(last().sent, [{ type: 'ping' }]);
  stream.close();
});

test('the network goes, and comes back', async (test) => {
  const { tell, window, document } = page(test);
  const listeners = () => ['online', 'offline', 'pageshow'].map((type) => getEventListeners(window, type).length);
  const time = still(test);
  const { stream, made, last } = await live();
  tell('offline');
  assert.deepEqual(last().sent, [{ type: 'ping' }]);
  tell('offline');
  assert.equal(last().sent.length, 1);
  await time.pass(8_000);
  assert.equal(stream.condition, 'offline');
  // Long pauses by now.
  for (let tries = 0; tries < 6; tries += 1) {
    await time.pass(stream.retryAt - Date.now());
    last().end();
  }
  const before = made.length;
  assert.ok(stream.retryAt - Date.now() > 10_000);
  tell('online');
  assert.equal(stream.retryAt - Date.now(), 500);
  await time.pass(500);
  assert.equal(made.length, before + 1);
  last().begin({ type: 'resumed', cursor: 'e.1', replayed: 0 });
  tell('online');
  assert.deepEqual([made.length, stream.condition], [before + 1, 'live']);
  assert.deepEqual(listeners(), [1, 1, 1]);
  stream.close();
  assert.deepEqual([listeners(), getEventListeners(document, 'visibilitychange').length], [[0, 0, 0], 0]);
  tell('online');
  tell('pageshow', { persisted: true });
  await time.pass(60_000);
  assert.equal(made.length, before + 1);
});

test('a page that is looked at again after hours is live soon', async (test) => {
  const { show, tell } = page(test);
  const time = still(test);
  const { stream, made, last } = await live();
  show(false);
  await time.pass(4_999);
  show(true);
  assert.deepEqual(last().sent, []);
  show(false);
  await time.pass(1);
  assert.deepEqual(last().sent, []);
  show(true);
  assert.deepEqual(last().sent, [{ type: 'ping' }]);
  last().say({ type: 'pong' });
  // The browser closed the socket, and its event is still to come.
  last().readyState = 3;
  tell('pageshow', { persisted: false });
  assert.equal(stream.condition, 'live');
  tell('pageshow', { persisted: true });
  assert.equal(stream.condition, 'offline');
  // It waits for another try: nobody who looks at it wants to.
  show(true);
  await settled();
  assert.deepEqual([made.length, stream.condition, last().since], [2, 'connecting', 'e.1']);
  // What is under way goes on.
  show(true);
  await settled();
  assert.equal(made.length, 2);
  stream.close();
  await time.pass(0);
});

test('closing: while connecting, twice, by a listener; it can be started again', async (test) => {
  const time = still(test);
  const early = await started();
  early.stream.close();
  assert.deepEqual([early.stream.condition, early.last().closed], ['closed', { code: 1000 }]);
  early.last().begin();
  early.last().end();
  assert.equal(early.stream.condition, 'closed');
  early.stream.close();
  await time.pass(60_000);
  assert.equal(early.made.length, 1);

  const waiting = await live();
  waiting.last().end();
  waiting.stream.close();
  await time.pass(60_000);
  assert.deepEqual([waiting.made.length, waiting.stream.retryAt], [1, 0]);

  const { stream, made, last } = await live();
  const ids = [];
  stream.on('battery_booked', ({ battery_id }) => {
    ids.push(battery_id);
    stream.close();
  });
  last().say({ type: 'battery_booked', battery_id: 1, cursor: 'e.2' }, { type: 'battery_booked', battery_id: 2, cursor: 'e.3' });
  assert.deepEqual([ids, stream.condition], [[1], 'closed']);
  stream.start();
  stream.start();
  await settled();
  assert.deepEqual([made.length, last().since], [2, 'e.2']);
  last().begin({ type: 'resumed', cursor: 'e.2', replayed: 0 });
  stream.start();
  await settled();
  assert.deepEqual([made.length, stream.condition], [2, 'live']);
  stream.close();
});

test('a listener may close it with whatever would make it live', async (test) => {
  const time = still(test);
  const last = { type: 'battery_booked', battery_id: 1, cursor: 'e.2' };
  for (const [type, query, first, then] of [
    ['resumed', {}, { type: 'resumed', cursor: 'e.1', replayed: 0 }, []],
    ['reset', {}, { type: 'reset', reason: 'epoch', cursor: 'e.1' }, []],
    ['stations:snapshot', { snapshot: '1' }, undefined, [{ type: 'stations:snapshot', data: [], cursor: 'e.1' }]],
    ['battery_booked', {}, { type: 'resumed', cursor: 'e.1', replayed: 1 }, [last]],
  ]) {
    const since = type === 'battery_booked' ? 'e.1' : undefined;
    const all = await started({ query, since });
    all.stream.on(type, () => all.stream.close());
    all.last().begin(first);
    all.last().say(...then);
    await settled();
    assert.equal(all.stream.condition, 'closed', type);
  }
  await time.pass(0);
});

test('closing while it lists ends the listing', async (test) => {
  still(test);
  let ended;
  const list = (ask, request, signal) => new Promise(() => signal.addEventListener('abort', () => (ended = true)));
  const { stream, last } = await started({ list });
  last().begin();
  stream.close();
  assert.deepEqual([ended, stream.condition, stream.isWhole], [true, 'closed', false]);
});

test('mounted, unmounted and mounted again at once it makes one connection', async (test) => {
  still(test);
  const { WebSocket, made, last } = sockets();
  const stream = new Stream({ url: 'http://127.0.0.1:8000', path: '/ws/stations/', WebSocket });
  stream.start();
  stream.close();
  stream.start();
  await settled();
  last().begin();
  assert.deepEqual([made.length, stream.condition], [1, 'live']);
  stream.close();
});

test('a socket that cannot be made is no defect of the page', async (test) => {
  const time = still(test);
  class None {
    constructor() {
      throw new Error('the address is refused');
    }
  }
  const { stream } = await started({ WebSocket: None });
  assert.deepEqual([stream.condition, stream.why, stream.error?.message], ['offline', 'the server cannot be reached', 'the address is refused']);
  stream.close();
  assert.equal(stream.error, null);
  assert.throws(() => new Stream({ path: '/ws/stations/' }), TypeError);
  await time.pass(0);
});

test('a thousand streams that lost one server come back spread out', async (test) => {
  const time = still(test);
  time.chance.mock.restore();
  const { WebSocket, made } = sockets();
  const streams = Array.from({ length: 1_000 }, () => new Stream({ url: 'http://x', path: '/ws/stations/', WebSocket }));
  for (const stream of streams) stream.start();
  await settled();
  for (const socket of [...made]) socket.end(1012);
  const counts = [];
  for (let slice = 0; slice < 10; slice += 1) {
    const before = made.length;
    await time.pass(50);
    if (slice >= 5) counts.push(made.length - before);
    else assert.ok(made.length - before <= (slice < 4 ? 0 : 150), `slice ${slice}`);
  }
  assert.ok(Math.max(...counts) < 200, String(counts));
  for (const stream of streams) stream.close();
});
