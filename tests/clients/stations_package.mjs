// `@bellwire/client` in Node, with `ws`, at a server that is killed and started again while batteries are booked: what it
// tells of a station and of the user's notifications is all that happened, once and in order, and its counters are right.
//
//   node stations_package.mjs --address HOST:PORT --token ADMIN
//
// It prints `please kill` and `please start`, and goes on at the line `done`.

import WebSocket from 'ws';
import { Api, Inbox, Stations, Watched, follow } from '../../clients/js/src/index.js';
import { check, doing, same, script } from './client.mjs';
import { please } from './socketio/peer.mjs';
import { Bustle, toldOnce } from './stations_bustle.mjs';
import { Town } from './stations_cast.mjs';

/** Waits until this holds, which is looked at whenever one of these changes. */
function until(what, watched, holds) {
  doing(`waiting until ${what}`);
  return new Promise((resolve) => {
    const ends = watched.map((each) => each.watch(look));
    function look() {
      if (!holds()) return;
      for (const end of ends ?? []) end();
      resolve();
    }
    look();
  });
}

await script(90, {}, async ({ address, token }) => {
  const town = await Town.at({ address, token });
  const connection = { url: `http://${address}`, token: town.token, WebSocket };
  const api = new Api(connection);
  const feeds = [new Stations(api, 1), new Stations(api), new Inbox(api)];
  const streams = feeds.map((feed) => follow(feed, connection));
  const changes = new Watched();
  let missed = 0;
  const heard = streams.map((stream) => {
    const events = [];
    stream.on('*', (event) => {
      if (event.type === 'stations:snapshot' || !event.cursor) return;
      events.push(event);
      changes.tell();
    });
    stream.on('resumed', ({ replayed }) => (missed += replayed));
    stream.start();
    return events;
  });
  const live = () => streams.every(({ isLive }) => isLive);
  await until('all streams are live', streams, live);

  const bustle = new Bustle(address, town.token, token);
  await bustle.runs(3);
  for (const _ of ['once', 'twice']) {
    const going = bustle.runs(5);
    await please('kill');
    await please('start');
    await going;
  }
  const wanted = [bustle.told, bustle.told, bustle.inbox];
  const isTold = () => wanted.every((frames, at) => heard[at].length >= frames.length);
  await until('all was told', [...streams, changes], () => live() && isTold());
  for (const [at, { path }] of feeds.entries()) toldOnce(heard[at], wanted[at], `what is told at ${path}`);

  check(missed > 0, 'nothing was told again');

  const row = await api.get('/api/stations/1');
  same([row.available_batteries, row.booked_batteries], bustle.counters.at(-1), 'the counters of the server');
  for (const feed of feeds.slice(0, 2)) same(feed.all.get(1), row, 'the station, as it is known');
  const [, , inbox] = feeds;
  const items = () => inbox.all.filter(({ type }) => type.startsWith('booking_'));
  await until('the inbox was read', [inbox], () => items().length >= bustle.inbox.length);
  const messages = items().map(({ message }) => message).reverse();
  same(messages, bustle.inbox.map(({ message }) => message), 'the inbox, the oldest first');
  for (const stream of streams) stream.close();
  return 'ok: the client for JavaScript misses nothing in Node';
});
