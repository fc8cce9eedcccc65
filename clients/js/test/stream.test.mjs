// A stream over breaks: what it asks for, what it tells, when it is live.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Stream } from '../src/index.js';
import { server, settled, sockets, still } from './scripted.mjs';

const RESET = { type: 'reset', reason: 'expired', cursor: 'e.90' };
const resumed = (cursor, replayed = 0) => ({ type: 'resumed', cursor, replayed });
const booked = (battery_id, cursor) => ({ type: 'battery_booked', station_id: 1, battery_id, cursor });

/** A stream that is started, and its sockets. */
async function started(options = {}) {
  const { WebSocket, made, last } = sockets();
  const stream = new Stream({ url: 'https://live.example', path: '/ws/stations/', WebSocket, ...options });
  const heard = [];
  const conditions = [];
  for (const type of ['resumed', 'reset', '*']) stream.on(type, (event) => heard.push(event));
  stream.watch(() => conditions.at(-1) !== stream.condition && conditions.push(stream.condition));
  stream.start();
  await settled();
  return { stream, made, last, heard, conditions };
}

test('it begins with what comes next, and after a break goes on from its cursor', async (test) => {
  const time = still(test);
  const { stream, made, last, heard, conditions } = await started();
  assert.equal(last().url.href, 'wss://live.example/ws/stations/?since=now');
  last().begin(resumed('e.1'));
  last().say({ type: 'connection_established', message: 'Connected to all_stations', station_id: null }, booked(5, 'e.2'));
  assert.deepEqual([stream.condition, stream.cursor, stream.isWhole], ['live', 'e.2', true]);
  last().end();
  assert.equal(stream.condition, 'offline');
  assert.equal(stream.retryAt, Date.now() + 500);
  await time.pass(500);
  assert.equal(last().since, 'e.2');
  last().begin(resumed('e.2', 2));
  assert.equal(stream.condition, 'catching-up');
  last().say(booked(6, 'e.3'));
  assert.equal(stream.condition, 'catching-up');
  // What has no cursor is none of those that were missed.
  last().say({ type: 'connection_established' }, booked(7, 'e.4'));
  assert.deepEqual([stream.condition, stream.cursor, made.length], ['live', 'e.4', 2]);
  const said = heard.map(({ type, battery_id, cursor }) => [type, battery_id ?? cursor]);
  assert.deepEqual(said, [
    ['resumed', 'e.1'],
    ['connection_established', undefined],
    ['battery_booked', 5],
    ['resumed', 'e.2'],
    ['battery_booked', 6],
    ['connection_established', undefined],
    ['battery_booked', 7],
  ]);
  assert.deepEqual(conditions, ['connecting', 'catching-up', 'live', 'offline', 'connecting', 'catching-up', 'live']);
  stream.close();
});

test('a break in the middle of a replay goes on from there', async (test) => {
  const time = still(test);
  const { stream, last } = await started({ since: 'e.5' });
  assert.equal(last().since, 'e.5');
  last().begin(resumed('e.5', 3));
  last().say(booked(1, 'e.6'));
  last().end();
  await time.pass(500);
  assert.equal(last().since, 'e.6');
  last().begin(resumed('e.6', 2));
  assert.equal(stream.condition, 'catching-up');
  last().say(booked(2, 'e.7'), booked(3, 'e.8'));
  assert.equal(stream.condition, 'live');
  stream.close();
});

test('a reset is told with its reason, and the stream goes on from its cursor', async (test) => {
  const time = still(test);
  const { stream, last, heard } = await started();
  last().begin();
  last().end();
  await time.pass(500);
  last().begin(RESET);
  assert.deepEqual(heard.at(-1), RESET);
  assert.deepEqual([stream.condition, stream.cursor], ['live', 'e.90']);
  last().end();
  await time.pass(1000);
  assert.equal(last().since, 'e.90');
  stream.close();
});

test('events are told by their type until that is ended, and one that throws keeps nothing from the others', async (test) => {
  const time = still(test);
  const { stream, last, heard } = await started();
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  test.after(() => delete globalThis.reportError);
  const ids = [];
  stream.on('battery_booked', () => {
    throw new Error('a defect');
  });
  const end = stream.on('battery_booked', ({ battery_id }) => ids.push(battery_id));
  last().begin();
  last().say(booked(1, 'e.2'), { type: 'station_status', cursor: 'e.3' });
  end();
  last().say(booked(2, 'e.4'));
  assert.deepEqual(ids, [1]);
  assert.deepEqual(reported, ['a defect', 'a defect']);
  assert.deepEqual([heard.length, stream.cursor, stream.condition], [4, 'e.4', 'live']);
  stream.close();
  await time.pass(0);
});

test('with a snapshot it is live when that came, and who resumes is given none', async (test) => {
  const time = still(test);
  const { stream, last, heard } = await started({ query: { snapshot: '1' } });
  assert.equal(last().url.search, '?snapshot=1&since=now');
  last().begin(resumed('e.1'));
  assert.deepEqual([stream.condition, stream.isWhole], ['catching-up', false]);
  last().end();
  await time.pass(500);
  // There is nothing yet to go on from.
  assert.equal(last().since, 'now');
  last().begin(resumed('e.3'));
  last().say({ type: 'connection_established' }, { type: 'stations:snapshot', data: [], cursor: 'e.3' });
  assert.deepEqual([stream.condition, stream.isWhole], ['live', true]);
  last().end();
  await time.pass(1000);
  assert.equal(last().since, 'e.3');
  last().begin(resumed('e.3', 0));
  assert.equal(stream.condition, 'live');
  last().end();
  await time.pass(2000);
  last().begin(RESET);
  assert.deepEqual([stream.condition, stream.isWhole], ['catching-up', false]);
  last().say({ type: 'stations:snapshot', data: [], cursor: 'e.90' });
  assert.equal(stream.condition, 'live');
  assert.equal(heard.filter(({ type }) => type === 'stations:snapshot').length, 2);
  stream.close();
});

