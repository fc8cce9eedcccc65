// The readings of one sensor over hours to years: ranges, a closer look by dragging, by keys or by buttons, and the way
// back. What is shown up to now goes on as readings are heard.

import { html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { Icon } from '../frame/icon.js';
import { clock, date, day, recent, shortClock, whole } from '../frame/times.js';
import { words } from '../live/api.js';
import { Band } from './band.js';
import { Following } from './following.js';
import { extremes } from './series.js';
import { rounded, withUnit } from './value.js';
import { RANGES, moved, spanOf, viewOf, zoomed } from './view.js';

const DAY_MS = 86_400_000;
/** Points of many readings have so many px each: closer to each other their band is a smear. A year by the day fits. */
const POINT_PX = 2;
const POINTS_MIN = 400;
/** And readings that are so few are shown one by one. */
const POINTS_MAX = 1_000;
/** Who goes on choosing is not asked for yet. */
const SETTLED_MS = 120;
/** Views that one can go back to. */
const BACK_MAX = 50;

/**
 * @typedef {import('./view.js').View} View
 * @typedef {import('./series.js').Series} Series
 * @typedef {import('./series.js').Point} Point
 *
 * @param {{ app: import('../main.js').App, sensor: import('../live/sensors.js').Sensor }} props
 */
export function Chart({ app, sensor }) {
  const { view, isBack, show, back, choose } = useViews();
  const now = useEdge(view, sensor.at);
  const { from, to } = spanOf(view, now);
  const { series, version, error, isLoading, retry } = useSeries(app, sensor.id, view, now);
  const [point, setPoint] = useState(/** @type {Point | null} */ (null));
  const { alarm, unit, silenceS } = sensor;
  const summary = useMemo(() => summaryOf(series, unit, from, to), [series, version, unit]);

  const does = {
    closer: () => show(zoomed(view, 0.5, now)),
    wider: () => show(zoomed(view, 2, now)),
    earlier: () => show(moved(view, -0.5, now)),
    later: () => view.to !== null && show(moved(view, 0.5, now)),
    back,
  };
  const keys = keysOf(does, isBack);
  const isLive = view.to === null;
  return html`
    <section class="history chart" aria-label="Readings over time">
      <div class="range">
        <div class="ranges" role="group" aria-label="How far to look back">
          ${RANGES.map(
            (each) => html`
              <button key=${each.name} type="button" aria-pressed=${isLive && each.ms === view.ms} aria-label=${each.label} onClick=${() => choose({ ms: each.ms, to: null })}>
                ${each.name}
              </button>
            `,
          )}
        </div>
        <div class="ranges steps" role="group" aria-label="What is shown">
          <${Step} name="back" label="Earlier" keys="←" does=${does.earlier} />
          <${Step} name="chevron" label="Later" keys="→" does=${does.later} isOff=${isLive} />
          <${Step} name="minus" label="Less close" keys="−" does=${does.wider} />
          <${Step} name="plus" label="Closer" keys="+" does=${does.closer} />
        </div>
        ${isBack && html`<button type="button" class="undo" title="Back (Esc)" onClick=${back}>Back</button>`}
        <p class="span">${spanWords(from, to, isLive)}</p>
      </div>
      <figure class=${`plot${isLoading ? ' loading' : ''}`} data-every=${series?.everyMs} data-points=${series?.points.length}>
        ${series === null
          ? html`<div class="plot-skeleton" role="status" aria-label="Loading the readings"></div>`
          : html`
              <${Band}
                ...${{ series, alarm, unit, silenceS, from, to, version, keys }}
                label=${`${summary} Drag to look closer; keys: plus, minus, arrows, Escape.`}
                read=${setPoint}
                choose=${(/** @type {number} */ first, /** @type {number} */ last) => show(viewOf(first, last, now))}
              />
              ${series.points.length === 0 && !isLoading && !error && html`<${Nothing} sensor=${sensor} from=${from} to=${to} show=${show} />`}
            `}
        <figcaption>
          <span class="readout">${point && series ? pointWords(point, series.everyMs, unit, to - from) : summary}</span>
          <span class="note" role="status">${isLoading && series !== null ? 'Loading' : ''}</span>
        </figcaption>
      </figure>
      ${error &&
      html`
        <div class="notice small" role="alert">
          <p>The readings were not loaded: ${words(error)}.</p>
          <button type="button" onClick=${retry}>Try again</button>
        </div>
      `}
    </section>
  `;
}

/** @param {{ name: 'back' | 'chevron' | 'minus' | 'plus', label: string, keys: string, does: () => void, isOff?: boolean }} props */
function Step({ name, label, keys, does, isOff }) {
  return html`
    <button type="button" class="square" aria-label=${label} title=${`${label} (${keys})`} disabled=${isOff} onClick=${does}><${Icon} name=${name} /></button>
  `;
}

/**
 * Keys on the chart.
 *
 * @param {Record<'closer' | 'wider' | 'earlier' | 'later' | 'back', () => void>} does
 * @param {boolean} isBack whether there is something to go back to; else Escape is the page's
 */
const keysOf = (does, isBack) => (/** @type {KeyboardEvent} */ event) => {
  /** @type {Record<string, false | (() => void)>} */
  const meanings = { '+': does.closer, '=': does.closer, '-': does.wider, ArrowLeft: does.earlier, ArrowRight: does.later, Escape: isBack && does.back };
  const act = meanings[event.key];
  if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  act();
};

/** @param {{ sensor: import('../live/sensors.js').Sensor, from: number, to: number, show: (view: View) => void }} props */
function Nothing({ sensor: { at }, from, to, show }) {
  const isBefore = at !== null && at < from;
  return html`
    <div class="nothing" role="status">
      <p>${at === null ? 'There are no readings yet.' : 'There are no readings in this time.'}</p>
      ${isBefore && html`<button type="button" onClick=${() => show({ ms: to - from, to: at + (to - from) * 0.1 })}>Go to the last one, ${recent(at)}</button>`}
    </div>
  `;
}

/** The view, and those before it. */
function useViews() {
  const [views, setViews] = useState(/** @type {View[]} */ ([{ ms: RANGES[2].ms, to: null }]));
  const view = views[views.length - 1];
  return {
    view,
    isBack: views.length > 1,
    /** One that one can come back from. @param {View} next */
    show: (next) => {
      if (next.ms !== view.ms || next.to !== view.to) setViews([...views, next].slice(-BACK_MAX));
    },
    /** One that begins anew. @param {View} next */
    choose: (/** @type {View} */ next) => setViews([next]),
    back: () => views.length > 1 && setViews(views.slice(0, -1)),
  };
}

/**
 * The time at the right edge of what goes on: it follows as often as that is a pixel. The clock here may be behind the
 * sensor's.
 *
 * @param {View} view
 * @param {number | null} newest the time of the newest reading
 */
function useEdge(view, newest) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), Math.max(1_000, view.ms / POINTS_MAX));
    return () => clearInterval(timer);
  }, [view]);
  return Math.max(now, newest ?? 0);
}

