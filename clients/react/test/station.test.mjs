// What a component shows of stations, over mounting, breaks and other ids.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acts, probe, shown } from './dom.mjs';
import { server, snapshot, sockets, station, still } from '../../js/test/scripted.mjs';

const { createElement } = await import('react');
const { BellwireProvider, useStation, useStationWebSocket } = await import('@bellwire/react');

const booked = (id, available, bookedNow, cursor) => ({
  type: 'battery_booked',
  station_id: id,
  station_name: `Station ${id}`,
  available_batteries: available,
  booked_batteries: bookedNow,
  cursor,
});
const counters = (available, bookedNow) => ({ available, booked: bookedNow, total: available + bookedNow });

/** A page with a provider of scripted sockets. */
function paged(test, options) {
  const page = shown(test, options);
  const time = still(test);
  const { WebSocket, made, last } = sockets();
  const http = server({});
  const connection = { WebSocket, fetch: http.fetch };
  return {
    ...page,
    made,
    last,
    time,
    http,
    show: (...elements) => page.show(createElement(BellwireProvider, { key: 'p', ...connection }, ...elements)),
    pass: (ms) => acts(() => time.pass(ms)),
    /** The newest socket begins with this snapshot. */
    async begin(...stations) {
      await acts(() => {
        last().begin();
        last().say(snapshot(stations));
      });
      await acts(() => time.pass(16));
    },
  };
}

test('counters are there at once, and follow', async (test) => {
  const page = paged(test);
  const { Probe, gave, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 1 }));
  assert.deepEqual([gave[0].inventory, gave[0].isConnected, gave[0].condition], [null, false, 'connecting']);
  assert.equal(page.last().url.href, 'wss://live.example/ws/stations/1/?snapshot=1&since=now');
  await page.begin(station(1, 15, 3));
  assert.deepEqual([now().inventory, now().status, now().isConnected, now().station.name], [counters(15, 3), 'online', true, 'Station 1']);
  await page.pass(100);
  await acts(() => page.last().say(booked(1, 14, 4, 'e.2')));
  assert.deepEqual([now().inventory, now().stations.length], [counters(14, 4), 1]);
  const before = gave.length;
  await page.pass(1_000);
  assert.equal(gave.length, before, 'what has not changed is not rendered');
});

test('an id may be a text, as an address has it', async (test) => {
  const page = paged(test);
  const [first, second, third] = [probe(useStation), probe(useStation), probe(useStationWebSocket)];
  await page.show(
    createElement(first.Probe, { key: 'a', of: 1 }),
    createElement(second.Probe, { key: 'b', of: '1' }),
    createElement(third.Probe, { key: 'c', of: '1' }),
  );
  await page.begin(station(1, 15, 3));
  assert.equal(page.made.length, 1);
  for (const { now } of [first, second, third]) assert.deepEqual(now().inventory, counters(15, 3));
});

test('a burst is rendered a few times, and its end is shown', async (test) => {
  const page = paged(test);
  const { Probe, gave, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 1 }));
  await page.begin(station(1, 1_000, 0));
  await page.pass(100);
  const before = gave.length;
  await acts(() => {
    for (let at = 1; at <= 500; at += 1) page.last().say(booked(1, 1_000 - at, at, `e.${at + 1}`));
  });
  assert.deepEqual(now().inventory, counters(999, 1));
  await page.pass(16);
  assert.deepEqual([now().inventory, gave.length - before], [counters(500, 500), 2]);
});

test('a break: what was known stays, what was missed is caught up with in order', async (test) => {
  const page = paged(test);
  const { Probe, gave, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 1 }));
  await page.begin(station(1, 15, 3));
  await page.pass(100);
  await acts(() => page.last().end());
  assert.deepEqual([now().isConnected, now().condition, now().inventory], [false, 'offline', counters(15, 3)]);
  await page.pass(500);
  assert.equal(page.last().since, 'e.1');
  const before = gave.length;
  await acts(() => {
    page.last().begin({ type: 'resumed', cursor: 'e.1', replayed: 2 });
    page.last().say(booked(1, 14, 4, 'e.2'));
  });
  await page.pass(16);
  assert.deepEqual([now().isConnected, now().inventory], [false, counters(14, 4)]);
  await acts(() => page.last().say(booked(1, 13, 5, 'e.3')));
  await page.pass(16);
  assert.deepEqual([now().isConnected, now().inventory], [true, counters(13, 5)]);
  const available = gave.slice(before).map(({ inventory }) => inventory.available);
  assert.deepEqual(available, [...available].sort((a, b) => b - a), 'counters never went back');
  await acts(() => page.last().end());
  await page.pass(1_000);
  await acts(() => page.last().begin({ type: 'reset', reason: 'expired', cursor: 'e.90' }));
  await page.pass(16);
  assert.deepEqual([now().isConnected, now().inventory], [false, counters(13, 5)]);
  await acts(() => page.last().say(snapshot([station(1, 2, 1)], 'e.90')));
  await page.pass(16);
  assert.deepEqual([now().isConnected, now().inventory], [true, counters(2, 1)]);
});

