// Runs the React code of document 004, "WebSocket API Documentation", with React in Chromium, as it stands in
// document-004: only the port is replaced, and what the document leaves out of its modules is added where they are
// served. Its two hooks and its component show what bookings do; what they are told is compared whole.
//
//   node document_stations.mjs --address HOST:PORT --token ADMIN [--demo]
//
// `--demo`: the server is one. It prints `please list ORIGIN`, which is where it serves the page, `please stop` and
// `please start`, and goes on at the line `done`.

import { launch, open, texts } from './browser.mjs';
import { check, doing, same, script } from './client.mjs';
import { Devtools } from './devtools.mjs';
import { serve, text } from './react_page.mjs';
import { please } from './socketio/peer.mjs';
import * as expected from './stations_cast.mjs';
import { Sockets } from './sockets.mjs';

const OPTIONS = { demo: { type: 'boolean' } };
const { batteryAdded, batteryBooked, batteryCollected, greeting, inventory } = expected;
const HOOKS = "import { useEffect, useState } from 'react';\n";
const SHOWN = '#root h2, #root span, #root p';
const LIVE = '🟢 Live';

/** What renders them. */
const APP = `
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { StationDetail } from './StationDetail';
import { useUserNotifications } from './hooks/useUserNotifications';

function Notifications() {
  const notifications = useUserNotifications();
  return <ol>{notifications.map(({ type, message }, at) => <li key={at}>{type}: {message}</li>)}</ol>;
}

const root = createRoot(document.getElementById('root'));
window.app = {
  station: (stationId) => root.render(<StationDetail stationId={stationId} />),
  strict: (stationId) => root.render(<StrictMode><StationDetail stationId={stationId} /></StrictMode>),
  notifications: () => root.render(<Notifications />),
  nothing: () => root.render(null),
};`;

/** The document's modules, which it does not have whole: one exports nothing, one imports nothing. */
function modules(address) {
  const hook = async (name) => expected.ported(await text(`document-004/hooks/${name}.js`), address, name);
  return {
    app: () => APP,
    StationDetail: async () => `${await text('document-004/StationDetail.jsx')}\nexport { StationDetail };`,
    'hooks/useStationWebSocket': () => hook('useStationWebSocket'),
    'hooks/useUserNotifications': async () => HOOKS + (await hook('useUserNotifications')),
  };
}

const counted = (available, booked) => [`Available: ${available}`, `Booked: ${booked}`, `Total: ${available + booked}`];

/** The page of the test, what its sockets are told, and what the hook prints. */
class App {
  constructor(page, devtools, address) {
    Object.assign(this, { page, devtools, sockets: new Sockets(page, `ws://${expected.localhost(address)}`) });
  }

  renders(what, id) {
    return this.page.evaluate(([what, id]) => window.app[what](id), [what, id]);
  }

  shows(what, ...shown) {
    return texts(this.page, SHOWN, ['Station Inventory', ...shown], what);
  }

  /**
   * The component for this station, or all, in place of the one that has `before`. The hook does not know which of its
   * sockets says what: one that it left may be closed after the next one is open, and then it takes itself for
   * disconnected. `live` is what it shows of that.
   */
  async follows(id, before) {
    const path = id === undefined ? '/ws/stations/' : `/ws/stations/${id}/`;
    const from = this.devtools.texts.length;
    await this.renders('station', id);
    const socket = await this.sockets.opened(path);
    same((await socket.next()).type, 'connection_established', `what ${path} tells first`);
    await before.ends();
    doing('waiting until the hook prints that it is connected to one and disconnected from the other');
    await this.devtools.count(from + 2);
    const [first, second] = this.devtools.texts.slice(from);
    same(new Set([first, second]), new Set(['WebSocket connected', 'WebSocket disconnected']), 'what the hook prints');
    return { socket, live: second === 'WebSocket connected' ? [LIVE] : [] };
  }

  /** What was printed by others than the hook. */
  others() {
    return this.devtools.texts.filter((line) => !/^WebSocket (dis)?connected$/.test(line));
  }
}

