// What a component shows of the inbox.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acts, probe, shown } from './dom.mjs';
import { server, sockets, still } from '../../js/test/scripted.mjs';

const { createElement } = await import('react');
const { renderToString } = await import('react-dom/server');
const { BellwireProvider, useBellwire, useNotifications, useStation, useUserNotifications } = await import('@bellwire/react');

/** A page with a provider, and a server with an inbox. */
function paged(test, hook, options) {
  const page = shown(test, options);
  const time = still(test);
  const { WebSocket, made, last } = sockets();
  const items = [];
  const http = server({
    'GET /api/notifications': ({ url }) => {
      const limit = Number(url.searchParams.get('limit'));
      const from = items.filter(({ id }) => id < Number(url.searchParams.get('cursor') ?? Infinity));
      return { items: from.slice(0, limit).map((item) => ({ ...item })), next: from.length > limit ? String(from[limit - 1].id) : null };
    },
    'POST /api/notifications/read': ({ body }) => {
      for (const item of items) if (body.all || body.ids.includes(item.id)) item.read = true;
      return { read: 1 };
    },
  });
  const { Probe, gave, now } = probe(hook);
  const connection = { url: 'https://live.example', token: 'secret', showing: 'query', WebSocket, fetch: http.fetch };
  return {
    ...page,
    items,
    made,
    last,
    gave,
    now,
    http,
    show: (isThere = true) => page.show(createElement(BellwireProvider, { key: 'p', ...connection }, isThere && createElement(Probe))),
    pass: (ms) => acts(() => time.pass(ms)),
    comes: (id) => items.unshift({ id, message: `No. ${id}`, read: false }),
  };
}

const ids = ({ notifications }) => notifications.map(({ id }) => id);

for (const strict of [false, true]) {
  test(`the inbox and what comes live, over breaks, ${strict ? 'in StrictMode' : 'as it is'}`, async (test) => {
    const page = paged(test, useNotifications, { strict });
    page.comes(1);
    await page.show();
    assert.deepEqual([page.gave[0].notifications, page.gave[0].isLoaded], [[], false]);
    assert.equal(page.last().url.search, '?since=now&token=secret');
    await acts(() => page.last().begin());
    await page.pass(16);
    assert.deepEqual([ids(page.now()), page.now().unread, page.now().isConnected, page.now().isLoaded], [[1], 1, true, true]);
    page.comes(2);
    await acts(() => page.last().say({ type: 'booking_confirmed', booking_id: 1, cursor: 'e.2' }));
    await page.pass(150);
    await page.pass(16);
    assert.deepEqual(ids(page.now()), [2, 1]);
    await acts(() => page.last().end());
    assert.equal(page.now().isConnected, false);
    page.comes(3);
    page.comes(4);
    await page.pass(500);
    assert.equal(page.last().since, 'e.2');
    await acts(() => page.last().begin({ type: 'resumed', cursor: 'e.2', replayed: 2 }));
    await acts(() => page.last().say({ type: 'notification', cursor: 'e.3' }, { type: 'notification', cursor: 'e.4' }));
    await page.pass(16);
    assert.deepEqual([ids(page.now()), page.now().isConnected], [[4, 3, 2, 1], true]);
    await page.pass(150);
    assert.deepEqual(ids(page.now()), [4, 3, 2, 1]);
    assert.equal(page.http.asked[0].headers.get('Authorization'), 'Bearer secret');
    assert.equal(page.made.length, 2);
  });
}

test('marking read, and older ones', async (test) => {
  const page = paged(test, useNotifications);
  for (let id = 1; id <= 60; id += 1) page.comes(id);
  await page.show();
  await acts(() => page.last().begin());
  await page.pass(16);
  const { markRead, more } = page.now();
  assert.deepEqual([page.now().notifications.length, page.now().unread, page.now().hasMore], [50, 50, true]);
  await acts(more);
  await page.pass(16);
  assert.deepEqual([page.now().notifications.length, page.now().hasMore], [60, false]);
  await acts(() => markRead([60, 1]));
  await page.pass(16);
  assert.equal(page.now().unread, 58);
  await acts(() => markRead('all'));
  await page.pass(16);
  assert.equal(page.now().unread, 0);
  assert.deepEqual([page.now().markRead, page.now().more], [markRead, more], 'the same functions');
  await page.show(false);
  await page.pass(10);
  assert.deepEqual(page.last().closed, { code: 1000 });
});

test('nobody is signed in', async (test) => {
  const page = paged(test, useNotifications);
  await page.show();
  await acts(() => {
    page.last().open();
    page.last().say({ type: 'error', message: 'authentication required' });
    page.last().end(4401);
  });
  await page.pass(16);
  assert.deepEqual([page.now().condition, page.now().error.status, ids(page.now())], ['signed-out', 401, []]);
});

test('the hook of the document collects what is told, as it is told', async (test) => {
  const page = paged(test, useUserNotifications);
  await page.show();
  assert.deepEqual(page.now(), []);
  const confirmed = { type: 'booking_confirmed', booking_id: 123, station_name: 'Downtown Station', timestamp: '2024-02-27T10:30:00' };
  await acts(() => {
    page.last().begin();
    page.last().say({ type: 'connection_established', message: 'Connected to notifications' }, { ...confirmed, cursor: 'e.2' });
  });
  await page.pass(16);
  assert.deepEqual(page.now(), [confirmed]);
  await acts(() => page.last().end());
  await page.pass(500);
  const ready = { type: 'booking_ready', booking_id: 123 };
  await acts(() => {
    page.last().begin({ type: 'resumed', cursor: 'e.2', replayed: 1 });
    page.last().say({ ...ready, cursor: 'e.3' }, { type: 'sensor_alarm', cursor: 'e.4' });
  });
  await page.pass(16);
  assert.deepEqual(page.now(), [confirmed, ready]);
  // It asks for nothing else, and holds so many.
  assert.deepEqual(page.http.asked, []);
  await acts(() => {
    for (let at = 0; at < 1_000; at += 1) page.last().say({ type: 'notification', title: String(at), cursor: `f.${at}` });
  });
  await page.pass(16);
  assert.deepEqual([page.now().length, page.now()[0].title, page.now().at(-1).title], [1_000, '0', '999']);
});

test('rendered ahead, nothing is known and nothing is connected', () => {
  const { location } = globalThis;
  delete globalThis.location;
  try {
    const Page = () => JSON.stringify([useStation(1).inventory, useNotifications().unread, useUserNotifications()]);
    assert.equal(renderToString(createElement(BellwireProvider, null, createElement(Page))), '[null,0,[]]');
    assert.equal(renderToString(createElement(Page)), '[null,0,[]]');
  } finally {
    globalThis.location = location;
  }
});

test('the server can be asked, as who shows it', async (test) => {
  const page = paged(test, useBellwire);
  await page.show();
  page.comes(1);
  assert.deepEqual(ids({ notifications: (await page.now().api.get('/api/notifications?limit=9')).items }), [1]);
});