/** Listings that the test ends. */
function listings() {
  const begun = [];
  const list = (ask, request, signal) => new Promise((resolve, reject) => begun.push({ ask, request, signal, resolve, reject }));
  return { begun, list };
}

test('a listing that a break cuts off begins anew, and what it had asked for comes to nothing', async (test) => {
  const time = still(test);
  const { begun, list } = listings();
  const asks = [];
  // Its answer is there already when the break is noticed.
  const fetch = (place, { credentials }) => new Promise((resolve) => asks.push({ place, credentials, answer: () => resolve(new Response('{"items":[]}')) }));
  const { stream, last } = await started({ list, fetch, credentials: 'include' });
  last().begin(resumed('e.1'));
  assert.equal(begun.length, 1);
  const asked = begun[0].ask('/api/stations');
  await settled();
  assert.deepEqual([asks[0].place.href, asks[0].credentials], ['https://live.example/api/stations', 'include']);
  last().say(booked(1, 'e.2'));
  last().end();
  assert.ok(begun[0].signal.aborted);
  asks[0].answer();
  await assert.rejects(asked, { name: 'AbortError' });
  // A feed that does not look is not believed: the next connection is another one.
  begun[0].resolve();
  await settled();
  assert.deepEqual([stream.condition, stream.isWhole], ['offline', false]);
  await time.pass(500);
  assert.equal(last().since, 'now');
  last().begin(resumed('e.7'));
  assert.equal(begun.length, 2);
  begun[1].resolve();
  await settled();
  assert.deepEqual([stream.condition, stream.isWhole, stream.cursor], ['live', true, 'e.7']);
  stream.close();
});

test('after a replay all is listed where that is said, and a reset during it begins anew', async (test) => {
  const time = still(test);
  const { begun, list } = listings();
  const { stream, last } = await started({ list, isReplayedWhole: false });
  last().begin();
  begun[0].resolve();
  await settled();
  last().end();
  await time.pass(500);
  last().begin(resumed('e.1', 1));
  assert.equal(begun.length, 1);
  last().say(booked(1, 'e.2'));
  assert.equal(begun.length, 2);
  last().end();
  await time.pass(1000);
  // It was whole before, and its events were told: so it goes on, and lists again.
  assert.equal(last().since, 'e.2');
  last().begin(RESET);
  assert.deepEqual([begun[1].signal.aborted, begun.length, stream.isWhole], [true, 3, false]);
  begun[1].resolve();
  await settled();
  assert.equal(stream.condition, 'catching-up');
  last().end();
  await time.pass(2000);
  assert.equal(last().since, 'now');
  last().begin();
  begun[3].resolve();
  await settled();
  assert.equal(stream.condition, 'live');
  stream.close();
});

test('where everything is replayed, a listing follows only what was not whole', async (test) => {
  const time = still(test);
  const { begun, list } = listings();
  const { stream, last } = await started({ list });
  last().begin();
  begun[0].resolve();
  await settled();
  last().end();
  await time.pass(500);
  last().begin(resumed('e.1', 0));
  assert.deepEqual([stream.condition, begun.length], ['live', 1]);
  last().end();
  await time.pass(1000);
  last().begin(RESET);
  assert.deepEqual([stream.condition, begun.length], ['catching-up', 2]);
  stream.close();
});

test('a listing that fails is tried again over another connection, or is refused', async (test) => {
  const time = still(test);
  const problem = (status, detail) => [status, { status, code: 'X', detail }, { 'Retry-After': '7' }];
  const rows = [
    [problem(503, 'busy'), 'offline', 'busy', 8_750],
    [problem(403, 'not for you'), 'refused', 'not for you', 0],
    [problem(401, 'who are you?'), 'signed-out', 'who are you?', 0],
    [() => Promise.reject(new TypeError('fetch failed')), 'offline', 'the server cannot be reached', 500],
  ];
  for (const [answer, condition, why, pauseMs] of rows) {
    const http = server({ 'GET /api/x': answer });
    const { stream, last } = await started({ list: (ask) => ask('/api/x'), fetch: http.fetch });
    last().begin();
    await settled();
    assert.deepEqual([stream.condition, stream.why, Boolean(last().closed)], [condition, why, true]);
    assert.equal(stream.retryAt, pauseMs && Date.now() + pauseMs, condition);
    stream.close();
  }
  await time.pass(0);
});

test('what cannot be read ends the connection, and it comes back', async (test) => {
  const time = still(test);
  for (const text of ['<html>', '7', 'null', '{"no":"type"}']) {
    const { stream, made, last } = await started();
    last().begin();
    last().say(text);
    assert.deepEqual([stream.condition, Boolean(last().closed)], ['offline', true], text);
    await time.pass(500);
    assert.deepEqual([made.length, last().since], [2, 'e.1'], text);
    stream.close();
  }
});

test('a connection that was given up says nothing more', async (test) => {
  const time = still(test);
  const { stream, made, last, heard } = await started();
  last().begin();
  stream.connect();
  await settled();
  made[0].say(booked(1, 'e.2'));
  made[0].end(4404);
  assert.deepEqual([heard.length, stream.cursor, stream.condition], [1, 'e.1', 'connecting']);
  last().begin(resumed('e.1', 0));
  assert.equal(stream.condition, 'live');
  stream.close();
  await time.pass(0);
});
