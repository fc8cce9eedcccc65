// Who a stream is for: tokens, tickets, the cookie; and what becomes of one that is no good any more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refused, Stream } from '../src/index.js';
import { server, settled, sockets, still } from './scripted.mjs';

async function started(options) {
  const { WebSocket, made, last } = sockets();
  const stream = new Stream({ url: 'https://live.example', path: '/ws/notifications/', showing: 'query', WebSocket, ...options });
  stream.start();
  await settled();
  return { stream, made, last, token: () => last().url.searchParams.get('token') };
}

/** The server says why, and closes. */
function refuse(socket, message = 'token expired') {
  socket.say({ type: 'error', message });
  socket.end(4401);
}

test('a token that expires is replaced, and nothing is missed', async (test) => {
  const time = still(test);
  const asked = [];
  const whys = [];
  const getToken = ({ isRefused, why }) => (whys.push(why), asked.push(isRefused), `t${asked.length}`);
  const { stream, made, last, token } = await started({ getToken });
  assert.equal(token(), 't1');
  last().begin();
  last().say({ type: 'notification', cursor: 'e.2' });
  await time.pass(3_600_000 / 2);
  refuse(last());
  await settled();
  // At once: whoever has a good token need not wait.
  assert.deepEqual([made.length, token(), last().since, asked], [2, 't2', 'e.2', [false, true]]);
  last().begin({ type: 'resumed', cursor: 'e.2', replayed: 0 });
  assert.equal(stream.condition, 'live');
  // Hours later it expires again.
  await time.pass(10_000);
  refuse(last());
  await settled();
  assert.deepEqual([token(), asked, whys], ['t3', [false, true, true], ['', 'token expired', 'token expired']]);
  stream.close();
});

test('who is refused again right away has to sign in', async (test) => {
  const time = still(test);
  const asked = [];
  const getToken = (about) => (asked.push(about.isRefused), `t${asked.length}`);
  const { stream, made, last } = await started({ getToken });
  refuse(last(), 'token revoked');
  await settled();
  refuse(last(), 'token revoked');
  await settled();
  assert.deepEqual([stream.condition, stream.why, stream.error.status], ['signed-out', 'token revoked', 401]);
  await time.pass(3_600_000);
  assert.deepEqual([made.length, asked], [2, [false, true]]);
  // A connection that was let in for a moment proves nothing either.
  stream.connect();
  await settled();
  last().begin();
  await time.pass(9_999);
  refuse(last());
  await settled();
  assert.deepEqual([stream.condition, made.length], ['signed-out', 3]);
});

test('the same token again, or none at all, is not tried', async (test) => {
  still(test);
  for (const options of [{ getToken: () => 'same' }, { token: 'same' }, {}]) {
    const { stream, made, last } = await started(options);
    last().begin();
    refuse(last(), 'authentication required');
    await settled();
    assert.deepEqual([stream.condition, stream.why, made.length], ['signed-out', 'authentication required', 1]);
  }
});

test('another cookie may be there: it is tried once', async (test) => {
  still(test);
  const { stream, made, last } = await started({ getToken: () => null });
  assert.equal(last().url.search, '?since=now');
  refuse(last());
  await settled();
  assert.equal(made.length, 2);
  refuse(last());
  await settled();
  assert.deepEqual([stream.condition, made.length], ['signed-out', 2]);
});

test('who gives tokens may refuse, fail, or take too long', async (test) => {
  const time = still(test);
  let asked = 0;
  const rows = [
    [() => Promise.reject(new Refused(401, `sign in ${(asked += 1)}`)), 'signed-out', 'sign in 1'],
    [() => Promise.reject(new Refused(403, 'not here')), 'refused', 'not here'],
    [() => Promise.reject(new TypeError('no network')), 'offline', 'the server cannot be reached'],
  ];
  for (const [getToken, condition, why] of rows) {
    const { stream, made } = await started({ getToken });
    assert.deepEqual([stream.condition, stream.why, made.length], [condition, why, 0]);
    stream.close();
  }
  let give;
  const { stream, made } = await started({ getToken: () => new Promise((resolve) => (give = resolve)) });
  await time.pass(9_999);
  assert.equal(stream.condition, 'connecting');
  await time.pass(1);
  assert.equal(stream.condition, 'offline');
  // It comes too late for that try.
  give('late');
  await settled();
  assert.equal(made.length, 0);
  stream.close();
  give('later');
  await time.pass(60_000);
  assert.equal(made.length, 0);
});