test('unmounting closes the socket, once nobody shows the station', async (test) => {
  const page = paged(test);
  const [first, second] = [probe(useStation), probe(useStation)];
  const [a, b] = [createElement(first.Probe, { key: 'a', of: 1 }), createElement(second.Probe, { key: 'b', of: 1 })];
  await page.show(a, b);
  await page.begin(station(1, 15, 3));
  assert.deepEqual([page.made.length, first.now().inventory, second.now().inventory], [1, counters(15, 3), counters(15, 3)]);
  await page.show(a);
  await page.pass(10);
  assert.equal(page.last().closed, undefined);
  await page.show();
  await page.pass(10);
  assert.deepEqual(page.last().closed, { code: 1000 });
  await page.pass(3_600_000);
  assert.equal(page.made.length, 1);
  // Who comes later is not shown what was known then.
  await page.show(b);
  assert.deepEqual([page.made.length, page.last().since, second.now().inventory], [2, 'now', null]);
});

test('one page follows another without a new connection', async (test) => {
  const page = paged(test);
  const [first, second] = [probe(useStation), probe(useStation)];
  await page.show(createElement(first.Probe, { key: 'a', of: 1 }));
  await page.begin(station(1, 15, 3));
  await page.show(createElement(second.Probe, { key: 'b', of: 1 }));
  await page.pass(10);
  assert.deepEqual([page.made.length, page.last().closed, second.now().inventory], [1, undefined, counters(15, 3)]);
});

test('in StrictMode there is one connection, and none behind it', async (test) => {
  const page = paged(test, { strict: true });
  const { Probe, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 1 }));
  await page.pass(10);
  await page.begin(station(1, 15, 3));
  assert.deepEqual([page.made.length, now().inventory], [1, counters(15, 3)]);
  await page.gone();
  await page.time.pass(10);
  assert.deepEqual(page.made.map(({ closed }) => closed?.code), [1000]);
  await page.time.pass(60_000);
  assert.equal(page.made.length, 1);
});

test('another id is another station: nothing of the former is shown', async (test) => {
  const page = paged(test);
  const { Probe, gave, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 1 }));
  await page.begin(station(1, 15, 3));
  const before = gave.length;
  await page.show(createElement(Probe, { of: 2 }));
  await page.pass(10);
  const [first, second] = page.made;
  assert.deepEqual([first.closed, second.url.pathname], [{ code: 1000 }, '/ws/stations/2/']);
  assert.ok(gave.slice(before).every(({ inventory }) => inventory === null));
  await acts(() => first.say(booked(1, 1, 1, 'e.9')));
  await page.begin(station(2, 8, 0));
  assert.deepEqual(now().inventory, counters(8, 0));
  await page.show(createElement(Probe, { of: undefined }));
  await page.pass(10);
  assert.equal(page.last().url.pathname, '/ws/stations/');
});

test('without an id: all stations, and their sum', async (test) => {
  const page = paged(test);
  const { Probe, now } = probe(useStation);
  await page.show(createElement(Probe, { of: undefined }));
  assert.equal(now().inventory, null);
  await page.begin(station(2, 8, 0), station(1, 15, 3));
  assert.deepEqual([now().inventory, now().station, now().stations.map(({ id }) => id)], [counters(23, 3), null, [1, 2]]);
});

test('a station that is not there', async (test) => {
  const page = paged(test);
  const { Probe, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 9 }));
  await acts(() => {
    page.last().open();
    page.last().say({ type: 'error', message: 'Station not found: 9' });
    page.last().end(4404);
  });
  await page.pass(16);
  assert.deepEqual([now().condition, now().error.status, now().error.message], ['refused', 404, 'Station not found: 9']);
});