/**
 * The points of a view, loaded when it changes and when readings may have been missed.
 *
 * @param {import('../main.js').App} app
 * @param {number} id
 * @param {View} view
 * @param {number} now
 */
function useSeries({ sensors, session }, id, view, now) {
  const [series, setSeries] = useState(/** @type {Series | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [version, setVersion] = useState(0);
  const [attempt, setAttempt] = useState(0);
  const began = useRef(0);
  const edge = useRef(now);
  edge.current = now;
  const { breaks } = sensors;
  // What is asked for, and what was answered last: so it is loading from the moment on that something else is asked for.
  const wanted = useMemo(() => ({}), [id, view, breaks, attempt]);
  const [answered, setAnswered] = useState(/** @type {object | null} */ (null));

  useEffect(() => {
    const following = new Following(view, () => edge.current, {
      changed: () => setVersion((count) => count + 1),
      again: () => setAttempt((count) => count + 1),
    });
    /** @type {(update: import('../live/sensors.js').Update, isNewest: boolean) => void} */
    const hear = ({ sensor_id: heard, value, timestamp }, isNewest) => {
      if (heard === id) following.hear(Date.parse(timestamp), value, isNewest);
    };
    sensors.listeners.add(hear);
    setError(null);
    const wait = performance.now() - began.current < SETTLED_MS ? SETTLED_MS : 0;
    began.current = performance.now();
    const fit = Math.round((document.querySelector('.chart')?.clientWidth ?? 0) / POINT_PX);
    const limit = Math.min(Math.max(fit, POINTS_MIN), POINTS_MAX);
    const loaded = following.load(id, { limit, rawMax: POINTS_MAX, wait, token: session.token }, setSeries);
    loaded.catch(setError).finally(() => following.hasEnded || setAnswered(wanted));
    return () => {
      following.end();
      sensors.listeners.delete(hear);
    };
  }, [wanted]);
  return { series, version, error, isLoading: answered !== wanted, retry: () => setAttempt((count) => count + 1) };
}