test('a ticket stands for the token, each once', async (test) => {
  const time = still(test);
  let tickets = 0;
  const http = server({ 'POST /api/auth/ticket': () => [201, { ticket: `ticket-${(tickets += 1)}` }] });
  const { stream, last } = await started({ token: 'secret', showing: undefined, fetch: http.fetch });
  assert.equal(last().url.search, '?since=now&ticket=ticket-1');
  assert.equal(http.asked[0].headers.get('Authorization'), 'Bearer secret');
  last().begin();
  last().end();
  await time.pass(500);
  assert.equal(last().url.search, '?since=e.1&ticket=ticket-2');
  stream.close();
});

test('what was asked for a connection that nobody wants any more comes to nothing', async (test) => {
  still(test);
  let give;
  const later = () => new Promise((resolve) => (give = resolve));
  const first = await started({ getToken: ({ isRefused }) => (isRefused ? later() : 'same') });
  refuse(first.last());
  await settled();
  first.stream.close();
  give('same');
  await settled();
  assert.equal(first.stream.condition, 'closed');
  // It does not look whether it was given up.
  const fetch = () => later();
  const second = await started({ token: 'secret', showing: 'ticket', fetch });
  second.stream.close();
  give(new Response('{"ticket":"late"}'));
  await settled();
  assert.deepEqual([second.stream.condition, second.made.length], ['closed', 0]);
});

test('no ticket: a refusal of the token, a limit, no server', async (test) => {
  const time = still(test);
  const says = [];
  const http = server({ 'POST /api/auth/ticket': () => says.shift() });
  const problem = (status, detail, headers) => [status, { status, code: 'X', detail }, headers];
  says.push(problem(401, 'token invalid, expired or revoked'), [201, { ticket: 'a' }]);
  const getToken = ({ isRefused }) => (isRefused ? 'new' : 'old');
  const first = await started({ getToken, showing: 'ticket', fetch: http.fetch });
  assert.equal(first.last().url.searchParams.get('ticket'), 'a');
  assert.deepEqual(http.asked.map(({ headers }) => headers.get('Authorization')), ['Bearer old', 'Bearer new']);
  first.stream.close();

  says.push(problem(429, 'too many', { 'Retry-After': '30' }), [201, { ticket: 'b' }]);
  const second = await started({ token: 't', showing: 'ticket', fetch: http.fetch });
  assert.deepEqual([second.stream.condition, second.stream.why], ['offline', 'too many']);
  assert.equal(second.stream.retryAt - Date.now(), 37_500);
  await time.pass(37_500);
  assert.equal(second.last().url.searchParams.get('ticket'), 'b');
  second.stream.close();
});

test('the first message shows the token, before everything else', async (test) => {
  still(test);
  const { stream, last } = await started({ path: '/api/ws', token: 'secret', showing: 'message' });
  assert.equal(last().url.search, '?since=now&auth=message');
  const reply = stream.call('states:list', {}, { retry: true }).catch(() => undefined);
  last().open();
  assert.deepEqual(last().sent.map(({ type, token }) => [type, token]), [
    ['auth', 'secret'],
    ['states:list', undefined],
  ]);
  stream.close();
  await reply;
});

test('somebody else begins anew', async (test) => {
  still(test);
  let token = 'mine';
  const { stream, made, last } = await started({ getToken: () => token });
  last().begin();
  const call = assert.rejects(stream.call('stations.book', {}, { retry: true }), { name: 'Lost' });
  token = 'theirs';
  stream.forget();
  await settled();
  assert.deepEqual([made.length, last().since, last().url.searchParams.get('token')], [2, 'now', 'theirs']);
  last().begin();
  assert.deepEqual(last().sent, []);
  await call;
  stream.close();
  stream.forget();
  await settled();
  assert.deepEqual([made.length, stream.condition, stream.cursor], [2, 'closed', undefined]);
});
