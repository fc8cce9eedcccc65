// Stations: the snapshot and the events of document 004, over breaks.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, Stations, follow } from '../src/index.js';
import { server, settled, snapshot, sockets, station, still } from './scripted.mjs';

const told = (type, id, counters, cursor) => ({ type, station_id: id, station_name: `Station ${id}`, ...counters, timestamp: '2024-02-27T10:30:00', cursor });
const resumed = (cursor, replayed = 0) => ({ type: 'resumed', cursor, replayed });

/** What is known, in short. */
const shown = ({ all }) => [...all.values()].map((each) => [each.id, each.available_batteries, each.booked_batteries, each.total_batteries, each.status]);

async function followed(id, table = {}) {
  const { WebSocket, made, last } = sockets();
  const http = server(table);
  const connection = { url: 'http://x', WebSocket, fetch: http.fetch };
  const stations = new Stations(new Api(connection), id);
  const stream = follow(stations, connection);
  stream.start();
  await settled();
  return { stations, stream, made, last, http };
}

test('counters of a station, event by event', async (test) => {
  still(test);
  const { stations, stream, last } = await followed(1);
  assert.equal(last().url.href, 'ws://x/ws/stations/1/?snapshot=1&since=now');
  last().begin();
  assert.equal(stations.complete, false);
  last().say({ type: 'connection_established', message: 'Connected to station_1', station_id: 1 }, snapshot([station(1, 15, 3)]));
  const steps = [
    [told('battery_booked', 1, { battery_id: 5, available_batteries: 14, booked_batteries: 4, user: 'u***@x' }, 'e.2'), [14, 4, 18, 'online']],
    [told('inventory_update', 1, { available_batteries: 14, booked_batteries: 4, total_batteries: 18, action: 'book' }, 'e.3'), [14, 4, 18, 'online']],
    [told('battery_collected', 1, { battery_id: 5, available_batteries: 14, booked_batteries: 3 }, 'e.4'), [14, 3, 17, 'online']],
    [told('battery_added', 1, { battery_id: 20, available_batteries: 15, total_batteries: 18 }, 'e.5'), [15, 3, 18, 'online']],
    [told('station_status', 1, { status: 'maintenance', message: 'Station is under maintenance' }, 'e.6'), [15, 3, 18, 'maintenance']],
    [{ type: 'something_new', station_id: 1, cursor: 'e.7' }, [15, 3, 18, 'maintenance']],
  ];
  for (const [event, expected] of steps) {
    const before = stations.all.get(1);
    last().say(event);
    assert.deepEqual(shown(stations), [[1, ...expected]], event.type);
    if (event.type !== 'something_new') assert.notEqual(stations.all.get(1), before, 'what changes is another object');
  }
  last().say(told('inventory_update', 1, { station_name: 'Renamed', available_batteries: 15, booked_batteries: 3, total_batteries: 18 }, 'e.8'));
  assert.equal(stations.all.get(1).name, 'Renamed');
  stream.close();
});

test('a break: what was missed is told, or all anew', async (test) => {
  const time = still(test);
  const { stations, stream, last } = await followed(undefined);
  last().begin();
  last().say(snapshot([station(1, 15, 3), station(2, 8, 0)]));
  last().end();
  await time.pass(500);
  last().begin(resumed('e.1', 1));
  assert.deepEqual(shown(stations)[0], [1, 15, 3, 18, 'online']);
  last().say(told('battery_booked', 1, { available_batteries: 14, booked_batteries: 4 }, 'e.2'));
  assert.deepEqual([shown(stations)[0], stream.condition], [[1, 14, 4, 18, 'online'], 'live']);
  last().end();
  await time.pass(1000);
  last().begin({ type: 'reset', reason: 'expired', cursor: 'e.50' });
  // Until it is told otherwise, what was known last is shown.
  assert.deepEqual([shown(stations).length, stream.condition], [2, 'catching-up']);
  last().say(snapshot([station(2, 7, 1)], 'e.50'));
  assert.deepEqual([shown(stations), stream.condition], [[[2, 7, 1, 8, 'online']], 'live']);
  stream.close();
});

test('a station that is new is asked about, and so is one that may be gone', async (test) => {
  still(test);
  const rows = { 3: station(3, 0, 0, 'maintenance') };
  const get = ({ url }) => rows[url.pathname.split('/').at(-1)] ?? [404, { status: 404, code: 'NOT_FOUND', detail: 'Station not found' }];
  const { stations, stream, last, http } = await followed(undefined, { 'GET /api/stations/3': get, 'GET /api/stations/1': get });
  last().begin();
  last().say(snapshot([station(1, 1, 0)]));
  last().say(told('inventory_update', 3, { available_batteries: 0, booked_batteries: 0, total_batteries: 0 }, 'e.2'));
  assert.deepEqual(shown(stations)[1], [3, 0, 0, 0, null]);
  // What is heard while it is asked about is newer.
  last().say(told('battery_added', 3, { available_batteries: 1, total_batteries: 1 }, 'e.3'));
  await settled();
  assert.deepEqual(shown(stations)[1], [3, 1, 0, 1, 'maintenance']);
  last().say(told('station_status', 1, { status: 'offline' }, 'e.4'));
  await settled();
  assert.deepEqual(http.asked.map(({ name }) => name), ['GET /api/stations/3']);
  last().say(told('inventory_update', 1, { available_batteries: 0, booked_batteries: 0, total_batteries: 0 }, 'e.5'));
  await settled();
  assert.deepEqual(shown(stations), [[3, 1, 0, 1, 'maintenance']]);
  stream.close();
});