test('a station that is gone has no counters any more', async (test) => {
  const page = paged(test);
  const { Probe, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 1 }));
  await page.begin(station(1, 15, 3));
  await acts(() => page.last().end());
  await page.pass(500);
  assert.deepEqual(now().inventory, counters(15, 3));
  await acts(() => {
    page.last().open();
    page.last().say({ type: 'error', message: 'Station not found: 1' });
    page.last().end(4404);
  });
  await page.pass(16);
  const { inventory, station: shown, stations, status, told, condition, error } = now();
  assert.deepEqual([inventory, shown, stations, status, told], [null, null, [], null, null]);
  assert.deepEqual([condition, error.status, error.message], ['refused', 404, 'Station not found: 1']);
});

test('what is the id of no station is refused at once', async (test) => {
  const page = paged(test);
  for (const of of ['x', 0, '-1', Number.NaN]) {
    const [mine, document] = [probe(useStation), probe(useStationWebSocket)];
    await page.show(createElement(mine.Probe, { key: `a${of}`, of }));
    assert.deepEqual([mine.now().condition, mine.now().error.status, mine.now().inventory], ['refused', 404, null]);
    if (of) await page.show(createElement(document.Probe, { key: `b${of}`, of }));
    if (of) assert.deepEqual(document.now(), { inventory: null, isConnected: false });
  }
  assert.equal(page.made.length, 0);
  const { Probe, now } = probe(useStation);
  await page.show(createElement(Probe, { of: 'x' }));
  await page.show(createElement(Probe, { of: 1 }));
  await page.begin(station(1, 15, 3));
  assert.deepEqual(now().inventory, counters(15, 3));
});

test('another caller begins anew; another function that gives tokens does not', async (test) => {
  const { show } = shown(test);
  const time = still(test);
  const { WebSocket, made, last } = sockets();
  const { Probe, now } = probe(useStation);
  const provided = (props) =>
    show(createElement(BellwireProvider, { key: 'p', url: 'https://other.example', showing: 'query', WebSocket, ...props }, createElement(Probe, { of: 1 })));
  await provided({ getToken: () => 'one' });
  await acts(() => {
    last().begin();
    last().say(snapshot([station(1, 15, 3)]));
  });
  await acts(() => time.pass(16));
  await provided({ getToken: () => 'two' });
  assert.deepEqual([made.length, last().url.host], [1, 'other.example']);
  await acts(() => last().end());
  await acts(() => time.pass(500));
  assert.deepEqual([made.length, last().url.searchParams.get('token'), last().since], [2, 'two', 'e.1']);
  await provided({ token: 'three' });
  await acts(() => time.pass(10));
  assert.deepEqual([made.length, made[1].closed, last().url.searchParams.get('token'), last().since], [3, { code: 1000 }, 'three', 'now']);
  assert.equal(now().inventory, null);
});

test('the hook of the document', async (test) => {
  const page = paged(test);
  const { Probe, gave, now } = probe(useStationWebSocket);
  await page.show(createElement(Probe, { of: 1 }));
  assert.deepEqual(gave[0], { inventory: null, isConnected: false });
  await page.begin(station(1, 15, 3));
  assert.deepEqual(now(), { inventory: counters(15, 3), isConnected: true });
  const same = now();
  await page.show(createElement(Probe, { of: 1 }));
  assert.equal(now(), same);
  // Without an id it shows the station whose counters were told last.
  await page.show(createElement(Probe, { of: undefined }));
  await page.pass(10);
  await page.begin(station(1, 15, 3), station(2, 8, 0));
  assert.deepEqual(now(), { inventory: null, isConnected: true });
  await acts(() => page.last().say(booked(2, 7, 1, 'e.2')));
  await page.pass(16);
  assert.deepEqual(now(), { inventory: counters(7, 1), isConnected: true });
  // A status says nothing of what is in a station.
  await acts(() => page.last().say({ type: 'station_status', station_id: 1, station_name: 'Station 1', status: 'maintenance', cursor: 'e.3' }));
  await page.pass(16);
  assert.deepEqual(now(), { inventory: counters(7, 1), isConnected: true });
});
