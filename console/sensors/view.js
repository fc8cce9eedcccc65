// Which span of time a chart shows: the last so long, which goes on, or one that stays; and the way back from one to the
// one before.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** What can be looked back at with a click. */
export const RANGES = [
  { name: '1 h', label: 'the last hour', ms: HOUR_MS },
  { name: '6 h', label: 'the last 6 hours', ms: 6 * HOUR_MS },
  { name: '24 h', label: 'the last 24 hours', ms: DAY_MS },
  { name: '7 d', label: 'the last 7 days', ms: 7 * DAY_MS },
  { name: '30 d', label: 'the last 30 days', ms: 30 * DAY_MS },
  { name: '1 y', label: 'the last year', ms: 365 * DAY_MS },
];
/** The closest look, and the widest. */
const SPAN_MS_MIN = 10_000;
const SPAN_MS_MAX = 10 * 366 * DAY_MS;
/** Who ends so near to now, as a part of the span, means now. */
const NOW_PART = 0.02;

/** @typedef {{ ms: number, to: number | null }} View so many ms up to `to`; `null`: up to now, which goes on */

/** From when to when. @param {View} view @param {number} now */
export const spanOf = ({ ms, to }, now) => ({ from: (to ?? now) - ms, to: to ?? now });

/**
 * A span as a view.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} now
 * @returns {View}
 */
export function viewOf(from, to, now) {
  const ms = Math.min(Math.max(to - from, SPAN_MS_MIN), SPAN_MS_MAX);
  if (to >= now - ms * NOW_PART) return { ms, to: null };
  // A span that is too short is widened around its middle.
  const end = (from + to + ms) / 2;
  return { ms, to: Math.min(end, now) };
}

/** Looks closer, or less close, by a factor. @param {View} view @param {number} factor @param {number} now */
export function zoomed(view, factor, now) {
  const { from, to } = spanOf(view, now);
  if (view.to === null) return viewOf(now - (to - from) * factor, now, now);
  const [middle, half] = [(from + to) / 2, ((to - from) / 2) * factor];
  return viewOf(middle - half, middle + half, now);
}

/** Goes by a part of the span. @param {View} view @param {number} part @param {number} now */
export function moved(view, part, now) {
  const { from, to } = spanOf(view, now);
  const by = Math.min((to - from) * part, now - to);
  return viewOf(from + by, to + by, now);
}
