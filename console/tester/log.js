// What went over a connection, and when. So many entries are kept; then the oldest go, and that is said.

import { Watched } from '../live/watched.js';

export const ENTRIES_MAX = 5_000;
/** More of a frame's text is neither kept nor shown. */
const TEXT_LEN_MAX = 256 << 10;

/**
 * @typedef {'in' | 'out' | 'note' | 'error'} Direction
 *
 * @typedef {object} Entry
 * @property {number} number counts from 1
 * @property {number} at in ms since 1970, with fractions
 * @property {Direction} direction
 * @property {string} kind what it is: `text`, `binary`, `event`, `ack`, `packet`, ..
 * @property {string} text
 * @property {number | null} size in bytes, where that is known
 */

export class Log extends Watched {
  /** @type {Entry[]} */
  entries = [];
  dropped = 0;
  isPaused = false;
  /** Entries that came while the log was paused, and are not shown yet. */
  #held = /** @type {Entry[]} */ ([]);
  #count = 0;

  /**
   * @param {Direction} direction
   * @param {string} kind
   * @param {string} text
   * @param {number | null} [size]
   */
  add(direction, kind, text, size = null) {
    const at = performance.timeOrigin + performance.now();
    const kept = text.length > TEXT_LEN_MAX ? `${text.slice(0, TEXT_LEN_MAX)} (cut)` : text;
    const entry = { number: ++this.#count, at, direction, kind, text: kept, size };
    (this.isPaused ? this.#held : this.entries).push(entry);
    this.#bound();
    this.tell();
  }

  get held() {
    return this.#held.length;
  }

  /** Shows nothing new, or all that came meanwhile. @param {boolean} isPaused */
  pause(isPaused) {
    this.isPaused = isPaused;
    if (!isPaused) this.entries.push(...this.#held.splice(0));
    this.#bound();
    this.tell();
  }

  clear() {
    this.entries = [];
    this.#held = [];
    this.dropped = 0;
    this.tell();
  }

  /** Everything that is kept, as a text to save. */
  json() {
    const all = [...this.entries, ...this.#held];
    const entries = all.map(({ at, direction, kind, text, size }) => {
      return { time: new Date(at).toISOString(), direction, kind, size, text };
    });
    return JSON.stringify({ savedAt: new Date().toISOString(), dropped: this.dropped, entries }, null, 2);
  }

  /** Goes a tenth below the limit, so that this is not done for each entry. */
  #bound() {
    for (const entries of [this.entries, this.#held]) {
      if (entries.length > ENTRIES_MAX) this.dropped += entries.splice(0, ENTRIES_MAX / 10).length;
    }
  }
}

const BYTES = new TextEncoder();

/** How many bytes a text is in UTF-8. @param {string} text */
export const bytesOf = (text) => BYTES.encode(text).length;

/** The first bytes of what is no text. @param {ArrayBuffer} buffer */
export function hex(buffer) {
  const shown = new Uint8Array(buffer.slice(0, 64));
  const digits = [...shown].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return buffer.byteLength > shown.length ? `${digits} ...` : digits;
}
