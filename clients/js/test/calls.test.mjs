// Calls over a stream: their replies, refusals, and what becomes of them when the connection does.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lost, Refused, Stream } from '../src/index.js';
import { settled, sockets, still } from './scripted.mjs';

async function live() {
  const { WebSocket, made, last } = sockets();
  const stream = new Stream({ url: 'http://x', path: '/ws/stations/', WebSocket });
  stream.start();
  await settled();
  last().begin();
  return { stream, made, last, sent: () => last().sent.at(-1) };
}

/** What a promise has come to, without waiting for it. */
function outcome(promise) {
  const found = { is: 'pending' };
  promise.then(
    (value) => Object.assign(found, { is: 'done', value }),
    (error) => Object.assign(found, { is: error.name, error }),
  );
  return found;
}

test('a call gives what the reply has, in whatever order replies come', async (test) => {
  still(test);
  const { stream, last } = await live();
  const first = stream.call('stations.book', { station_id: 1 });
  const second = stream.call('states:delete', { state_id: 2 });
  const third = stream.call('subscribe_entities', {});
  const [one, two, three] = last().sent;
  assert.deepEqual(Object.keys(one), ['station_id', 'type', 'idempotency_key', 'id']);
  assert.match(one.idempotency_key, /^[0-9a-f]{32}$/);
  assert.notEqual(one.idempotency_key, two.idempotency_key);
  last().say({ type: 'states:delete:response', success: true, message: 'State 2 deleted successfully', id: two.id });
  last().say({ type: 'stations.book:response', success: true, data: { id: 123 }, id: one.id });
  last().say({ type: 'states:snapshot', data: [1], cursor: 'e.9', id: three.id });
  assert.deepEqual(await first, { id: 123 });
  assert.deepEqual(await second, { message: 'State 2 deleted successfully' });
  assert.deepEqual([await third, stream.cursor], [[1], 'e.9']);
  stream.close();
});

test('a refusal has the words of the server, and its code where it says one', async (test) => {
  still(test);
  const { stream, last, sent } = await live();
  const rows = [
    [{ type: 'error', message: 'battery 5 is not available' }, 400, undefined, 'battery 5 is not available'],
    [{ type: 'error', message: 'Sensor not found: 7', code: 'UNKNOWN_SENSOR' }, 400, 'UNKNOWN_SENSOR', 'Sensor not found: 7'],
    [{ type: 'error', error: 'no such room', code: 'NOT_FOUND' }, 404, 'NOT_FOUND', 'no such room'],
    [{ type: 'states:get:response', success: false, error: 'State not found: x.y' }, 400, undefined, 'State not found: x.y'],
    [{ type: 'error', message: 'later', code: 'OVERLOADED' }, 503, 'OVERLOADED', 'later'],
    [{ type: 'x:response', success: false }, 400, undefined, 'the server refused it'],
  ];
  for (const [reply, status, code, message] of rows) {
    const call = stream.call('stations.book', {}, { retry: true });
    last().say({ ...reply, id: sent().id });
    await assert.rejects(call, (error) => {
      assert.ok(error instanceof Refused);
      assert.deepEqual([error.status, error.code, error.message], [status, code, message]);
      return true;
    });
  }
  assert.equal(stream.condition, 'live');
  stream.close();
});

test('without a connection, and when it breaks, a call is lost; its key is told', async (test) => {
  const time = still(test);
  const { stream, last, sent } = await live();
  const cut = outcome(stream.call('stations.book', { station_id: 1 }));
  const { idempotency_key: key } = sent();
  last().end();
  await settled();
  assert.deepEqual([cut.is, cut.error instanceof Lost, cut.error.idempotencyKey], ['Lost', true, key]);
  await assert.rejects(stream.call('stations.book', {}), { message: 'there is no connection' });
  await time.pass(500);
  // The handshake is under way.
  await assert.rejects(stream.call('stations.book', {}), { message: 'there is no connection' });
  last().begin({ type: 'resumed', cursor: 'e.1', replayed: 0 });
  assert.deepEqual(last().sent, []);
  const again = stream.call('stations.book', { station_id: 1 }, { idempotencyKey: key });
  assert.equal(sent().idempotency_key, key);
  last().say({ type: 'stations.book:response', success: true, data: { id: 1 }, id: sent().id });
  assert.deepEqual(await again, { id: 1 });
  stream.close();
});

