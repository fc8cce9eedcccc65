// What one client was sent, followed live. Nothing that is secret is shown.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { recent, whole } from '../frame/times.js';
import { ask, words } from '../live/api.js';
import { useWatched } from '../live/watched.js';

/** So many are shown; then the oldest go. */
const SHOWN_MAX = 200;
/** Values with these keys open doors. */
const SECRET = /^(token|deviceCode|ticket|password)$/i;

/**
 * @typedef {{ id: string, event: string, data: any, timestamp: string }} Sent
 * @typedef {{ events: Sent[], isCut: boolean, wrong: string, isLoaded: boolean }} Shown `isCut`: there were more before
 */

/** @param {{ app: import('../main.js').App, id: string }} props */
export function Trace({ app, id }) {
  const { events, isCut, wrong, isLoaded } = useTrace(app, id);
  return html`
    <section class="trace" aria-label="What it was sent">
      <h4>Sent to it</h4>
      <${Wrong} words=${wrong && `this was not loaded: ${wrong}`} />
      ${isLoaded && events.length === 0 && html`<p class="aside">Nothing yet.</p>`}
      <ol reversed>
        ${[...events].reverse().map((sent) => html`<${Event} key=${sent.id} sent=${sent} />`)}
      </ol>
      ${isCut && html`<p class="aside">What was before is not kept, or not shown.</p>`}
    </section>
  `;
}

/** @param {{ sent: Sent }} props */
function Event({ sent: { event, data, timestamp } }) {
  const at = Date.parse(timestamp);
  const about = typeof data?.name === 'string' ? data.name : (data?.message ?? '');
  return html`
    <li>
      <details>
        <summary>
          <time dateTime=${timestamp} title=${whole(at)}>${recent(at)}</time>
          <span class="event mono">${event}</span>
          <span class="about">${String(about)}</span>
        </summary>
        <pre>${withoutSecrets(data)}</pre>
      </details>
    </li>
  `;
}

/** As JSON, without what opens doors. @param {unknown} data */
function withoutSecrets(data) {
  return JSON.stringify(data, (key, value) => (SECRET.test(key) ? undefined : value), 2);
}

/**
 * What was sent, read again from the last one known when something happens that it may have been told.
 *
 * @param {import('../main.js').App} app
 * @param {string} id
 */
function useTrace({ areas, session }, id) {
  useWatched(areas);
  const [shown, setShown] = useState(/** @type {Shown} */ ({ events: [], isCut: false, wrong: '', isLoaded: false }));
  const { listings } = areas;
  useEffect(() => {
    const aborted = new AbortController();
    const { read } = reader(id, session, aborted.signal, setShown);
    const heard = (/** @type {any} */ told) => concerns(told, id) && read();
    areas.listeners.add(heard);
    read();
    return () => {
      aborted.abort();
      areas.listeners.delete(heard);
    };
  }, [id, listings]);
  return shown;
}

/** Whether a client may have been told something, too. @param {any} told @param {string} client */
function concerns({ type, id, clientId, clients }, client) {
  if (type.startsWith('area_') || id === client || clientId === client) return true;
  return type === 'clients_present' && clients.some((/** @type {any} */ each) => each.id === client);
}

/**
 * Reads on, one request at a time: what is asked for while one is under way is read after it.
 *
 * @param {string} id
 * @param {import('../live/session.js').Session} session
 * @param {AbortSignal} signal
 * @param {(next: (before: Shown) => Shown) => void} show
 */
function reader(id, session, signal, show) {
  let last = '';
  let isReading = false;
  let isAskedAgain = false;
  const page = async () => {
    const since = last;
    const query = since && `?since=${encodeURIComponent(since)}`;
    const { items, next, truncated } = await ask(`/api/clients/${id}/events${query}`, { token: session.token, signal });
    if (items.length > 0) last = items[items.length - 1].id;
    show(({ events, isCut }) => {
      const all = since && !truncated ? [...events, ...items] : items;
      return { events: all.slice(-SHOWN_MAX), isCut: truncated || all.length > SHOWN_MAX || (since !== '' && isCut), wrong: '', isLoaded: true };
    });
    return since !== '' && next !== null;
  };
  const read = async () => {
    isAskedAgain = true;
    if (isReading) return;
    isReading = true;
    try {
      while (isAskedAgain) {
        isAskedAgain = false;
        while (await page());
      }
    } catch (error) {
      if (!signal.aborted) show((before) => ({ ...before, wrong: words(error) }));
    } finally {
      isReading = false;
    }
  };
  return { read };
}
