// Times as people read them, in the browser's own language. The formats are made once: making one costs more
// than using it a hundred times.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
const SHORT_CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const DATE = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const LONG_DATE = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const WHOLE = new Intl.DateTimeFormat(undefined, {
  ...{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  ...{ hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' },
});

const DAY_MS = 86_400_000;

/** The time of day with seconds. @param {number} ms since 1970 */
export const clock = (ms) => CLOCK.format(ms);
/** The time of day. @param {number} ms since 1970 */
export const shortClock = (ms) => SHORT_CLOCK.format(ms);
/** Day and month. @param {number} ms since 1970 */
export const day = (ms) => DAY.format(ms);
/** Day, month and year. @param {number} ms since 1970 */
export const date = (ms) => DATE.format(ms);
/** Day and time. @param {number} ms since 1970 */
export const whole = (ms) => WHOLE.format(ms);

let midnight = 0;

/** The day in words: today, yesterday, else as a date. @param {number} ms since 1970 */
export function dayInWords(ms) {
  const of = (/** @type {number} */ at) => new Date(at).setHours(0, 0, 0, 0);
  const days = Math.round((of(Date.now()) - of(ms)) / DAY_MS);
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return LONG_DATE.format(ms);
}

/** As short as can be: the time of day if it was today, else the day. @param {number} ms since 1970 */
export const brief = (ms) => (new Date(ms).toDateString() === new Date().toDateString() ? shortClock(ms) : day(ms));

/** The time of day if it was today, else the day. @param {number} ms since 1970 */
export function recent(ms) {
  const now = Date.now();
  if (now - midnight >= DAY_MS) midnight = new Date(now).setHours(0, 0, 0, 0);
  return ms >= midnight && ms < midnight + DAY_MS ? clock(ms) : `${day(ms)} ${shortClock(ms)}`;
}

/** How long ago, in one unit. @param {number} ms since 1970 */
export function ago(ms) {
  const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  const days = Math.floor(s / 86_400);
  return days === 1 ? 'a day ago' : `${days} days ago`;
}

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

/** The moment that a text is, in ms since 1970; `null`: it is none. @param {string} text as of ISO 8601, with a time zone */
export function momentOf(text) {
  const ms = MOMENT.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** A state as people read it: a moment like the times beside it, anything else as it is. @param {string} state */
export function readable(state) {
  const ms = momentOf(state);
  return ms === null ? state : recent(ms);
}