test('calls that may be repeated are, in their order and with their keys, until they are answered', async (test) => {
  const time = still(test);
  const { stream, made, last } = await live();
  const first = outcome(stream.call('stations.book', { station_id: 1 }, { retry: true }));
  const done = outcome(stream.call('stations.book', { station_id: 2 }, { retry: true }));
  last().say({ type: 'stations.book:response', success: true, data: 2, id: last().sent[1].id });
  last().end();
  const third = outcome(stream.call('stations.book', { station_id: 3 }, { retry: true }));
  await time.pass(500);
  const fourth = outcome(stream.call('stations.book', { station_id: 4 }, { retry: true }));
  assert.deepEqual(last().sent, []);
  last().open();
  const repeated = last().sent;
  assert.deepEqual(repeated.map(({ station_id }) => station_id), [1, 3, 4]);
  assert.deepEqual(repeated[0], made[0].sent[0]);
  last().end();
  await time.pass(1000);
  last().begin({ type: 'resumed', cursor: 'e.1', replayed: 0 });
  assert.deepEqual(last().sent, repeated);
  for (const { id, station_id } of repeated) last().say({ type: 'stations.book:response', success: true, data: station_id, id });
  await settled();
  assert.deepEqual([first, done, third, fourth].map(({ value }) => value), [1, 2, 3, 4]);
  last().end();
  await time.pass(4000);
  last().begin({ type: 'resumed', cursor: 'e.1', replayed: 0 });
  assert.deepEqual([made.length, last().sent], [4, []]);
  stream.close();
});

test('no answer: each call has its time', async (test) => {
  const time = still(test);
  const { stream, last } = await live();
  const calls = [
    outcome(stream.call('a')),
    outcome(stream.call('b', {}, { retry: true })),
    outcome(stream.call('c', {}, { timeoutMs: 100 })),
    outcome(stream.call('d', {}, { retry: true, timeoutMs: Infinity })),
  ];
  const are = () => calls.map(({ is }) => is);
  await time.pass(100);
  assert.deepEqual(are(), ['pending', 'pending', 'Lost', 'pending']);
  await time.pass(14_900);
  assert.deepEqual(are(), ['Lost', 'pending', 'Lost', 'pending']);
  for (let at = 0; at < 9; at += 1) {
    await time.pass(5_000);
    last().say({ type: 'pong' });
  }
  assert.deepEqual(are(), ['Lost', 'Lost', 'Lost', 'pending']);
  assert.equal(calls[1].error.message, 'no answer came');
  // What comes too late is no event either.
  const heard = [];
  stream.on('*', (event) => heard.push(event));
  stream.close();
  await settled();
  assert.deepEqual([are()[3], calls[3].error.message, heard], ['Lost', 'the stream was closed', []]);
});

test('a call can be given up', async (test) => {
  const time = still(test);
  const { stream, last } = await live();
  const giving = new AbortController();
  const call = outcome(stream.call('a', {}, { retry: true, signal: giving.signal }));
  giving.abort(new Error('nobody wants it any more'));
  await settled();
  assert.equal(call.error.message, 'nobody wants it any more');
  await assert.rejects(stream.call('a', {}, { signal: giving.signal }), { message: 'nobody wants it any more' });
  assert.equal(last().sent.length, 1);
  last().end();
  await time.pass(500);
  last().begin();
  assert.deepEqual(last().sent, []);
  stream.close();
});

