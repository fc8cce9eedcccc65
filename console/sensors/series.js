// Readings of one sensor over a span of time, as a chart shows them: each by itself where they are few, else what many
// come to. The server does the sums, so that years are as fast as hours.

import { ask } from '../live/api.js';

/** A gap is so many times as long as points are apart: as so many are on either side of it. */
const GAP_PART = 2.5;
const AROUND = 3;

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * @typedef {{ at: number, min: number, max: number, mid: number, count: number }} Point `at`: when it begins, in ms since
 *   1970; `mid`: the average, or the reading itself
 * @typedef {{ points: Point[], everyMs: number }} Series oldest first; `everyMs`: what a point spans, 0 if each is one reading
 */

/**
 * @param {number} id
 * @param {{ from: number, to: number, limit: number, rawMax: number, token: string | null, signal: AbortSignal }} of `limit`:
 *   points at most of what many come to; `rawMax`: of readings themselves
 * @param {(series: Series) => void} show is given what many come to, and then the readings themselves if they are few
 */
export async function load(id, { from, to, limit, rawMax, token, signal }, show) {
  const path = `/api/sensors/${id}/readings`;
  const span = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const query = new URLSearchParams({ ...span, agg: 'minmax', limit: String(limit) });
  const { items, every } = await ask(`${path}?${query}`, { token, signal });
  const count = items.reduce((/** @type {number} */ sum, /** @type {any} */ item) => sum + item.count, 0);
  show({ points: items.map(bucket), everyMs: count === 0 ? 0 : durationOf(every) });
  if (count === 0 || count > rawMax) return;
  const raw = await ask(`${path}?${new URLSearchParams({ ...span, limit: String(rawMax) })}`, { token, signal });
  // Of what is old only sums are kept.
  if (raw.items.length >= count) show({ points: raw.items.map(single).reverse(), everyMs: 0 });
}

/** @param {any} item @returns {Point} */
const bucket = ({ timestamp, min, max, avg, count }) => ({ at: Date.parse(timestamp), min, max, mid: avg, count });
/** @param {{ timestamp: string, value: number }} item @returns {Point} */
const single = ({ timestamp, value }) => ({ at: Date.parse(timestamp), min: value, max: value, mid: value, count: 1 });

/** A duration as the server writes them, `5400s` or `90m`, in ms. @param {string} text */
export function durationOf(text) {
  const [, digits, unit] = /^(\d+)([smhd])$/.exec(text) ?? ['', '0', 's'];
  return Number(digits) * UNITS_MS[/** @type {keyof typeof UNITS_MS} */ (unit)];
}

/**
 * Adds a reading that was just heard. What lies before the last point is known by asking only.
 *
 * @param {Series} series
 * @param {number} at
 * @param {number} value
 * @returns {boolean} whether it was added
 */
export function add({ points, everyMs }, at, value) {
  const last = points[points.length - 1];
  if (everyMs === 0) {
    if (last && at < last.at) return false;
    if (last?.at === at && last.mid === value) return true;
    points.push({ at, min: value, max: value, mid: value, count: 1 });
    return true;
  }
  const start = Math.floor(at / everyMs) * everyMs;
  if (last && start < last.at) return false;
  if (last?.at !== start) {
    points.push({ at: start, min: value, max: value, mid: value, count: 1 });
    return true;
  }
  const count = last.count + 1;
  const mid = last.mid + (value - last.mid) / count;
  points[points.length - 1] = { at: start, min: Math.min(last.min, value), max: Math.max(last.max, value), mid, count };
  return true;
}

/** Takes away what ended before. @param {Series} series @param {number} from */
export function trim({ points, everyMs }, from) {
  let gone = 0;
  while (gone < points.length && points[gone].at + everyMs < from) gone += 1;
  if (gone > 0) points.splice(0, gone);
}

/**
 * Whether a line breaks before a point: nothing was heard for as long as makes the sensor silent, and for longer than
 * points around it are apart. What a sensor posted each hour may be followed by what it posts each second.
 *
 * @param {Series} series
 * @param {number} index of the point
 * @param {number} silenceS
 */
export function isGap({ points, everyMs }, index, silenceS) {
  if (index === 0 || silenceS <= 0) return false;
  const apart = points[index].at - points[index - 1].at;
  if (apart <= silenceS * 1_000 + everyMs) return false;
  const around = [];
  for (let at = Math.max(index - AROUND, 1); at <= Math.min(index + AROUND, points.length - 1); at += 1) {
    if (at !== index) around.push(points[at].at - points[at - 1].at);
  }
  const usual = around.sort((a, b) => a - b)[around.length >> 1] ?? 0;
  return apart > usual * GAP_PART;
}

/** Lowest and highest. @param {Point[]} points */
export function extremes(points) {
  let [low, high] = [Infinity, -Infinity];
  for (const { min, max } of points) [low, high] = [Math.min(low, min), Math.max(high, max)];
  return { low, high };
}
