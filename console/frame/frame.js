// What is around every page: the menu, the state of the connection, who is signed in, light or dark.

import { html, useEffect, useErrorBoundary, useRef, useState } from '../vendor/htm-preact.js';
import { Badge } from '../chat/room-list.js';
import { useWatched } from '../live/watched.js';
import { Account } from './account.js';
import { link } from './address.js';
import { ConnectionState, Trouble } from './connection-state.js';
import { Icon } from './icon.js';
import { MENU, current } from './routes.js';
import { SignIn } from './sign-in.js';
import { ThemeButton } from './theme-button.js';

/** @typedef {import('../main.js').App} App */

/** @param {{ app: App }} props */
export function Frame({ app }) {
  const [{ route, params }, setPlace] = useState(current);
  const [error] = useErrorBoundary();
  const { session, connection, areasConnection, sensorsConnection, chat, inbox, stations } = app;
  useWatched(connection, areasConnection, sensorsConnection, chat.connection, inbox.connection, stations.connection, session);
  useEffect(() => {
    const moved = () => setPlace(current());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  const followed = route.followed?.(app);
  const isLive = followed !== undefined;
  // Users are told what there is for them, whatever page they look at.
  useEffect(() => {
    if (!session.userId) return;
    chat.connection.start();
    inbox.connection.start();
  }, [session.userId]);
  const menu = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const shown = menu.current?.querySelector('[aria-current]');
    shown?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [route.href]);
  // A page that shows something live asks who one is by itself.
  useEffect(() => {
    if (!isLive && session.kind === 'unknown') session.look().catch(() => undefined);
  }, [isLive, session.kind]);

  const condition = (followed ?? connection).condition;
  useEffect(() => {
    document.body.dataset.connection = condition;
  }, [condition]);

  const isAsked = isLive && condition === 'signed-out';
  return html`
    <${Title} app=${app} route=${route} params=${params} />
    <a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <header class="frame">
      <a class="brand" href=${link('/#/')}><${Icon} name="bell" />Bellwire</a>
      <nav aria-label="Pages" ref=${menu}>
        ${MENU.map(
          ({ name, href, unread }) => html`
            <a key=${href} href=${link(href)} data-name=${name} aria-current=${href === route.href ? 'page' : undefined}>
              ${name}${unread && html`<${Unread} app=${app} count=${unread} />`}
            </a>
          `,
        )}
      </nav>
      <div class="tools">
        ${followed && html`<${ConnectionState} key=${followed.feed.path} connection=${followed} />`}
        <${Account} app=${app} offersSignIn=${!isLive && route.page !== SignIn} />
        <${ThemeButton} />
      </div>
    </header>
    ${followed && html`<${Trouble} key=${followed.feed.path} connection=${followed} />`}
    <main id="main" tabindex="-1">
      ${error
        ? html`<${Broken} error=${error} />`
        : isAsked
          ? html`<${SignIn} app=${app} why=${route.why} />`
          : html`<${route.page} key=${route.href} app=${app} params=${params} />`}
    </main>
  `;
}

/** What the window is called: by what it shows, and how much was said that is unread. @param {{ app: App, route: import('./routes.js').Route, params: string[] }} props */
function Title({ app, route, params }) {
  useWatched(app.chat, app.stations);
  const title = route.title?.(app, params) || route.name;
  const { unread } = app.chat.rooms;
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ''}${title} · Bellwire`;
  }, [title, unread]);
  return null;
}

/** How much was not read, rendered by itself: who comes and goes is no matter of the page. @param {{ app: App, count: (app: App) => number }} props */
function Unread({ app, count }) {
  useWatched(app.chat, app.inbox);
  return html`<${Badge} count=${count(app)} what="unread" />`;
}

/** A defect of a page must not look like a home without states. @param {{ error: Error }} props */
function Broken({ error }) {
  return html`
    <section class="notice" role="alert">
      <h2>This page broke</h2>
      <p>${String(error.message || error)}</p>
      <button type="button" onClick=${() => location.reload()}>Load it again</button>
    </section>
  `;
}

/** The address is the route, so the link moves the focus itself. @param {Event} event */
function skip(event) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
