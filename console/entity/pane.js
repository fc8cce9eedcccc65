// The page of one entity: what it is now, how it came to that, and its attributes.

import { html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { go, link } from '../frame/address.js';
import { Icon } from '../frame/icon.js';
import { useNow } from '../frame/now.js';
import { State } from '../frame/state.js';
import { ago, recent, whole } from '../frame/times.js';
import { Refused, words } from '../live/api.js';
import { nameOf, unitOf } from '../live/states.js';
import { perFrame, useWatched } from '../live/watched.js';
import { Attributes } from './attributes.js';
import { ROWS_MAX, changes, isNumeric, load } from './history.js';
import { Plot } from './plot.js';

const HOUR_MS = 3_600_000;
/** What can be looked back at: ten days are what the server keeps if nobody says otherwise. */
const RANGES = [
  { name: '1 h', label: 'the last hour', ms: HOUR_MS },
  { name: '24 h', label: 'the last 24 hours', ms: 24 * HOUR_MS },
  { name: '7 d', label: 'the last 7 days', ms: 7 * 24 * HOUR_MS },
  { name: '10 d', label: 'the last 10 days', ms: 10 * 24 * HOUR_MS },
];
/** A plot of less time than this would show nothing but its edges. */
const SPAN_MS_MIN = 60_000;
/** Changes that are also listed in words. */
const LISTED_MAX = 12;

/**
 * @param {{ id: string, states: import('../live/states.js').States, session: import('../live/session.js').Session,
 *   connection: import('../live/connection.js').Connection }} props
 */
export function EntityPane({ id, states, session, connection }) {
  useWatched(states, connection);
  const [range, setRange] = useState(RANGES[1]);
  const { history, version, error, retry } = useHistory(id, range.ms, states, session);
  // The right edge of the plot follows the time.
  const now = useNow();
  const began = useBegan(history);
  // What is longer than all that is known would look the same.
  const all = began && RANGES.find(({ ms }) => ms >= now - began);
  const shown = all && all.ms < range.ms ? all : range;
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);

  const entity = states.entities.get(id);
  const isHere = entity !== undefined;
  // Who had no history may have one by now.
  useEffect(() => void (isHere && error && retry()), [isHere]);
  const hasNone = !isHere && error instanceof Refused && error.status === 404;
  const unit = entity ? unitOf(entity.attributes) : '';
  return html`
    <article class="entity-page" aria-labelledby="entity-name">
      <header>
        <a class="button quiet square back" href="#/" aria-label="Back to all states" title="Back (Esc)"><${Icon} name="back" /></a>
        <div class="titles">
          <h2 id="entity-name" ref=${heading} tabindex="-1">${entity?.name ?? nameOf(id, {})}</h2>
          <p class="entity-id">${id}</p>
          ${entity && entity.sensorId > 0 && html`<p><a href=${link(`/#/sensors/${entity.sensorId}`)}>All readings of this sensor</a></p>`}
        </div>
        <button type="button" class="quiet square close" aria-label="Close" title="Close (Esc)" onClick=${() => go('/')}><${Icon} name="close" /></button>
      </header>
      ${entity ? html`<${Now} entity=${entity} unit=${unit} />` : html`<${Absent} isKnown=${states.complete} />`}
      ${!hasNone &&
      html`<section class="history" aria-label="History">
        <${Ranges} chosen=${shown} began=${began} set=${setRange} />
        ${error && html`<${Failed} error=${error} retry=${retry} />`}
        ${!error && !history && html`<div class="plot-skeleton" role="status" aria-label="Loading the history"></div>`}
        ${!error && history && html`<${Past} history=${history} version=${version} unit=${unit} range=${shown} now=${now} />`}
      </section>`}
      ${entity && html`<${Attributes} attributes=${entity.attributes} />`}
    </article>
  `;
}

/**
 * What can be looked back at. Ranges that show no more than a shorter one are there, and cannot be chosen.
 *
 * @param {{ chosen: typeof RANGES[0], began: number | null, set: (range: typeof RANGES[0]) => void }} props `began`: when
 *   what is known begins, if that is known
 */
function Ranges({ chosen, began, set }) {
  const span = began === null ? Infinity : Date.now() - began;
  const all = RANGES.find(({ ms }) => ms >= span);
  const words = began === null ? '' : `Known since ${recent(began)}`;
  return html`
    <div class="range">
      <div class="ranges" role="group" aria-label="How far to look back">
        ${RANGES.map((each) => {
          const isMore = all !== undefined && each.ms > all.ms;
          return html`
            <button
              key=${each.name}
              type="button"
              aria-pressed=${each === chosen}
              aria-label=${each.label}
              disabled=${isMore}
              title=${isMore ? `${words}: it would show the same` : undefined}
              onClick=${() => set(each)}
            >
              ${each.name}
            </button>
          `;
        })}
      </div>
      ${all === chosen && html`<p class="known">${words}, ${ago(/** @type {number} */ (began))}: this is all</p>`}
    </div>
  `;
}