/** @param {number} from @param {number} to @param {boolean} isLive */
function spanWords(from, to, isLive) {
  const span = to - from;
  const words = (/** @type {number} */ ms) => {
    if (span > 300 * DAY_MS) return date(ms);
    return span > 2 * DAY_MS ? day(ms) : `${day(ms)} ${span < 600_000 ? clock(ms) : shortClock(ms)}`;
  };
  return `${words(from)} to ${isLive ? 'now' : words(to)}`;
}

const UNITS = /** @type {const} */ ([
  [DAY_MS, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1_000, 'second'],
]);

/** A duration in words, with its article where there is one of it. @param {number} ms */
function durationWords(ms) {
  const [unit, name] = UNITS.find(([unit]) => ms >= unit && ms % unit === 0) ?? UNITS[3];
  const count = ms / unit;
  return count === 1 ? `${name === 'hour' ? 'an' : 'a'} ${name}` : `${count.toLocaleString()} ${name}s`;
}

/** What the chart shows, in words. @param {Series | null} series @param {string} unit @param {number} from @param {number} to */
function summaryOf(series, unit, from, to) {
  if (!series) return '';
  const points = series.points.filter(({ at }) => at + series.everyMs >= from && at <= to);
  if (points.length === 0) return 'No readings.';
  const count = points.reduce((sum, point) => sum + point.count, 0);
  const readings = `${count.toLocaleString()} ${count === 1 ? 'reading' : 'readings'}`;
  const how = series.everyMs === 0 ? readings : `${readings}, a point for ${durationWords(series.everyMs).replace(/^(?=\d)/, 'each ')}`;
  const { low, high } = extremes(points);
  return `${how}, ${low === high ? `steady at ${withUnit(low, unit)}` : `lowest ${withUnit(low, unit)}, highest ${withUnit(high, unit)}`}.`;
}

/** @param {Point} point @param {number} everyMs @param {string} unit @param {number} spanMs */
function pointWords({ at, min, max, mid, count }, everyMs, unit, spanMs) {
  const when = spanMs > DAY_MS ? whole(at) : clock(at);
  if (everyMs === 0) return html`${when}  <strong>${withUnit(mid, unit)}</strong>`;
  const range = min === max ? '' : `, ${withUnit(min, unit)} to ${withUnit(max, unit)}`;
  return html`${when}, ${durationWords(everyMs)}  <strong>${withUnit(mid, unit, rounded)}</strong>${range}, ${count.toLocaleString()} ${count === 1 ? 'reading' : 'readings'}`;
}
