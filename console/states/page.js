// The page of all states, and beside it, or in its place where there is no room, that of one entity.

import { html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { EntityPane } from '../entity/pane.js';
import { go } from '../frame/address.js';
import { useMedia } from '../frame/media.js';
import { Search, useShortcuts } from '../frame/search.js';
import { useWatched } from '../live/watched.js';
import { StateList } from './list.js';
import { rowsOf } from './rows.js';

/** What the id of an entity looks like. */
export const ENTITY_ID = '[a-z0-9_]+\\.[a-z0-9_]+';

/** List and entity stand side by side from this width on, in px; rows have one line from there on, too. */
const SPLIT = '(min-width: 60rem)';
const ONE_LINE = '(min-width: 44rem)';
/** Lines that stand for rows while these are loaded. */
const SKELETON_LEN = 14;
const NONE = new Set(/** @type {string[]} */ ([]));

/** @param {{ app: import('../main.js').App, params: string[] }} props */
export function States({ app: { states, connection, session }, params: [shown] }) {
  useWatched(states, connection);
  useEffect(() => connection.start(), []);
  const [query, setQuery] = useState('');
  const isSplit = useMedia(SPLIT);
  const hasOneLine = useMedia(ONE_LINE);
  const search = useRef(/** @type {HTMLInputElement | null} */ (null));
  const list = useRef(/** @type {{ focus: () => void } | null} */ (null));

  useShortcuts(search, shown ? () => go('/') : undefined, [shown]);

  // Who comes back from an entity goes on where they were.
  const before = useRef(shown);
  useEffect(() => {
    if (before.current && !shown) list.current?.focus();
    before.current = shown;
  }, [shown]);

  const isListShown = isSplit || !shown;
  const all = states.entities.size;
  const { structure } = states;
  const found = useMemo(() => (query ? rowsOf(states.entities, query, NONE).found : all), [structure, query]);
  const count = query ? `${number(found)} of ${entities(all)}` : entities(all);
  return html`
    <div class=${`overview${shown ? ' with-entity' : ''}${connection.condition === 'live' ? '' : ' stale'}`}>
      ${isListShown &&
      html`
        <section class="list" aria-label="States">
          <div class="bar">
            <h1 class="out-of-sight">States</h1>
            <${Search}
              field=${search}
              label="Search by name or entity id"
              query=${query}
              setQuery=${setQuery}
              leave=${() => list.current?.focus()}
            />
            <p id="count" role="status">${states.complete ? count : all > 0 ? `${count} so far` : ''}</p>
          </div>
          ${body({ states, connection, session, query, found, setQuery }) ??
          html`<${StateList} states=${states} query=${query} shown=${shown} isNarrow=${!hasOneLine || (isSplit && !!shown)} handle=${list} />`}
        </section>
      `}
      ${shown && html`<${EntityPane} key=${shown} id=${shown} states=${states} session=${session} connection=${connection} />`}
    </div>
  `;
}

/**
 * What stands in the place of the list when there is nothing to list.
 *
 * @param {{ states: import('../live/states.js').States, connection: import('../live/connection.js').Connection,
 *   session: import('../live/session.js').Session, query: string, found: number, setQuery: (query: string) => void }} of
 */
function body({ states, connection, query, found, setQuery }) {
  if (states.entities.size === 0 && !states.complete) {
    if (connection.condition === 'refused') return html`<div class="notice"></div>`;
    const isWaiting = connection.condition === 'offline';
    return html`
      <div class=${`skeleton${isWaiting ? ' still' : ''}`} role="status" aria-label=${isWaiting ? 'Nothing loaded yet' : 'Loading states'}>
        ${Array.from({ length: SKELETON_LEN }, (_, at) => html`<div key=${at}><i></i><i></i><i></i></div>`)}
      </div>
    `;
  }
  if (states.entities.size === 0) {
    return html`
      <div id="empty" class="notice">
        <h2>No states yet</h2>
        <p>
          They appear here as they are created. One is made with <code>POST /api/states/light.porch</code>, or with${' '}
          <code>states:create</code> in the <a href="/websocket-test/">protocol tester</a>.
        </p>
      </div>
    `;
  }
  if (found > 0) return null;
  return html`
    <div id="empty" class="notice">
      <h2>Nothing matches “${query.trim()}”</h2>
      <p>Names and entity ids are searched; every word must occur.</p>
      <button type="button" onClick=${() => setQuery('')}>Clear the search</button>
    </div>
  `;
}

/** @param {number} value */
const number = (value) => value.toLocaleString();
/** @param {number} count */
const entities = (count) => `${number(count)} ${count === 1 ? 'entity' : 'entities'}`;
