// The newest readings of a sensor one by one, a page at a time. The first page goes on as readings are heard.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { ago, recent, whole } from '../frame/times.js';
import { ask, words } from '../live/api.js';
import { Value } from './value.js';

const PAGE_LEN = 10;
/** A page that has become so long is read anew. */
const HEARD_MAX = 3 * PAGE_LEN;
/** What was heard is not shown by itself if it came late: then the page is read anew, at most so often. */
const LATE_MS = 2_000;
/** Who is later than this says so. */
const DELAY_MS_MIN = 2_000;

/** @typedef {{ value: number, timestamp: string, received_at: string | null }} Reading */

/** @param {{ app: import('../main.js').App, sensor: import('../live/sensors.js').Sensor }} props */
export function Readings({ app, sensor }) {
  /** The cursor of each page up to the one that is shown. */
  const [cursors, setCursors] = useState(/** @type {string[]} */ (['']));
  const cursor = cursors[cursors.length - 1];
  const { page, wrong, isLoading, retry } = usePage(app, sensor.id, cursor);
  const isFirst = cursors.length === 1;
  return html`
    <section class="readings" aria-labelledby="readings">
      <h3 id="readings">${isFirst ? 'Latest readings' : `Readings, page ${cursors.length}`}</h3>
      ${wrong && html`<p class="wrong" role="alert">They were not loaded: ${wrong}. <button type="button" onClick=${retry}>Try again</button></p>`}
      ${page && page.items.length === 0 && html`<p class="aside">There are none.</p>`}
      ${page &&
      page.items.length > 0 &&
      html`
        <table class=${isLoading ? 'loading' : ''}>
          <thead><tr><th scope="col">Time</th><th scope="col" class="number">Value</th><th scope="col">Received</th></tr></thead>
          <tbody>
            ${page.items.map((reading, at) => html`<${Row} key=${`${reading.timestamp} ${at}`} reading=${reading} unit=${sensor.unit} />`)}
          </tbody>
        </table>
      `}
      ${page &&
      (page.next !== null || !isFirst) &&
      html`
        <div class="buttons">
          <button type="button" disabled=${isFirst} onClick=${() => setCursors(cursors.slice(0, -1))}>Newer</button>
          <button type="button" disabled=${page.next === null || isLoading} onClick=${() => setCursors([...cursors, page.next ?? ''])}>Older</button>
          ${cursors.length > 2 && html`<button type="button" class="quiet" onClick=${() => setCursors([''])}>Newest</button>`}
        </div>
      `}
    </section>
  `;
}

/** @param {{ reading: Reading, unit: string }} props */
function Row({ reading: { value, timestamp, received_at: received }, unit }) {
  const at = Date.parse(timestamp);
  const delay = received === null ? 0 : Date.parse(received) - at;
  return html`
    <tr>
      <td><time dateTime=${timestamp} title=${whole(at)}>${recent(at)}</time></td>
      <td class="number"><${Value} value=${value} unit=${unit} /></td>
      <td class="muted">${received === null ? '' : delay < DELAY_MS_MIN ? 'at once' : html`<span title=${whole(Date.parse(received))}>${ago(Date.now() - delay).replace(' ago', ' later')}</span>`}</td>
    </tr>
  `;
}

/**
 * @param {import('../main.js').App} app
 * @param {number} id
 * @param {string} cursor empty: the newest
 */
function usePage({ sensors, session }, id, cursor) {
  const [page, setPage] = useState(/** @type {{ items: Reading[], next: string | null } | null} */ (null));
  const [wrong, setWrong] = useState('');
  const [isLoading, setLoading] = useState(false);
  const [attempt, setAttempt] = useState(0);
  const { breaks } = sensors;
  useEffect(() => {
    const aborted = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let late;
    const query = new URLSearchParams({ limit: String(PAGE_LEN), ...(cursor && { cursor }) });
    setWrong('');
    setLoading(true);
    ask(`/api/sensors/${id}/readings?${query}`, { token: session.token, signal: aborted.signal }).then(
      (loaded) => {
        setPage(loaded);
        setLoading(false);
      },
      (failure) => {
        if (aborted.signal.aborted) return;
        setWrong(words(failure));
        setLoading(false);
      },
    );
    /** @type {(update: import('../live/sensors.js').Update, isNewest: boolean) => void} */
    const hear = ({ sensor_id: heard, value, timestamp }, isNewest) => {
      if (heard !== id || cursor) return;
      const received_at = new Date().toISOString();
      setPage((shown) => {
        const newest = shown?.items[0];
        if (!shown || !isNewest || newest?.timestamp === timestamp || shown.items.length >= HEARD_MAX) {
          late ??= setTimeout(() => setAttempt((count) => count + 1), LATE_MS);
          return shown;
        }
        return { ...shown, items: [{ value, timestamp, received_at }, ...shown.items] };
      });
    };
    sensors.listeners.add(hear);
    return () => {
      aborted.abort();
      clearTimeout(late);
      sensors.listeners.delete(hear);
    };
  }, [id, cursor, breaks, attempt]);
  return { page, wrong, isLoading, retry: () => setAttempt(attempt + 1) };
}
