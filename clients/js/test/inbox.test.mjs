// The inbox: what REST shows, and what a stream says that there is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, Inbox, follow } from '../src/index.js';
import { server, settled, sockets, still } from './scripted.mjs';

/** A server with an inbox; `answers` holds answers back. */
async function followed() {
  const { WebSocket, made, last } = sockets();
  const there = { items: [], held: null, asked: [], fails: [] };
  const list = async ({ url }) => {
    const [limit, cursor] = [Number(url.searchParams.get('limit')), url.searchParams.get('cursor')];
    const from = there.items.filter(({ id }) => cursor === null || id < Number(cursor));
    const items = from.slice(0, limit).map((item) => ({ ...item }));
    const answer = { items, next: from.length > limit ? String(items.at(-1).id) : null };
    there.asked.push(cursor);
    await there.held;
    return there.fails.shift() ?? answer;
  };
  const read = ({ body }) => {
    for (const item of there.items) if (body.all || body.ids.includes(item.id)) item.read = true;
    return { read: 0 };
  };
  const http = server({ 'GET /api/notifications': list, 'POST /api/notifications/read': read });
  const connection = { url: 'http://x', WebSocket, fetch: http.fetch };
  const inbox = new Inbox(new Api(connection));
  const stream = follow(inbox, connection);
  const comes = (id, cursor) => {
    there.items.unshift({ id, read: false, message: `No. ${id}` });
    if (cursor) last().say({ type: 'notification', title: 'x', cursor });
  };
  return { inbox, stream, made, last, http, there, comes };
}

const ids = ({ all }) => all.map(({ id }) => id);
const range = (from, to) => Array.from({ length: from - to + 1 }, (_, at) => from - at);

test('what comes live is there once, and what came during a break is there too', async (test) => {
  const time = still(test);
  const { inbox, stream, last, there, comes } = await followed();
  comes(1);
  stream.start();
  await settled();
  last().begin();
  await settled();
  assert.deepEqual([ids(inbox), inbox.unread, inbox.complete, stream.condition], [[1], 1, true, 'live']);
  // A greeting is nothing that one has to know.
  last().say({ type: 'connection_established' });
  await time.pass(150);
  assert.equal(there.asked.length, 1);
  // Three at once are read once.
  comes(2, 'e.2');
  comes(3, 'e.3');
  comes(4, 'e.4');
  await time.pass(150);
  assert.deepEqual([ids(inbox), there.asked.length], [[4, 3, 2, 1], 2]);
  await time.pass(1_000);
  assert.equal(there.asked.length, 2);
  last().end();
  comes(5);
  await time.pass(500);
  last().begin({ type: 'resumed', cursor: 'e.4', replayed: 1 });
  assert.equal(stream.condition, 'catching-up');
  last().say({ type: 'booking_ready', cursor: 'e.5' });
  await settled();
  assert.deepEqual([ids(inbox), stream.condition], [[5, 4, 3, 2, 1], 'live']);
  await time.pass(150);
  last().end();
  comes(6);
  await time.pass(1_000);
  last().begin({ type: 'reset', reason: 'expired', cursor: 'e.9' });
  await settled();
  assert.deepEqual([ids(inbox), stream.condition], [[6, 5, 4, 3, 2, 1], 'live']);
  stream.close();
});

test('pages: older ones are kept if the newest reaches to them', async (test) => {
  const time = still(test);
  const { inbox, stream, last, comes } = await followed();
  for (const id of range(120, 1).reverse()) comes(id);
  stream.start();
  await settled();
  last().begin();
  await settled();
  assert.deepEqual([ids(inbox), inbox.next], [range(120, 71), '71']);
  await inbox.more();
  assert.deepEqual([ids(inbox), inbox.next], [range(120, 21), '21']);
  comes(121, 'e.2');
  await time.pass(150);
  assert.deepEqual([ids(inbox), inbox.next], [range(121, 21), '21']);
  await inbox.more();
  await inbox.more();
  assert.deepEqual([ids(inbox), inbox.next], [range(121, 1), null]);
  // More than a page came during a break: what lies between is not shown as if it were not there.
  last().end();
  for (const id of range(200, 122).reverse()) comes(id);
  await time.pass(500);
  last().begin({ type: 'resumed', cursor: 'e.2', replayed: 0 });
  await settled();
  assert.deepEqual([ids(inbox), inbox.next], [range(200, 151), '151']);
  stream.close();
});

test('a page that is asked for while the newest is read fits behind it', async (test) => {
  const time = still(test);
  const { inbox, stream, last, comes } = await followed();
  for (const id of range(100, 1).reverse()) comes(id);
  stream.start();
  await settled();
  last().begin();
  await settled();
  last().end();
  for (const id of range(180, 101).reverse()) comes(id);
  await time.pass(500);
  last().begin({ type: 'resumed', cursor: 'e.1', replayed: 0 });
  await Promise.all([inbox.more(), settled()]);
  assert.deepEqual([ids(inbox), inbox.next], [range(180, 81), '81']);
  stream.close();
});

