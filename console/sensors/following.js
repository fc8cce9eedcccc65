// The points of one view: loaded, and, if it ends now, going on with what is heard. What comes late, or corrects, is loaded
// anew, as only the server knows what a point of many readings comes to.

import { perFrame } from '../live/watched.js';
import { add, load, trim } from './series.js';
import { spanOf } from './view.js';

/** What goes on is loaded anew when it has become so many. */
const POINTS_MAX = 2_000;
/** At most so often. */
const AGAIN_MS = 2_000;
/** The newest reading may be of this very second. */
const AHEAD_MS = 1_000;

export class Following {
  /** @type {import('./series.js').Series | undefined} */
  #series;
  /** @type {[number, number][]} What is heard while it is loaded. */
  #heard = [];
  #isLoaded = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #late;
  #aborted = new AbortController();

  /**
   * @param {import('./view.js').View} view
   * @param {() => number} now the time at the right edge of what goes on
   * @param {{ changed: () => void, again: () => void }} tells `again`: it should be loaded anew
   */
  constructor(view, now, { changed, again }) {
    this.view = view;
    this.now = now;
    this.again = again;
    this.frame = perFrame(changed);
  }

  get hasEnded() {
    return this.#aborted.signal.aborted;
  }

  /**
   * @param {number} id
   * @param {{ limit: number, rawMax: number, wait: number, token: string | null }} how `limit`: points at most, of which each
   *   is many readings; `rawMax`: of which each is one; `wait`: in ms, before it is asked for
   * @param {(series: import('./series.js').Series) => void} show may be called twice: with what many come to, then with the
   *   readings themselves
   */
  async load(id, { limit, rawMax, wait, token }, show) {
    const { signal } = this.#aborted;
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (signal.aborted) return;
    const { from, to } = spanOf(this.view, this.now());
    try {
      await load(id, { from, to: this.view.to === null ? to + AHEAD_MS : to, limit, rawMax, token, signal }, (series) => {
        if (signal.aborted) return;
        this.#series = series;
        // What it has is not added again.
        const known = series.points.length === 0 ? 0 : series.points[series.points.length - 1].at + series.everyMs;
        for (const [at, value] of this.#heard) if (at > known) add(series, at, value);
        show(series);
      });
      this.#isLoaded = true;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** @param {number} at @param {number} value @param {boolean} isNewest of its sensor */
  hear(at, value, isNewest) {
    const { from, to } = spanOf(this.view, this.now());
    if (this.view.to !== null || !isNewest) {
      if (at >= from && at <= to) this.#again();
      return;
    }
    if (!this.#isLoaded) this.#heard.push([at, value]);
    if (!this.#series) return;
    if (!add(this.#series, at, value) || this.#series.points.length > POINTS_MAX) this.#again();
    trim(this.#series, from);
    this.frame.ask();
  }

  /** What is under way ends. */
  end() {
    this.#aborted.abort();
    this.frame.cancel();
    clearTimeout(this.#late);
  }

  #again() {
    this.#late ??= setTimeout(this.again, AGAIN_MS);
  }
}
