// The page of those who work in houses, and beside it, or in its place where there is no room, that of one of them.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { go, link } from '../frame/address.js';
import { useMedia } from '../frame/media.js';
import { useShortcuts } from '../frame/search.js';
import { useWatched } from '../live/watched.js';
import { Avatar, Presence } from '../chat/person.js';
import { nameOf } from '../live/rooms.js';
import { HouseworkerPane } from './houseworker.js';
import { useListing } from './listing.js';
import { Mean } from './stars.js';

/** List and page stand side by side from this width on. */
const SPLIT = '(min-width: 60rem)';
const NO_SEARCH = { current: null };

/** @typedef {{ userID: string, username: string, rating: number | null, ratings: number, comments: number, online: boolean }} Houseworker */

/** @param {{ app: import('../main.js').App, params: string[] }} props */
export function HouseworkersPage({ app, params: [id] }) {
  const { chat, session } = app;
  useWatched(chat, chat.connection, session);
  useEffect(() => chat.connection.start(), []);
  const isSplit = useMedia(SPLIT);
  useShortcuts(NO_SEARCH, id ? () => go('/houseworkers') : undefined, [id]);
  const isReady = chat.complete;
  const listing = useListing(/** @type {(path: string) => Promise<{ items: Houseworker[], next: string | null }>} */ (chat.ask), '/api/houseworkers', isReady);
  return html`
    <div class=${`overview houseworkers-page${id ? ' with-entity' : ''}`}>
      ${(isSplit || !id) && html`<section class="list" aria-label="Houseworkers"><${List} chat=${chat} listing=${listing} shown=${id} /></section>`}
      ${id && isReady && html`<${HouseworkerPane} key=${id} app=${app} id=${id} changed=${listing.again} />`}
    </div>
  `;
}

/** @param {{ chat: import('../live/chat.js').Chat, listing: import('./listing.js').Listing<Houseworker>, shown: string }} props */
function List({ chat, listing: { items, next, isLoaded, wrong, again, more }, shown }) {
  const [isLoading, setLoading] = useState(false);
  if (wrong && !isLoaded) {
    return html`<div class="notice" role="alert"><h2>The list cannot be loaded</h2><${Wrong} words=${wrong} /><button type="button" onClick=${again}>Try again</button></div>`;
  }
  if (!isLoaded) return html`<div class="skeleton" role="status" aria-label="Loading houseworkers">${[1, 2, 3, 4].map((at) => html`<div key=${at}><i></i><i></i><i></i></div>`)}</div>`;
  if (items.length === 0) {
    return html`<div id="empty" class="notice"><h2>No houseworkers yet</h2><p>Admins add users of that kind; they can be written to, rated and commented on.</p></div>`;
  }
  const goOn = async () => {
    setLoading(true);
    await more();
    setLoading(false);
  };
  return html`
    <div class="scrolls">
      <h1>Houseworkers</h1>
      <ul>
        ${items.map(
          (worker) => html`
            <li key=${worker.userID}>
              <a
                class="worker"
                href=${link(`/#/houseworkers/${worker.userID}`)}
                data-user-id=${worker.userID}
                aria-current=${worker.userID === shown ? 'page' : undefined}
              >
                <${Avatar} person=${worker} isOnline=${chat.isOnline(worker.userID)} />
                <span class="name">${nameOf(worker)}</span>
                <${Presence} isOnline=${chat.isOnline(worker.userID)} />
                <${Mean} mean=${worker.rating} count=${worker.ratings} />
                <span class="comments">${worker.comments.toLocaleString()} ${worker.comments === 1 ? 'comment' : 'comments'}</span>
              </a>
            </li>
          `,
        )}
      </ul>
      ${next !== null && html`<button type="button" class="quiet more" onClick=${goOn}>${isLoading ? 'Loading' : 'Show more'}</button>`}
    </div>
  `;
}