test('an offline station without batteries is still there', async (test) => {
  still(test);
  const { stations, stream, last } = await followed(1, { 'GET /api/stations/1': station(1, 0, 0, 'offline') });
  last().begin();
  last().say(snapshot([station(1, 0, 0)]), told('station_status', 1, { status: 'offline' }, 'e.2'));
  await settled();
  assert.deepEqual(shown(stations), [[1, 0, 0, 0, 'offline']]);
  stream.close();
});

test('what is asked about a station is not believed against what is heard meanwhile', async (test) => {
  still(test);
  const answers = [];
  const gone = [404, { status: 404, code: 'NOT_FOUND', detail: 'Station not found: 1' }];
  const { stations, stream, last } = await followed(1, { 'GET /api/stations/1': () => new Promise((resolve) => answers.push(resolve)) });
  last().begin();
  last().say(snapshot([station(1, 0, 0)]), told('station_status', 1, { status: 'offline' }, 'e.2'));
  await settled();
  last().say(told('battery_added', 1, { available_batteries: 1, total_batteries: 1 }, 'e.3'));
  last().say(told('station_status', 1, { status: 'online' }, 'e.4'));
  answers[0](gone);
  await settled();
  assert.deepEqual(shown(stations), [[1, 1, 0, 1, 'online']]);
  // That it cannot be asked proves nothing.
  last().say(told('battery_collected', 1, { available_batteries: 0, booked_batteries: 0 }, 'e.5'));
  last().say(told('station_status', 1, { status: 'offline' }, 'e.6'));
  await settled();
  answers[1]([503, { status: 503, code: 'OVERLOADED', detail: 'later' }]);
  await settled();
  assert.deepEqual(shown(stations), [[1, 0, 0, 0, 'offline']]);
  last().say(told('inventory_update', 1, { available_batteries: 0, booked_batteries: 0, total_batteries: 0 }, 'e.7'));
  await settled();
  answers[2](gone);
  await settled();
  assert.deepEqual(shown(stations), []);
  stream.close();
});

test('too many for a snapshot: they are listed, and what is heard meanwhile holds', async (test) => {
  const time = still(test);
  let answer;
  const { stations, stream, made, last } = await followed(undefined, {
    'GET /api/stations': () => new Promise((resolve) => (answer = resolve)),
    'GET /api/stations/3': station(3, 0, 0, 'maintenance'),
  });
  last().open();
  last().say({ type: 'error', message: 'too large' });
  last().end(1008);
  await settled();
  assert.deepEqual([made.length, last().url.search], [2, '?since=now']);
  last().begin();
  await settled();
  last().say(told('battery_booked', 1, { available_batteries: 14, booked_batteries: 4 }, 'e.2'));
  // Of counters this says nothing.
  last().say(told('station_status', 2, { status: 'maintenance' }, 'e.3'));
  last().say(told('station_status', 1, { status: 'offline' }, 'e.4'));
  // It was made behind the page that is on its way.
  last().say(told('inventory_update', 3, { available_batteries: 0, booked_batteries: 0, total_batteries: 0 }, 'e.5'));
  answer({ items: [station(1, 15, 3), station(2, 8, 0)], next: null });
  await settled();
  const known = [[1, 14, 4, 18, 'offline'], [2, 8, 0, 8, 'maintenance'], [3, 0, 0, 0, 'maintenance']];
  assert.deepEqual([shown(stations), stream.condition], [known, 'live']);
  last().end();
  await time.pass(500);
  last().begin({ type: 'reset', reason: 'expired', cursor: 'e.90' });
  await settled();
  answer({ items: [station(2, 8, 0)], next: null });
  await settled();
  assert.deepEqual([shown(stations), stream.condition], [[[2, 8, 0, 8, 'online']], 'live']);
  stations.forget();
  assert.deepEqual([shown(stations), stations.complete], [[], false]);
  stream.close();
});

const none = { available_batteries: 0, booked_batteries: 0, total_batteries: 0 };
const busy = [503, { status: 503, code: 'OVERLOADED', detail: 'later' }];
const notFound = [404, { status: 404, code: 'NOT_FOUND', detail: 'Station not found' }];

