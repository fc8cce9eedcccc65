// The page of all stations, and beside it, or in its place where there is no room, that of one of them, or one's bookings.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { go, link } from '../frame/address.js';
import { useEscape } from '../frame/escape.js';
import { Icon } from '../frame/icon.js';
import { useMedia } from '../frame/media.js';
import { Search, useShortcuts } from '../frame/search.js';
import { useWatched } from '../live/watched.js';
import { MinePane, MineRow, ToBooking } from './mine.js';
import { Head, StationList, useListed } from './list.js';
import { NewStation } from './manage.js';
import { count } from './parts.js';
import { StationPane } from './station.js';

/** List and page stand side by side from this width on; rows have one line from there on, too. */
const SPLIT = '(min-width: 60rem)';
const ONE_LINE = '(min-width: 48rem)';
/** Lines that stand for rows while these are loaded. */
const SKELETON_LEN = 14;

/** @typedef {import('../main.js').App} App */

/** @param {{ app: App, params: string[] }} props */
export function StationsPage({ app, params: [kind, id] }) {
  const { stations, bookings, session } = app;
  useWatched(stations, stations.connection, session);
  useEffect(() => {
    stations.connection.start();
    return () => stations.connection.stop();
  }, []);
  const { userId } = session;
  useEffect(() => (userId ? bookings.start() : undefined), [userId]);
  const [query, setQuery] = useState('');
  const isSplit = useMedia(SPLIT);
  const hasOneLine = useMedia(ONE_LINE);
  const search = useRef(/** @type {HTMLInputElement | null} */ (null));
  const list = useRef(/** @type {{ focus: () => void } | null} */ (null));
  useShortcuts(search, undefined, []);
  useEscape(id ? () => go('/stations') : undefined);

  // Who comes back from a station goes on where they were.
  const before = useRef(id);
  useEffect(() => {
    if (before.current && !id) list.current?.focus();
    before.current = id;
  }, [id]);

  const listed = useListed(stations, query);
  const isNarrow = !hasOneLine || (isSplit && !!id);
  const { condition } = stations.connection;
  return html`
    <div class=${`overview stations-page${id ? ' with-entity' : ''}${condition === 'live' ? '' : ' stale'}`}>
      ${(isSplit || !id) &&
      html`
        <section class="list" aria-label="Stations">
          <div class="bar">
            <h1 class="out-of-sight">Stations</h1>
            <${Search} field=${search} label="Search by name, status or number" query=${query} setQuery=${setQuery} leave=${() => list.current?.focus()} />
            <p id="count" role="status">${countWords(stations, query ? listed.length : null)}</p>
            ${session.role === 'admin' &&
            html`<a class="button add" href=${link('/#/stations/new')} title="New station" aria-label="New station"><${Icon} name="plus" /><span>New station</span></a>`}
          </div>
          ${userId && html`<${MineRow} app=${app} isShown=${id === 'bookings'} isNarrow=${isNarrow} />`}
          ${body(app, query, listed.length, () => setQuery('')) ??
          html`
            <${Head} stations=${stations} listed=${listed} isNarrow=${isNarrow} />
            <${StationList} ...${{ stations, listed, query, isNarrow }} shown=${kind ? 0 : Number(id) || 0} handle=${list} />
          `}
        </section>
      `}
      ${id && pane(app, kind, id)}
    </div>
  `;
}

/** @param {App} app @param {string} kind @param {string} id */
function pane(app, kind, id) {
  if (kind === 'booking') return html`<${ToBooking} key=${`booking-${id}`} app=${app} id=${Number(id)} />`;
  if (id === 'new') return html`<${NewStation} key="new" app=${app} />`;
  if (id === 'bookings') return html`<${MinePane} key="bookings" app=${app} />`;
  return html`<${StationPane} key=${id} app=${app} id=${Number(id)} />`;
}

/**
 * @param {import('../live/stations.js').Stations} stations
 * @param {number | null} found
 */
function countWords({ all, complete }, found) {
  if (!complete && all.size === 0) return '';
  return found === null ? count(all.size, 'station') : `${found.toLocaleString()} of ${count(all.size, 'station')}`;
}

/**
 * What stands in the place of the list when there is nothing to list.
 *
 * @param {App} app
 * @param {string} query
 * @param {number} found
 * @param {() => void} clear
 */
function body({ stations, session }, query, found, clear) {
  if (stations.isEmpty && !stations.complete) {
    const { condition } = stations.connection;
    if (condition === 'refused') return html`<div class="notice"></div>`;
    const isWaiting = condition === 'offline';
    return html`
      <div class=${`skeleton${isWaiting ? ' still' : ''}`} role="status" aria-label=${isWaiting ? 'Nothing loaded yet' : 'Loading stations'}>
        ${Array.from({ length: SKELETON_LEN }, (_, at) => html`<div key=${at}><i></i><i></i><i></i></div>`)}
      </div>
    `;
  }
  if (stations.isEmpty) {
    const isAdmin = session.role === 'admin';
    return html`
      <div id="empty" class="notice">
        <h2>No stations yet</h2>
        <p>A station has batteries that people book and collect. ${!isAdmin && 'Admins add them.'}</p>
        ${isAdmin && html`<a class="button" href=${link('/#/stations/new')}>New station</a>`}
      </div>
    `;
  }
  if (!query || found > 0) return null;
  return html`
    <div id="empty" class="notice">
      <h2>Nothing matches “${query.trim()}”</h2>
      <p>Names and numbers of stations are searched, and “online”, “offline” or “maintenance”; every word must occur.</p>
      <button type="button" onClick=${clear}>Clear the search</button>
    </div>
  `;
}

/** What the page shows, for the title of the window. @param {App} app @param {string[]} params */
export function titleOf({ stations }, [kind, id]) {
  if (id === 'bookings') return 'Your bookings';
  return kind ? '' : (stations.all.get(Number(id))?.name ?? '');
}
