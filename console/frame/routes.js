// The pages, as a table. A page has a place of its own on the server (`path`), or one inside the console,
// behind the `#` of its address.

import { ENTITY_ID, States } from '../states/page.js';
import { Tester } from '../tester/page.js';
import { here } from './address.js';
import { NotFound } from './not-found.js';
import { SignIn } from './sign-in.js';

/**
 * @typedef {object} Route
 * @property {string} name its title
 * @property {string} href where it is found
 * @property {RegExp} place what its address looks like, as `path#hash`; groups become `params`
 * @property {(props: { app: import('../main.js').App, params: string[] }) => any} page
 * @property {boolean} inMenu
 * @property {boolean} isLive whether it shows what the live connection brings, and so asks who one is
 */

/** @type {Route[]} The first whose place fits is shown. */
export const ROUTES = [
  {
    name: 'Protocol tester',
    href: '/websocket-test/',
    place: /^\/(?:websocket-test\/?|docs\/WEBSOCKET_CLIENT_EXAMPLE\.html)#/,
    page: Tester,
    inMenu: true,
    isLive: false,
  },
  { name: 'Sign in', href: '/#/sign-in', place: /^\/#\/sign-in$/, page: SignIn, inMenu: false, isLive: false },
  {
    name: 'States',
    href: '/#/',
    place: new RegExp(`^/#(?:/(?:entity/(${ENTITY_ID}))?)?$`),
    page: States,
    inMenu: true,
    isLive: true,
  },
];

/** In the order of the menu. */
export const MENU = ROUTES.filter(({ inMenu }) => inMenu).reverse();

/** @type {Route} What is shown if no route fits. */
const NOT_FOUND = { name: 'Not found', href: '', place: /^/, page: NotFound, inMenu: false, isLive: false };

/** The route of the address, and what it says besides. */
export function current() {
  const address = here();
  for (const route of ROUTES) {
    const found = route.place.exec(address);
    if (found) return { route, params: found.slice(1).map((part) => part ?? '') };
  }
  return { route: NOT_FOUND, params: [] };
}