test('where no connection will come, nothing waits for one', async (test) => {
  still(test);
  for (const [code, message] of [
    [4404, 'this server has nothing live here'],
    [4401, 'the server does not know who this is'],
  ]) {
    const { stream, last } = await live();
    const call = outcome(stream.call('a', {}, { retry: true }));
    last().end(code);
    await settled();
    assert.deepEqual([call.is, call.error.message], ['Lost', message]);
    await assert.rejects(stream.call('a', {}, { retry: true }), { message: 'there is no connection' });
  }
});

test('limits: the largest message, and the most calls', async (test) => {
  still(test);
  const { stream, last } = await live();
  const frame = (length) => ({ text: 'é'.repeat(length), type: 'a', id: 'call-1' });
  const over = 65_536 - new TextEncoder().encode(JSON.stringify(frame(0))).length;
  await assert.rejects(stream.request({ type: 'a', text: 'é'.repeat(over / 2 + 1) }), { status: 413, code: 'TOO_LARGE' });
  assert.deepEqual([last().sent, stream.condition], [[], 'live']);
  const calls = Array.from({ length: 1_000 }, () => outcome(stream.call('a')));
  await assert.rejects(stream.call('a', {}, { retry: true }), { message: 'too many calls wait for an answer' });
  last().say({ type: 'a:response', success: true, data: 1, id: last().sent[0].id });
  const next = outcome(stream.call('a'));
  stream.close();
  await settled();
  assert.deepEqual([calls[0].is, calls[999].is, next.error.message], ['done', 'Lost', 'the stream was closed']);
});

test('an event with an id answers nothing', async (test) => {
  still(test);
  const { stream, last } = await live();
  const call = outcome(stream.call('a'));
  const heard = [];
  stream.on('*', ({ type, id }) => heard.push([type, id]));
  last().say({ type: 'ping_pong', id: 1 }, { type: 'notification', id: 'call-2' });
  await settled();
  assert.deepEqual([call.is, heard.length], ['pending', 2]);
  stream.close();
});

test('a request is sent as it is, and gives the whole reply; what needs none is only sent', async (test) => {
  still(test);
  const { stream, last, sent } = await live();
  const reply = stream.request({ type: 'message', data: { message: 'Hello' } });
  assert.deepEqual(sent(), { type: 'message', data: { message: 'Hello' }, id: 'call-1' });
  last().say({ type: 'message:response', success: true, messageID: 7, id: 'call-1' });
  assert.deepEqual(await reply, { success: true, messageID: 7 });
  assert.equal(stream.send({ type: 'typingMessageStart' }), true);
  stream.close();
  assert.equal(stream.send({ type: 'typingMessageStart' }), false);
});

test('what was sent under one token is not sent under another one', async (test) => {
  const time = still(test);
  for (const [first, second, others] of [
    ['one', 'two', true],
    ['one', 'one', false],
    ['one', null, true],
    [null, 'two', true],
    [null, null, false],
  ]) {
    const { WebSocket, last } = sockets();
    let token = first;
    const stream = new Stream({ url: 'http://x', path: '/ws/stations/', showing: 'query', getToken: () => token, WebSocket });
    stream.start();
    await settled();
    last().begin();
    const sent = outcome(stream.call('stations.book', { station_id: 1 }, { retry: true }));
    const { idempotency_key: key } = last().sent[0];
    last().end();
    const unsent = outcome(stream.call('stations.book', { station_id: 2 }, { retry: true }));
    token = second;
    await time.pass(500);
    last().begin();
    await settled();
    const row = `${first} then ${second}`;
    assert.deepEqual(last().sent.map(({ station_id }) => station_id), others ? [2] : [1, 2], row);
    assert.deepEqual([sent.is, sent.error?.idempotencyKey, unsent.is], others ? ['Lost', key, 'pending'] : ['pending', undefined, 'pending'], row);
    // By now the other one was sent, too, and what is made while it is live counts as sent under this one.
    const later = outcome(stream.call('stations.book', { station_id: 3 }, { retry: true }));
    last().end();
    token = 'three';
    await time.pass(1_000);
    last().begin();
    await settled();
    assert.deepEqual([last().sent, unsent.is, later.is], [[], 'Lost', 'Lost'], row);
    stream.close();
  }
});
