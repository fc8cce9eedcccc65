// The pages, as a table. A page has a place of its own on the server (`path`), or one inside the console,
// behind the `#` of its address.

import { AreasPage } from '../areas/page.js';
import { PairPage } from '../areas/pair.js';
import { ChatPage, titleOf as titleOfChat } from '../chat/page.js';
import { HouseworkersPage } from '../houseworkers/page.js';
import { NotificationsPage } from '../notifications/page.js';
import { Screen } from '../screen/page.js';
import { SensorsPage, titleOf } from '../sensors/page.js';
import { ENTITY_ID, States } from '../states/page.js';
import { StationsPage, titleOf as titleOfStation } from '../stations/page.js';
import { Tester } from '../tester/page.js';
import { here } from './address.js';
import { NotFound } from './not-found.js';
import { SignIn } from './sign-in.js';

/**
 * @typedef {object} Route
 * @property {string} name its title
 * @property {string} href where it is found
 * @property {RegExp} place what its address looks like, as `path#hash`; groups become `params`
 * @property {(props: { app: App, params: string[] }) => any} page
 * @property {boolean} inMenu
 * @property {(app: App) => import('../live/connection.js').Connection} [followed] the live connection that it shows;
 *   a page with one asks who one is
 * @property {(app: App, params: string[]) => string} [title] of what it shows, if it has one of its own
 * @property {(app: App) => number} [unread] how much there is that was not read
 * @property {string} [why] one has to sign in for it, also where guests are let in
 * @property {boolean} [isBare] whether it stands alone, without menu and session
 */

/** @typedef {import('../main.js').App} App */

/** What is told of areas is told to admins. @type {(app: App) => import('../live/connection.js').Connection} */
const ofAdmins = ({ session, connection, areasConnection }) => (session.role === 'admin' ? areasConnection : connection);

/** @type {Route[]} The first whose place fits is shown. */
export const ROUTES = [
  {
    name: 'Protocol tester',
    href: '/websocket-test/',
    place: /^\/(?:websocket-test\/?|docs\/WEBSOCKET_CLIENT_EXAMPLE\.html)#/,
    page: Tester,
    inMenu: true,
  },
  {
    name: 'Houseworkers',
    href: '/#/houseworkers',
    place: /^\/#\/houseworkers(?:\/(\d+))?$/,
    page: HouseworkersPage,
    inMenu: true,
    followed: ({ chat }) => chat.connection,
    why: 'Who rates and comments does so by name.',
  },
  {
    name: 'Notifications',
    href: '/#/notifications',
    place: /^\/#\/notifications$/,
    page: NotificationsPage,
    inMenu: true,
    followed: ({ inbox }) => inbox.connection,
    unread: ({ inbox }) => inbox.unread,
    why: 'Notifications are for users.',
  },
  {
    name: 'Chat',
    href: '/#/chat',
    place: /^\/#\/chat(?:\/(\d+(?::\d+)+|conversation-\d+))?$/,
    page: ChatPage,
    inMenu: true,
    followed: ({ chat }) => chat.connection,
    title: titleOfChat,
    unread: ({ chat }) => chat.rooms.unread,
    why: 'Who chats does so by name.',
  },
  { name: 'Screen', href: '/screen', place: /^\/(?:screen|pairing)\/?#/, page: Screen, inMenu: false, isBare: true },
  { name: 'Sign in', href: '/#/sign-in', place: /^\/#\/sign-in(?:\/.*)?$/, page: SignIn, inMenu: false },
  { name: 'Pair a screen', href: '/pair', place: /^\/pair\/?#/, page: PairPage, inMenu: false, followed: ofAdmins },
  { name: 'Areas', href: '/#/areas', place: /^\/#\/areas$/, page: AreasPage, inMenu: true, followed: ofAdmins },
  {
    name: 'Stations',
    href: '/#/stations',
    place: /^\/#\/stations(?:\/(?:(booking)\/(?=\d))?(\d+|new|bookings))?$/,
    page: StationsPage,
    inMenu: true,
    followed: ({ stations }) => stations.connection,
    title: titleOfStation,
  },
  {
    name: 'Sensors',
    href: '/#/sensors',
    place: /^\/#\/sensors(?:\/(?:(device)\/)?(\d+|new))?$/,
    page: SensorsPage,
    inMenu: true,
    followed: ({ sensorsConnection }) => sensorsConnection,
    title: titleOf,
  },
  {
    name: 'States',
    href: '/#/',
    place: new RegExp(`^/#(?:/(?:entity/(${ENTITY_ID}))?)?$`),
    page: States,
    inMenu: true,
    followed: ({ connection }) => connection,
    title: (_, [id]) => id,
  },
];

/** In the order of the menu. */
export const MENU = ROUTES.filter(({ inMenu }) => inMenu).reverse();

/** @type {Route} What is shown if no route fits. */
const NOT_FOUND = { name: 'Not found', href: '', place: /^/, page: NotFound, inMenu: false };

/** The route of the address, and what it says besides. */
export function current() {
  const address = here();
  for (const route of ROUTES) {
    const found = route.place.exec(address);
    if (found) return { route, params: found.slice(1).map((part) => part ?? '') };
  }
  return { route: NOT_FOUND, params: [] };
}