/** @param {{ entity: import('../live/states.js').Entity, unit: string }} props */
function Now({ entity, unit }) {
  return html`
    <div class="now">
      <p class="value" aria-live="polite"><${State} state=${entity.state} unit=${unit} /></p>
      <dl>
        <div><dt>Changed</dt><dd title=${whole(entity.changedAt)}>${recent(entity.changedAt)}, ${ago(entity.changedAt)}</dd></div>
        <div><dt>Updated</dt><dd title=${whole(entity.updatedAt)}>${recent(entity.updatedAt)}, ${ago(entity.updatedAt)}</dd></div>
      </dl>
    </div>
  `;
}

/** @param {{ isKnown: boolean }} props */
function Absent({ isKnown }) {
  if (!isKnown) return html`<div class="now"><p class="value muted" role="status">Loading</p></div>`;
  return html`
    <div class="notice">
      <h2>There is no such entity</h2>
      <p>It was removed, was never there, or is not for you to see. If it comes to be, it is shown here.</p>
    </div>
  `;
}

/** @param {{ error: Error, retry: () => void }} props */
function Failed({ error, retry }) {
  if (error instanceof Refused && error.status === 404) return html`<p class="aside">There is no history.</p>`;
  return html`
    <div class="notice small" role="alert">
      <p>The history was not loaded: ${words(error)}.</p>
      <button type="button" onClick=${retry}>Try again</button>
    </div>
  `;
}

/**
 * @param {{ history: import('./history.js').History, version: number, unit: string, range: typeof RANGES[0], now: number }} props
 */
function Past({ history: { points, isCut }, version, unit, range, now }) {
  const listed = useMemo(() => changes(points).slice(-LISTED_MAX).reverse(), [points, version]);
  const isLine = useMemo(() => isNumeric(points), [points, version]);
  if (points.length === 0) return html`<p class="aside">Nothing is kept of ${range.label}.</p>`;
  // Where less is known than was asked for, the plot begins where knowledge does.
  const began = points[0].at;
  const from = Math.max(now - range.ms, Math.min(began, now - SPAN_MS_MIN));
  const note = isCut ? `The newest ${ROWS_MAX.toLocaleString()} rows` : '';
  return html`
    <${Plot} points=${points} isLine=${isLine} unit=${unit} from=${from} to=${now} version=${version} note=${note} />
    <h3>Latest changes</h3>
    <ol class="changes">
      ${listed.map(
        ({ at, state }) => html`
          <li key=${`${at} ${state}`}>
            <time dateTime=${new Date(at).toISOString()} title=${whole(at)}>${recent(at)}</time>
            <span>${state === null ? html`<em class="state">removed</em>` : html`<${State} state=${state} unit=${unit} />`}</span>
          </li>
        `,
      )}
    </ol>
  `;
}

/**
 * The history of an entity, loaded, followed live, and loaded again when all states were: then changes were
 * missed, and their times are not known.
 *
 * @param {string} id
 * @param {number} rangeMs
 * @param {import('../live/states.js').States} states
 * @param {import('../live/session.js').Session} session
 */
function useHistory(id, rangeMs, states, session) {
  const [history, setHistory] = useState(/** @type {import('./history.js').History | null} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [version, setVersion] = useState(0);
  const [attempt, setAttempt] = useState(0);
  const { listings } = states;

  useEffect(() => setHistory(null), [rangeMs]);
  useEffect(() => {
    if (listings === 0) return undefined;
    const aborted = new AbortController();
    setError(null);
    /** @type {import('./history.js').Point[]} What comes while the history is loaded. */
    const pending = [];
    /** @type {import('./history.js').Point[] | undefined} */
    let points;
    const frame = perFrame(() => setVersion((count) => count + 1));
    /** @param {import('../live/states.js').Change} change */
    const follow = ({ entity_id: changed, new_state: state }) => {
      if (changed !== id) return;
      const all = points ?? pending;
      all.push({ at: Date.now(), state: state?.state ?? null });
      // A page that is open for days draws no more than one that was just opened.
      if (all.length > ROWS_MAX * 1.1) all.splice(0, all.length - ROWS_MAX);
      frame.ask();
    };
    states.listeners.add(follow);
    load(id, Date.now() - rangeMs, session.token, aborted.signal).then(
      (loaded) => {
        points = joined(loaded.points, pending);
        setHistory({ ...loaded, points });
      },
      (failure) => aborted.signal.aborted || setError(failure),
    );
    return () => {
      aborted.abort();
      frame.cancel();
      states.listeners.delete(follow);
    };
  }, [id, rangeMs, listings, attempt]);
  return { history, version, error, retry: () => setAttempt(attempt + 1) };
}

/**
 * When what is known of the entity begins, in ms since 1970, once a history was loaded that reaches back behind it.
 *
 * @param {import('./history.js').History | null} history
 * @returns {number | null}
 */
function useBegan(history) {
  const began = useRef(/** @type {number | null} */ (null));
  if (history?.began !== undefined) began.current = history.began;
  return began.current;
}

/**
 * What was heard while a history was loaded may be in it already: then it ends as what was heard begins.
 *
 * @param {import('./history.js').Point[]} loaded
 * @param {import('./history.js').Point[]} heard
 */
function joined(loaded, heard) {
  let both = Math.min(loaded.length, heard.length);
  const ends = (/** @type {number} */ count) =>
    heard.slice(0, count).every(({ state }, at) => loaded[loaded.length - count + at].state === state);
  while (!ends(both)) both -= 1;
  return [...loaded, ...heard.slice(both)];
}
