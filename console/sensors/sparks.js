// The last hour of a sensor as a small line. Only what is in view is asked for, a few at a time.

import { ask } from '../live/api.js';
import { Watched } from '../live/watched.js';

const HOUR_MS = 3_600_000;
/** Points of a line. */
const POINTS = 60;
/** Requests under way at once. */
const AT_ONCE = 3;
/** What was scrolled past is not asked for. */
const SETTLED_MS = 120;

/**
 * @typedef {{ at: number, value: number }} Point
 * @typedef {{ points: Point[] }} Spark another object for each change
 */

export class Sparks extends Watched {
  /** @type {Map<number, Spark>} by sensor */
  #known = new Map();
  /** @type {Set<number>} Sensors in view whose line is not known yet. */
  #wanted = new Set();
  /** @type {Set<number>} */
  #asked = new Set();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #end = new AbortController();

  /** @param {import('../live/session.js').Session} session */
  constructor(session) {
    super();
    this.session = session;
  }

  /** @param {number} id */
  of(id) {
    return this.#known.get(id) ?? null;
  }

  /** The sensor is in view. @param {number} id */
  want(id) {
    if (this.#known.has(id) || this.#asked.has(id)) return;
    this.#wanted.add(id);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#next(), SETTLED_MS);
  }

  /** It is not any more. @param {number} id */
  leave(id) {
    this.#wanted.delete(id);
  }

  /** A reading was heard. @param {import('../live/sensors.js').Update} update @param {boolean} isNewest */
  hear({ sensor_id: id, value, timestamp }, isNewest) {
    const spark = this.#known.get(id);
    if (!spark || !isNewest) return;
    const at = Date.parse(timestamp);
    const points = spark.points.filter((point) => point.at >= at - HOUR_MS);
    const last = points[points.length - 1];
    if (last && at - last.at < HOUR_MS / POINTS) points[points.length - 1] = { at: last.at, value };
    else points.push({ at, value });
    this.#known.set(id, { points });
  }

  /** Everything is asked for anew. */
  forget() {
    this.#end.abort();
    this.#end = new AbortController();
    for (const id of this.#known.keys()) this.#wanted.add(id);
    this.#known.clear();
    this.#asked.clear();
    this.#next();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#end.abort();
    this.#wanted.clear();
  }

  #next() {
    for (const id of this.#wanted) {
      if (this.#asked.size >= AT_ONCE) return;
      this.#wanted.delete(id);
      this.#asked.add(id);
      this.#load(id, this.#end.signal);
    }
  }

  /** A line that was not loaded is left out. @param {number} id @param {AbortSignal} signal */
  async #load(id, signal) {
    const [from, to] = [Date.now() - HOUR_MS, Date.now()].map((ms) => new Date(ms).toISOString());
    const query = new URLSearchParams({ from, to, agg: 'avg', limit: String(POINTS) });
    /** @type {Point[]} */
    let points = [];
    try {
      const { items } = await ask(`/api/sensors/${id}/readings?${query}`, { token: this.session.token, signal });
      points = items.map((/** @type {any} */ { timestamp, value }) => ({ at: Date.parse(timestamp), value }));
    } catch {
      if (signal.aborted) return;
    }
    this.#asked.delete(id);
    this.#known.set(id, { points });
    this.tell();
    this.#next();
  }
}

/**
 * A line through the points, in a box of 100 by 20: the hour before `now`, lowest to highest.
 *
 * @param {Point[]} points
 * @param {number} now ms since 1970
 */
export function pathOf(points, now) {
  if (points.length < 2) return '';
  let [low, high] = [Infinity, -Infinity];
  for (const { value } of points) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const scale = high > low ? 18 / (high - low) : 0;
  const x = (/** @type {number} */ at) => Math.min(Math.max(((at - now + HOUR_MS) / HOUR_MS) * 100, 0), 100).toFixed(1);
  const y = (/** @type {number} */ value) => (scale === 0 ? 10 : 19 - (value - low) * scale).toFixed(1);
  return points.map(({ at, value }, index) => `${index === 0 ? 'M' : 'L'}${x(at)} ${y(value)}`).join('');
}
