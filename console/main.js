// Begins: puts together what the pages share, and shows the page that the address names.

import { html, render } from './vendor/htm-preact.js';
import { Frame } from './frame/frame.js';
import { current } from './frame/routes.js';
import { Areas } from './live/areas.js';
import { Bookings } from './live/bookings.js';
import { Chat } from './live/chat.js';
import { Connection } from './live/connection.js';
import { Inbox } from './live/inbox.js';
import { Sensors } from './live/sensors.js';
import { Session } from './live/session.js';
import { States } from './live/states.js';
import { Stations } from './live/stations.js';

const session = new Session(new URLSearchParams(location.search).get('token'));
const states = new States();
const areas = new Areas();
const connection = new Connection(session, states);
const areasConnection = new Connection(session, areas);
const sensors = new Sensors();
const sensorsConnection = new Connection(session, sensors);
const chat = new Chat(session);
const inbox = new Inbox(session);
const stations = new Stations(session);
const bookings = new Bookings(session, stations, inbox);

/** Somebody else is signed in, or nobody. */
function restart() {
  connection.restart();
  areasConnection.restart();
  sensorsConnection.restart();
  chat.connection.restart();
  inbox.connection.restart();
  stations.connection.restart();
  bookings.forget();
}

/**
 * @typedef {{ session: Session, states: States, connection: Connection, areas: Areas, areasConnection: Connection,
 *   sensors: Sensors, sensorsConnection: Connection, chat: Chat, inbox: Inbox,
 *   stations: Stations, bookings: Bookings, restart: () => void }} App what pages are given
 */

/** @type {App} */
const app = { session, states, connection, areas, areasConnection, sensors, sensorsConnection, chat, inbox, stations, bookings, restart };
const { route } = current();
render(route.isBare ? html`<${route.page} app=${app} params=${[]} />` : html`<${Frame} app=${app} />`, document.body);