test('what is marked read stays so, also when the inbox is read at the same time', async (test) => {
  const time = still(test);
  const { inbox, stream, last, there, http, comes } = await followed();
  comes(1);
  comes(2);
  stream.start();
  await settled();
  last().begin();
  await settled();
  let release;
  there.held = new Promise((resolve) => (release = resolve));
  comes(3, 'e.2');
  await time.pass(150);
  await inbox.markRead([1, 2]);
  assert.deepEqual(inbox.all.map(({ id, read }) => [id, read]), [[2, true], [1, true]]);
  release();
  there.held = null;
  await settled();
  assert.deepEqual(inbox.all.map(({ id, read }) => [id, read]), [[3, false], [2, true], [1, true]]);
  assert.equal(inbox.unread, 1);
  await inbox.markRead('all');
  assert.equal(inbox.unread, 0);
  const bodies = () => http.asked.filter(({ body }) => body).map(({ body }) => body.ids?.length ?? body);
  await inbox.markRead(range(1_001, 1));
  await inbox.markRead([]);
  assert.deepEqual(bodies(), [2, { all: true }, 1_000, 1]);
  stream.close();
});

test('somebody else sees nothing of it', async (test) => {
  const time = still(test);
  const { inbox, stream, last, there, comes } = await followed();
  comes(1);
  stream.start();
  await settled();
  last().begin();
  await settled();
  comes(2, 'e.2');
  stream.close();
  inbox.forget();
  const before = there.asked.length;
  await time.pass(1_000);
  assert.deepEqual([ids(inbox), inbox.complete, there.asked.length], [[], false, before]);
});

/** An inbox that is live, with one item. */
async function begun() {
  const all = await followed();
  all.comes(1);
  all.stream.start();
  await settled();
  all.last().begin();
  await settled();
  return all;
}

const busy = (headers) => [503, { status: 503, code: 'OVERLOADED', detail: 'later' }, headers];

test('what could not be read is read after pauses that grow, as long as the server asks for', async (test) => {
  const time = still(test);
  const { inbox, stream, there, comes } = await begun();
  there.fails = [busy(), busy(), busy({ 'Retry-After': '30' }), busy()];
  comes(2, 'e.2');
  const steps = [
    [150, 2],
    [499, 2],
    [1, 3],
    [999, 3],
    [1, 4],
    // 30 s, and some more, as chance will have it.
    [37_499, 4],
    [1, 5],
  ];
  for (const [ms, asked] of steps) {
    await time.pass(ms);
    assert.deepEqual([there.asked.length, ids(inbox)], [asked, [1]]);
  }
  // What is told while it waits makes it no faster.
  comes(3, 'e.3');
  await time.pass(3_999);
  assert.equal(there.asked.length, 5);
  await time.pass(1);
  assert.deepEqual([there.asked.length, ids(inbox), stream.condition], [6, [3, 2, 1], 'live']);
  await time.pass(3_600_000 / 4);
  assert.equal(there.asked.length, 6);
  // The next pause is a short one again.
  there.fails = [busy()];
  comes(4, 'e.4');
  await time.pass(150);
  await time.pass(500);
  assert.deepEqual(ids(inbox), [4, 3, 2, 1]);
  stream.close();
});

test('what is told while the inbox is listed anew is read, too', async (test) => {
  const time = still(test);
  const { inbox, stream, last, there, comes } = await begun();
  there.fails = [busy()];
  comes(2, 'e.2');
  await time.pass(150);
  let release;
  there.held = new Promise((resolve) => (release = resolve));
  last().end();
  await time.pass(100);
  stream.connect();
  await settled();
  last().begin({ type: 'resumed', cursor: 'e.2', replayed: 0 });
  await settled();
  comes(3, 'e.3');
  release();
  there.held = null;
  await settled();
  assert.deepEqual(ids(inbox), [2, 1]);
  await time.pass(150);
  assert.deepEqual(ids(inbox), [3, 2, 1]);
  stream.close();
});

test('it is not tried again when it was listed, when it was forgotten, or when no connection comes', async (test) => {
  const time = still(test);
  const ends = {
    async listed({ inbox, last, stream }) {
      last().end();
      stream.connect();
      await settled();
      last().begin({ type: 'resumed', cursor: 'e.2', replayed: 0 });
      await settled();
      assert.deepEqual(ids(inbox), [2, 1]);
    },
    forgotten: ({ inbox }) => inbox.forget(),
    closed: ({ stream }) => stream.close(),
    refused: ({ last }) => last().end(4403),
  };
  for (const [how, end] of Object.entries(ends)) {
    const all = await begun();
    all.there.fails = [busy()];
    all.comes(2, 'e.2');
    await time.pass(150);
    await end(all);
    const before = all.there.asked.length;
    await time.pass(20_000);
    assert.equal(all.there.asked.length, before, how);
    all.stream.close();
  }
});