/** The counters appear, and follow what is done. */
async function counts(app, town) {
  await app.renders('station', 1);
  const station = await app.sockets.opened('/ws/stations/1/');
  await station.hears(greeting('station_1'));
  await app.shows('before anything happened', LIVE);

  const booking = await town.books(5);
  await app.shows('a booking', LIVE, ...counted(14, 4));
  await station.hears(batteryBooked(5, 14, 4), inventory(14, 4, 'book'));
  // The user alone is told of this.
  await town.readies(booking);
  await town.collects(booking);
  await app.shows('what was collected', LIVE, ...counted(14, 3));
  await station.hears(batteryCollected(5, 14, 3), inventory(14, 3, 'collect'));
  await town.adds(50);
  await app.shows('what was brought', LIVE, ...counted(15, 3));
  await station.hears(batteryAdded(50, 15, 3), inventory(15, 3, 'add'));
  return station;
}

/** Another station, and all of them, are followed in place of the one before. */
async function changes(app, town, first) {
  const { socket: airport, live: liveThere } = await app.follows(2, first);
  await app.shows('another station', ...liveThere, ...counted(15, 3));
  const here = await town.books(6);
  const there = await town.books(undefined, 2);
  await app.shows('a booking at the other station', ...liveThere, ...counted(7, 1));
  await town.cancels(there);
  for (const _ of ['booked', 'with its counters', 'cancelled']) {
    same((await airport.next()).station_id, 2, 'of which station it is told');
  }

  const { socket: all, live } = await app.follows(undefined, airport);
  await town.cancels(here);
  await app.shows('all stations', ...live, ...counted(15, 3));
  await all.hears(inventory(15, 3, 'update'));
  return all;
}

/** The server goes and comes; the document's hook says so, and comes back where it is used anew. */
async function restarts(app, town, all) {
  await please('stop');
  await app.shows('the server is gone', ...counted(15, 3));
  await all.ends();
  await please('start');
  // In its strict mode React does all twice: the first socket is closed before it is open.
  await app.renders('strict', 1);
  await (await app.sockets.opened('/ws/stations/1/')).ends();
  const station = await app.sockets.opened('/ws/stations/1/');
  await station.hears(greeting('station_1'));
  await app.shows('the server is there again', LIVE);
  const booking = await town.books(7);
  await app.shows('a booking after that', LIVE, ...counted(14, 4));
  await town.cancels(booking);
  await app.shows('it is cancelled', LIVE, ...counted(15, 3));
  await station.hears(batteryBooked(7, 14, 4), inventory(14, 4, 'book'));
  await station.hears(inventory(15, 3, 'update'));
  await app.renders('nothing');
  await station.ends();
}

/** With the cookie of a session the user is told of what is booked, in order. */
async function notifications(app, town, address) {
  doing('signing in');
  const login = `http://${expected.localhost(address)}/api/auth/login`;
  const signIn = async ([login, account]) => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(login, { method: 'POST', credentials: 'include', headers, body: JSON.stringify(account) });
    return response.status;
  };
  same(await app.page.evaluate(signIn, [login, town.account]), 200, 'the status of signing in');
  await app.renders('notifications');
  const inbox = await app.sockets.opened('/ws/notifications/');
  await inbox.hears(greeting('notifications'));
  const booking = await town.books(9);
  await town.readies(booking);
  await town.notifies();
  await town.cancels(booking);
  const wanted = [
    expected.bookingConfirmed(booking),
    expected.bookingReady(booking),
    expected.SYSTEM_UPDATE,
    expected.BOOKING_CANCELLED,
  ];
  const listed = wanted.map(({ type, message }) => `${type}: ${message}`);
  await texts(app.page, '#root li', listed, 'the notifications');
  for (const frame of wanted) await inbox.hears(frame);
  await app.renders('nothing');
  await inbox.ends();
}

await script(90, OPTIONS, async ({ address, token, demo }) => {
  const origin = await serve({ main: 'app', modules: modules(address) });
  await please(`list ${origin}`);
  const town = await expected.Town.at({ address, token, demo });
  doing('opening the page');
  const browser = await launch();
  const context = await browser.newContext();
  const { page, problems } = await open(context, origin);
  const app = new App(page, await Devtools.of(page), address);
  await page.waitForFunction(() => window.app);
  const first = await counts(app, town);
  const all = await changes(app, town, first);
  await restarts(app, town, all);
  await notifications(app, town, address);
  app.sockets.quiet();
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  // That is of the strict mode.
  const errors = app.others().filter((line) => !/WebSocket is closed before|^WebSocket error:/.test(line));
  same(errors, [], 'what else was printed');
  await browser.close();
  return "ok: the document's own React code shows what is booked";
});
