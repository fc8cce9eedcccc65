// The areas of a screen and what is in them, to be read from across the room.

import { html, useEffect, useMemo } from '../vendor/htm-preact.js';
import { State } from '../frame/state.js';
import { byName } from '../live/areas.js';
import { hasValue, nameOf, unitOf } from '../live/states.js';
import { useWatched } from '../live/watched.js';
import { Home } from './home.js';

/** A state longer than this is a text, and is shown smaller. */
const LARGE_LEN_MAX = 16;
/** States in which something goes on. */
const ACTIVE = new Set(['on', 'open', 'unlocked', 'home', 'playing', 'heat', 'cool', 'cleaning']);

/** @param {{ token: string } & import('./home.js').Ends} props */
export function HomeView({ token, renewed, ended }) {
  const home = useMemo(() => new Home(token, { renewed, ended }), []);
  useWatched(home);
  useEffect(() => {
    home.begin();
    return () => home.end();
  }, []);
  const { condition, isLoaded } = home;
  useEffect(() => {
    document.body.dataset.connection = condition;
  }, [condition]);
  const areas = byName(home.areas.all).sort((a, b) => Number(b.isEnabled) - Number(a.isEnabled));
  return html`
    <main class=${`home-screen${condition === 'live' ? '' : ' stale'}`}>
      ${condition === 'offline' &&
      html`<p class="trouble offline" role="status"><strong>Offline.</strong> ${isLoaded ? 'What you see may be out of date.' : 'Nothing is loaded yet.'}</p>`}
      ${areas.map((area) => html`<${AreaView} key=${area.id} area=${area} states=${home.states} />`)}
      ${areas.length === 0 && html`<${Nothing} isLoaded=${isLoaded} isOffline=${condition === 'offline'} />`}
    </main>
  `;
}

/** Stands for areas. @param {{ isLoaded: boolean, isOffline: boolean }} props */
function Nothing({ isLoaded, isOffline }) {
  if (isLoaded) return html`<section class="notice"><h1>No area yet</h1><p>An admin assigns some to this screen. They appear here then.</p></section>`;
  return html`<section class="notice" role="status">${!isOffline && html`<h1>Connecting</h1>`}</section>`;
}

/** @param {{ area: import('../live/areas.js').Area, states: Map<string, import('./home.js').Shown> }} props */
function AreaView({ area: { id, name, entityIds, isEnabled }, states }) {
  const tile = (/** @type {string} */ entity) => html`<${Tile} key=${entity} id=${entity} shown=${states.get(entity)} />`;
  return html`
    <section class=${`screen-area${isEnabled ? '' : ' disabled'}`} data-area-id=${id} aria-labelledby=${`name-${id}`}>
      <h1 id=${`name-${id}`}>${name}${!isEnabled && html`${' '}<span class="off">switched off</span>`}</h1>
      ${isEnabled && html`<ul class="tiles">${entityIds.map(tile)}</ul>`}
      ${isEnabled && entityIds.length === 0 && html`<p>Nothing is in it.</p>`}
    </section>
  `;
}

/** @param {{ id: string, shown: import('./home.js').Shown | undefined }} props */
function Tile({ id, shown }) {
  const isThere = shown !== undefined && hasValue(shown.state);
  const look = !isThere ? ' absent' : ACTIVE.has(shown.state) ? ' active' : '';
  const size = isThere && shown.state.length > LARGE_LEN_MAX ? ' long' : '';
  return html`
    <li class=${`tile${look}${size}`} data-entity-id=${id}>
      <p class="name">${nameOf(id, shown?.attributes ?? {})}</p>
      <p class="value">${shown ? html`<${State} state=${shown.state} unit=${unitOf(shown.attributes)} />` : html`<span class="state">no state</span>`}</p>
    </li>
  `;
}