test('what could not be asked about is asked about again', async (test) => {
  const time = still(test);
  const says = [busy, busy, station(2, 0, 0, 'offline')];
  const { stations, stream, last, http } = await followed(undefined, { 'GET /api/stations/2': () => says.shift(), 'GET /api/stations/1': () => busy });
  last().begin();
  last().say(snapshot([station(1, 0, 0)]));
  last().say(told('inventory_update', 2, none, 'e.2'));
  await settled();
  assert.deepEqual(shown(stations)[1], [2, 0, 0, 0, null]);
  await time.pass(500);
  await time.pass(999);
  assert.equal(http.asked.length, 2);
  await time.pass(1);
  assert.deepEqual([shown(stations)[1], http.asked.length], [[2, 0, 0, 0, 'offline'], 3]);
  // One that is gone, and could not be asked about.
  says.push(busy, notFound);
  last().say(told('inventory_update', 2, none, 'e.3'));
  await settled();
  await time.pass(500);
  assert.deepEqual(shown(stations), [[1, 0, 0, 0, 'online']]);
  // A snapshot says all.
  last().say(told('station_status', 1, { status: 'offline' }, 'e.4'));
  await settled();
  last().end();
  last().end();
  stream.connect();
  await settled();
  last().begin({ type: 'reset', reason: 'expired', cursor: 'e.50' });
  last().say(snapshot([station(1, 0, 0, 'offline')], 'e.50'));
  const before = http.asked.length;
  await time.pass(60_000);
  assert.deepEqual([http.asked.length, stations.all.size], [before, 1]);
  stream.close();
});

test('a station of which nothing but events is known may be gone', async (test) => {
  still(test);
  const says = [busy, notFound];
  const { stations, stream, last } = await followed(undefined, { 'GET /api/stations/2': () => says.shift() });
  last().begin();
  last().say(snapshot([]));
  last().say(told('battery_added', 2, { available_batteries: 1, total_batteries: 1 }, 'e.2'));
  await settled();
  assert.deepEqual(shown(stations), [[2, 1, 0, 1, null]]);
  last().say(told('inventory_update', 2, none, 'e.3'));
  await settled();
  assert.deepEqual(shown(stations), []);
  stream.close();
});

test('nothing is asked while no connection comes; what was not known is asked about after it', async (test) => {
  const time = still(test);
  const says = [busy, station(2, 1, 0)];
  const { stations, stream, last, http } = await followed(undefined, { 'GET /api/stations/2': () => says.shift() });
  last().begin();
  last().say(snapshot([]));
  last().say(told('battery_added', 2, { available_batteries: 1, total_batteries: 1 }, 'e.2'));
  await settled();
  stream.close();
  await time.pass(60_000);
  assert.equal(http.asked.length, 1);
  stream.start();
  await settled();
  last().begin(resumed('e.2'));
  await time.pass(1_000);
  assert.deepEqual(shown(stations), [[2, 1, 0, 1, 'online']]);
  stream.close();
});

test('an answer that is older than all that was told since is not believed', async (test) => {
  const time = still(test);
  const later = () => {
    const says = {};
    return { says, 'GET /api/stations/2': () => new Promise((resolve) => (says.one = resolve)), 'GET /api/stations': () => new Promise((resolve) => (says.all = resolve)) };
  };
  for (const isListed of [false, true]) {
    const { says, ...table } = later();
    const { stations, stream, last } = await followed(undefined, table);
    if (isListed) {
      last().open();
      last().end(1008);
      await settled();
    }
    const all = async (first, rows, cursor) => {
      last().begin(first);
      await settled();
      if (isListed) says.all({ items: rows, next: null });
      else last().say(snapshot(rows, cursor));
      await settled();
    };
    await all(resumed('e.1'), [], 'e.1');
    last().say(told('battery_added', 2, { available_batteries: 5, total_batteries: 5 }, 'e.2'));
    await settled();
    last().end();
    await time.pass(1_000);
    await all({ type: 'reset', reason: 'expired', cursor: 'e.50' }, [station(2, 3, 2)], 'e.50');
    says.one(station(2, 5, 0));
    await settled();
    assert.deepEqual([shown(stations), stream.condition], [[[2, 3, 2, 5, 'online']], 'live']);
    stream.close();
  }
});

test('a station that is gone when the connection is back is not shown', async (test) => {
  const time = still(test);
  const { stations, stream, last } = await followed(1);
  last().begin();
  last().say(snapshot([station(1, 15, 3)]));
  last().end();
  await time.pass(500);
  assert.equal(stations.all.size, 1);
  last().open();
  last().say({ type: 'error', message: 'Station not found: 1' });
  last().end(4404);
  assert.deepEqual([stations.all.size, stations.complete, stream.condition, stream.error.status], [0, false, 'refused', 404]);
});

test('an id in digits is that number; what is none is refused', async (test) => {
  still(test);
  const { stations, stream, last } = await followed('1');
  assert.equal(last().url.pathname, '/ws/stations/1/');
  assert.equal(stations.id, 1);
  stream.close();
  for (const id of ['x', '1.5', '', 0, -1, Number.NaN]) assert.throws(() => new Stations(new Api({ url: 'http://x' }), id), TypeError);
});
