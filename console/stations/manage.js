// How a station is run, by staff; and how one begins and ends, by admins.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { go } from '../frame/address.js';
import { Confirm } from '../frame/confirm.js';
import { Back, Close } from '../frame/pane.js';
import { STATUS_WORDS } from '../live/stations.js';
import { useWatched } from '../live/watched.js';
import { useChange } from './change.js';
import { count } from './parts.js';

/**
 * @typedef {import('../live/stations.js').Station} Station
 * @typedef {import('../live/stations.js').Status} Status
 * @typedef {import('../main.js').App} App
 */

const STATUSES = /** @type {Status[]} */ (Object.keys(STATUS_WORDS));
/** What is done by leaving online. */
const VERBS = { offline: 'Set offline', maintenance: 'Begin maintenance' };
const QUESTIONS = {
  offline: (/** @type {string} */ name) => `Set ${name} offline?`,
  maintenance: (/** @type {string} */ name) => `Begin maintenance of ${name}?`,
};

/** Leaving online gives back what is booked, which is asked for once more. @param {{ app: App, station: Station }} props */
export function SetStatus({ app, station: { id, name, status, counts } }) {
  const { wrong, busy, change } = useChange(app.session);
  const [asked, setAsked] = useState(/** @type {keyof typeof VERBS | null} */ (null));
  const patch = (/** @type {import('../frame/act.js').Send} */ send, /** @type {Status} */ next) => send('PATCH', `/api/stations/${id}`, { status: next });
  const set = (/** @type {Status} */ next) => {
    if (next === status) return;
    if (next !== 'online' && status === 'online' && counts.booked > 0) setAsked(next);
    else change(next, (send) => patch(send, next));
  };
  return html`
    <section class="status" aria-labelledby="status">
      <h3 id="status">Status</h3>
      <div class="choice" role="group" aria-labelledby="status">
        ${STATUSES.map(
          (each) => html`
            <button key=${each} type="button" class=${busy === each ? 'at-work' : ''} aria-busy=${busy === each} aria-pressed=${each === status} onClick=${() => set(each)}>${STATUS_WORDS[each]}</button>
          `,
        )}
      </div>
      <p class="hint">It takes bookings while it is online. When it leaves that, live bookings are cancelled.</p>
      <${Wrong} words=${wrong} />
      ${asked &&
      html`
        <${Confirm} title=${QUESTIONS[asked](name)} verb=${VERBS[asked]} session=${app.session} work=${(/** @type {any} */ send) => patch(send, asked)} close=${() => setAsked(null)}>
          <p>${count(counts.booked, 'live booking is', 'live bookings are')} cancelled, and who made ${counts.booked === 1 ? 'it' : 'them'} is told so.</p>
        </${Confirm}>
      `}
    </section>
  `;
}

/** @param {{ app: App, station: Station }} props */
export function Rename({ app, station: { id, name } }) {
  const [typed, setTyped] = useState(name);
  const { wrong, busy, change } = useChange(app.session);
  useEffect(() => setTyped(name), [name]);
  const rename = (/** @type {Event} */ event) => {
    event.preventDefault();
    if (typed !== name) change('rename', (send) => send('PATCH', `/api/stations/${id}`, { name: typed }));
  };
  return html`
    <form class="with-button" onSubmit=${rename}>
      <label>Name <input value=${typed} required autocomplete="off" onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></label>
      <button type="submit" class=${busy ? 'at-work' : ''} aria-busy=${busy !== ''} aria-disabled=${typed === name}>Rename</button>
      <${Wrong} words=${wrong} />
    </form>
  `;
}

/** @param {{ app: App, station: Station }} props */
export function DeleteStation({ app, station: { id, name, counts } }) {
  const [isAsked, setAsked] = useState(false);
  const remove = (/** @type {import('../frame/act.js').Send} */ send) => send('DELETE', `/api/stations/${id}`);
  return html`
    <div class="buttons"><button type="button" onClick=${() => setAsked(true)}>Delete the station</button></div>
    ${isAsked &&
    html`
      <${Confirm} title=${`Delete ${name}?`} verb="Delete" session=${app.session} work=${remove} close=${() => setAsked(false)} done=${() => go('/stations')}>
        <p>
          ${counts.total === 0 ? 'It has no batteries.' : `Its ${counts.total === 1 ? 'battery goes' : `${counts.total.toLocaleString()} batteries go`} with it.`}
          ${counts.booked > 0 && ` ${count(counts.booked, 'live booking is', 'live bookings are')} cancelled, and who made ${counts.booked === 1 ? 'it' : 'them'} is told so.`}
        </p>
      </${Confirm}>
    `}
  `;
}

/** @param {{ app: App }} props */
export function NewStation({ app }) {
  const { session, stations } = app;
  useWatched(session);
  const [typed, setTyped] = useState('');
  const { wrong, busy, change } = useChange(session);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => field.current?.focus(), []);
  const make = async (/** @type {Event} */ event) => {
    event.preventDefault();
    await change('make', async (send) => {
      const made = await send('POST', '/api/stations', { name: typed });
      stations.put(made);
      go(`/stations/${made.id}`);
    });
  };
  return html`
    <article class="entity-page station-page" aria-labelledby="entity-name">
      <header>
        <${Back} to="/stations" label="Back to all stations" />
        <div class="titles"><h2 id="entity-name">New station</h2></div>
        <${Close} to="/stations" />
      </header>
      ${session.role === 'admin'
        ? html`
            <form class="with-button" onSubmit=${make}>
              <label>Name <input ref=${field} value=${typed} required autocomplete="off" onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></label>
              <button type="submit" class=${`primary${busy ? ' at-work' : ''}`} aria-busy=${busy !== ''}>Create</button>
              <${Wrong} words=${wrong} />
            </form>
            <p class="aside">It is online at once. Then it gets its batteries.</p>
          `
        : html`<p class="aside">Stations are made by admins.</p>`}
    </article>
  `;
}
