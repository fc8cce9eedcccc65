// `@bellwire/react` with React in Chromium, at a server that is killed and started again while batteries are booked: its
// hooks, in document 004's component too, show counters that are right, and all notifications, each once. The page is on
// another port than the server, and shows a token; once it is without a network for longer than the server is away.
//
//   node stations_react.mjs --address HOST:PORT --token ADMIN
//
// It prints `please kill` and `please start`, and goes on at the line `done`.

import { fileURLToPath } from 'node:url';
import { launch, open, shows, texts, until } from './browser.mjs';
import { check, doing, same, script } from './client.mjs';
import { serve, text } from './react_page.mjs';
import { please } from './socketio/peer.mjs';
import { Sockets } from './sockets.mjs';
import { Bustle, toldOnce } from './stations_bustle.mjs';
import { Town, localhost } from './stations_cast.mjs';

const folder = (path) => fileURLToPath(new URL(`../../clients/${path}`, import.meta.url));
const FOLDERS = { '@bellwire/client': folder('js'), '@bellwire/react': folder('react') };
/** What is told at the least of what was booked while the page had no network. */
const MISSED = 15;
/** How long the page may take to come back. */
const RECONNECTED_MS = 45_000;

/** What the page renders. Everything that was shown of the counters is kept. */
const app = (url, token) => `
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { BellwireProvider, useNotifications, useStation, useUserNotifications } from '@bellwire/react';
import { StationDetail } from './StationDetail';

window.counters = [];

function Station() {
  const { inventory, station, isConnected } = useStation(1);
  if (inventory) window.counters.push(inventory);
  return <p id="station">{station?.name} {isConnected ? 'live' : 'not live'}</p>;
}

function Notifications() {
  const { notifications, isConnected } = useNotifications();
  return <ol id="inbox" className={isConnected ? 'live' : ''}>{notifications.map(({ id, message }) => <li key={id}>{message}</li>)}</ol>;
}

function Told() {
  return <ol id="told">{useUserNotifications().map(({ message }, at) => <li key={at}>{message}</li>)}</ol>;
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <BellwireProvider url="${url}" token="${token}">
      <Station />
      <div id="detail"><StationDetail stationId={1} /></div>
      <Notifications />
      <Told />
    </BellwireProvider>
  </StrictMode>,
);`;

/** The document's component, with the hook of the same name. */
const modules = (url, token) => ({
  app: () => app(url, token),
  StationDetail: async () => `${await text('document-004/StationDetail.jsx')}\nexport { StationDetail };`,
  'hooks/useStationWebSocket': () => "export { useStationWebSocket } from '@bellwire/react';",
});

async function isConnected(page, what) {
  await shows(page, '#station', 'Downtown Station live', what, RECONNECTED_MS);
  await until(page, `${what}: the inbox is live`, () => document.querySelector('#inbox.live'), null, RECONNECTED_MS);
}

/** The server goes while batteries are booked, and comes back; it goes again, and the page comes back much later. */
async function bustles(bustle, page, context) {
  await bustle.runs(3);
  const going = bustle.runs(5);
  await please('kill');
  await shows(page, '#station', 'Downtown Station not live', 'the server is gone', RECONNECTED_MS);
  await please('start');
  await going;
  await isConnected(page, 'the server is there again');

  await context.setOffline(true);
  await please('kill');
  await please('start');
  await bustle.runs(5);
  await shows(page, '#station', 'Downtown Station not live', 'there is no network');
  await context.setOffline(false);
}

/** Throws unless what was shown of the counters is what they were, in their order. */
function inOrder(shown, were) {
  let at = 0;
  for (const { available, booked, total } of shown) {
    same(total, available + booked, 'the total');
    const found = were.findIndex((counters, place) => place >= at && counters[0] === available && counters[1] === booked);
    check(found >= 0, `${available} and ${booked} were shown, which were not there after ${were[at]}`);
    at = found;
  }
}

await script(120, {}, async ({ address, token }) => {
  const town = await Town.at({ address, token });
  doing('opening the page');
  const url = `http://${localhost(address)}`;
  const origin = await serve({ main: 'app', modules: modules(url, town.token), folders: FOLDERS });
  const browser = await launch();
  const context = await browser.newContext();
  const { page, problems } = await open(context, 'about:blank');
  const sockets = new Sockets(page, `ws://${localhost(address)}/ws`);
  await page.goto(origin);
  await isConnected(page, 'the page was opened');

  const bustle = new Bustle(address, town.token, token);
  await bustles(bustle, page, context);
  await isConnected(page, 'the network is back');
  const [available, booked] = bustle.counters.at(-1);
  const detail = ['Station Inventory', '🟢 Live', `Available: ${available}`, `Booked: ${booked}`, `Total: ${available + booked}`];
  await texts(page, '#detail h2, #detail span, #detail p', detail, "the document's component");
  const messages = bustle.inbox.map(({ message }) => message);
  await texts(page, '#told li', messages, 'what the user was told');
  await texts(page, '#inbox li', messages.toReversed(), 'the inbox');
  inOrder(await page.evaluate(() => window.counters), bustle.counters);
  const told = sockets.told('/stations/1/');
  const events = told.filter(({ type, cursor }) => cursor && !['resumed', 'stations:snapshot'].includes(type));
  toldOnce(events, bustle.told, 'what the page was told of the station');
  check(told.some(({ type, replayed }) => type === 'resumed' && replayed >= MISSED), 'the page missed nothing that it could be told of');
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await browser.close();
  return 'ok: the hooks for React miss nothing';
});
