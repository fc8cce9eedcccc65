// Enters the code for the browser's console of document 004, "WebSocket API Documentation", in that of Chromium, on the
// server's own page, as it stands in document-004: only the port is replaced.
//
// The last statement of its test sends at once, which throws: no browser sends while it still connects. All that stands
// before it has its effect. Entered again once the connection is there, that statement does what it says.
//
//   node document_stations_console.mjs --address HOST:PORT --token ADMIN [--demo]
//
// `--demo`: the server is one. It prints `please stop` and `please start`, and goes on at the line `done`.

import { launch } from './browser.mjs';
import { check, doing, same, script } from './client.mjs';
import { Devtools } from './devtools.mjs';
import { text } from './react_page.mjs';
import { please } from './socketio/peer.mjs';
import { Sockets } from './sockets.mjs';
import * as expected from './stations_cast.mjs';

const { batteryAdded, batteryBooked, batteryCollected, greeting, inventory, stationStatus } = expected;
const OPTIONS = { demo: { type: 'boolean' } };
const LAST_STATEMENT = /^ws\.send\([^]*\);$/m;

/** A page of the server, its console, and the sockets that are opened there by what is entered. */
class Tab {
  static async open(context, address) {
    const tab = new Tab();
    tab.address = address;
    tab.page = await context.newPage();
    tab.devtools = await Devtools.of(tab.page);
    tab.sockets = new Sockets(tab.page, `ws://${expected.localhost(address)}/ws`);
    await tab.page.goto(`http://${expected.localhost(address)}/`);
    return tab;
  }

  /** A file of the document, with the server's port; what it throws. */
  async enters(file) {
    return this.devtools.enters(expected.ported(await text(`document-004/${file}`), this.address, file));
  }
}

/** All stations, and one: both are told what happens there. */
async function stations(tab, town) {
  same(await tab.enters('all_stations.js'), undefined, 'what the code for all stations throws');
  const all = await tab.sockets.opened('/stations/');
  await tab.devtools.line('Connected to all stations');
  await all.hears(greeting('all_stations'));
  same(await tab.enters('one_station.js'), undefined, 'what the code for one station throws');
  const one = await tab.sockets.opened('/stations/1/');
  await one.hears(greeting('station_1'));

  await town.collects(await town.books(5));
  await town.adds(50);
  for (const status of ['maintenance', 'offline', 'online']) await town.becomes(status);
  const statuses = [
    // With that the three bookings end that were there before.
    [stationStatus('maintenance', 'Station is under maintenance'), inventory(18, 0, 'update')],
    [stationStatus('offline', 'Station is now offline')],
    [stationStatus('online', 'Station is now operational')],
  ];
  for (const socket of [all, one]) {
    await socket.hears(batteryBooked(5, 14, 4), inventory(14, 4, 'book'));
    await socket.hears(batteryCollected(5, 14, 3), inventory(14, 3, 'collect'));
    await socket.hears(batteryAdded(50, 15, 3), inventory(15, 3, 'add'));
    for (const frames of statuses) await socket.hears(...frames);
  }
  await tab.devtools.prints('Update received:', ({ message }) => message === 'Station is now operational');
  same(await tab.devtools.enters('ws.close()'), undefined, 'what closing throws');
  await one.ends();
}

/** The test of a connection, its pings, and what is said of no JSON. */
async function pings(tab) {
  check(/InvalidStateError.*CONNECTING/s.test(await tab.enters('console.js')), 'sending at once does not throw');
  const socket = await tab.sockets.opened('/stations/');
  await tab.devtools.line('Connected');
  await socket.hears(greeting('all_stations'));
  await tab.devtools.prints('Message:', ({ message }) => message === 'Connected to all_stations');

  const [lastStatement] = LAST_STATEMENT.exec(await text('document-004/console.js')) ?? [];
  check(lastStatement, 'document-004/console.js: its last statement sends');
  const sends = [lastStatement, `ws.send('{"type":"ping","timestamp":"2024-02-27T10:30:00"}')`, `ws.send('{"type":"ping"}')`];
  for (const statement of sends) {
    same(await tab.devtools.enters(statement), undefined, 'what sending throws, once the connection is there');
    const pong = await socket.next();
    same(JSON.stringify(pong), socket.sent.at(-1).replace('ping', 'pong'), 'what a ping is answered');
    await tab.devtools.prints('Message:', (frame) => frame.type === 'pong' && frame.timestamp === pong.timestamp);
  }
  await tab.devtools.enters(`ws.send('{')`);
  await socket.hears({ type: 'error', message: 'Invalid JSON' });
}

/** The server goes away: what is to come back sees that, and sees that it cannot yet. */
async function errors(tab) {
  const { devtools } = tab;
  // What the document leaves to the reader happens at once.
  await devtools.enters('window.setTimeout = (_, ms) => console.log("Back in", ms)');
  same(await devtools.enters(await text('document-004/errors.js')), undefined, 'what its handlers throw');
  await devtools.enters('ws.addEventListener("close", ({ code }) => console.log("Closed with", code))');
  await please('stop');
  await devtools.line('Back in 5000');
  await devtools.line('Closed with 1012');

  devtools.forget();
  await tab.enters('console.js');
  await tab.sockets.opened('/stations/');
  await devtools.prints('Error:', () => true);
  await devtools.line('Disconnected');
  devtools.forget();
  const source = expected.ported(await text('document-004/console.js'), tab.address, 'console.js');
  await devtools.enters(source.replace(LAST_STATEMENT, await text('document-004/errors.js')));
  await tab.sockets.opened('/stations/');
  await devtools.prints('WebSocket error:', () => true);
  await devtools.line('Back in 5000');
  await please('start');
}

/** What a user is told, with the cookie of a session; without one nobody is. */
async function notifications(tab, town) {
  same(await tab.enters('notifications.js'), undefined, 'what the code for notifications throws');
  const nobody = await tab.sockets.opened('/notifications/');
  await nobody.hears({ type: 'error', message: 'authentication required' });
  await nobody.ends();

  doing('signing in');
  const signIn = async (account) => {
    const headers = { 'Content-Type': 'application/json' };
    return (await fetch('/api/auth/login', { method: 'POST', headers, body: JSON.stringify(account) })).status;
  };
  same(await tab.page.evaluate(signIn, town.account), 200, 'the status of signing in');
  same(await tab.enters('notifications.js'), undefined, 'what the code for notifications throws');
  const inbox = await tab.sockets.opened('/notifications/');
  await inbox.hears(greeting('notifications'));
  const booking = await town.books(9);
  await inbox.hears(expected.bookingConfirmed(booking));
  await town.readies(booking);
  await inbox.hears(expected.bookingReady(booking));
  await town.notifies();
  await inbox.hears(expected.SYSTEM_UPDATE);
  await tab.devtools.enters('ws.close()');
  await inbox.ends();
}

await script(90, OPTIONS, async ({ address, token, demo }) => {
  const town = await expected.Town.at({ address, token, demo });
  doing('opening the page');
  const browser = await launch();
  const tab = await Tab.open(await browser.newContext(), address);
  await stations(tab, town);
  await pings(tab);
  await errors(tab);
  await notifications(tab, town);
  tab.sockets.quiet();
  await browser.close();
  return "ok: what the document enters in a browser's console does what it says";
});
