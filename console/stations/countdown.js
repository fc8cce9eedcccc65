// How long a battery is still held: counted down by the server's clock, which is what ends it.

import { html } from '../vendor/htm-preact.js';
import { date, day, shortClock, whole } from '../frame/times.js';
import { serverNow, utc } from '../live/clock.js';
import { Watched, useWatched } from '../live/watched.js';

const [SECOND_MS, DAY_MS, YEAR_MS] = [1_000, 86_400_000, 365 * 86_400_000];
/** So little time is left that one should hurry, in s. */
const SHORT_S = 300;

/** Tells when a second of the server's clock begins, as long as somebody wants to know. */
class Seconds extends Watched {
  #watchers = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} watcher */
  watch(watcher) {
    const end = super.watch(watcher);
    this.#watchers += 1;
    if (this.#watchers === 1) this.#next();
    return () => {
      end();
      this.#watchers -= 1;
      if (this.#watchers === 0) clearTimeout(this.#timer);
      return undefined;
    };
  }

  #next() {
    this.#timer = setTimeout(() => {
      this.tell();
      this.#next();
    }, SECOND_MS - (serverNow() % SECOND_MS));
  }
}

const SECONDS = new Seconds();

/** What is left until then, in s: counted down, not below nothing. @param {string} expiresAt */
const leftOf = (expiresAt) => Math.max(0, Math.ceil((utc(expiresAt) - serverNow()) / SECOND_MS));

/** @param {{ expiresAt: string | null }} props `null`: it does not end by itself */
export function Countdown({ expiresAt }) {
  useWatched(SECONDS);
  if (expiresAt === null) return html`<span class="left none">no time limit</span>`;
  const left = leftOf(expiresAt);
  return html`
    <span class=${`left${left < SHORT_S ? ' short' : ''}`} role="timer" title=${`Held until ${whole(utc(expiresAt))}`}>${left === 0 ? 'time is over' : `${span(left)} left`}</span>
  `;
}

/** @param {number} s */
function span(s) {
  const [days, hours, minutes, seconds] = [Math.floor(s / 86_400), Math.floor(s / 3_600) % 24, Math.floor(s / 60) % 60, s % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0');
  if (days > 0) return `${days} d ${hours} h`;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** A time as short as can be: the time of day, if it is near. @param {string} text in UTC, without a zone */
export function momentWords(text) {
  const at = utc(text);
  const away = Math.abs(at - serverNow());
  if (away < DAY_MS / 2) return shortClock(at);
  return away < YEAR_MS / 2 ? `${day(at)}, ${shortClock(at)}` : date(at);
}
