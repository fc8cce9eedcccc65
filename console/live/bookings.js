// What the signed-in user booked, over all stations: what is live, and, page by page, what was. That something became of it
// is told by the inbox, and by stations; what, is asked.

import { Refused, ask, pages, words } from './api.js';
import { Lookup } from './lookup.js';
import { Watched } from './watched.js';

/** Those that have ended, of a page. */
const PAGE_LEN = 50;

/**
 * @typedef {import('../../clients/js/src/resources.js').Booking} Booking
 * @typedef {Booking['status']} Status
 */

/** Whether a battery waits for it. @param {Booking} booking */
export const isLive = ({ status }) => LIVE.includes(status);
/** @type {Status[]} */
const LIVE = ['confirmed', 'ready'];

/**
 * Those that are live.
 *
 * @param {(path: string) => Promise<any>} ask
 * @param {Record<string, string>} whose
 * @returns {Promise<Booking[]>} the oldest first
 */
export async function liveOf(ask, whose) {
  const found = new Map(/** @type {[number, Booking][]} */ ([]));
  // In this order: what becomes ready meanwhile is in both, not in none.
  for (const status of LIVE) for await (const page of pages(ask, `/api/bookings?${new URLSearchParams({ ...whose, status })}`)) for (const booking of page) found.set(booking.id, booking);
  return [...found.values()].sort((a, b) => a.id - b.id);
}

export class Bookings extends Watched {
  /** The oldest first; `null`: not known yet. @type {Booking[] | null} */
  live = null;
  /** Those that have ended, the newest first; `null`: not asked for yet. @type {Booking[] | null} */
  past = null;
  /** What asks for more of them; `null`: there are no more. @type {string | null} */
  next = null;
  /** Why they are not known. */
  wrong = '';
  /** When it was seen that one had ended, by `performance.now()`. */
  endedAt = 0;
  #userId = '';
  #heardOf = '';
  #begun = 0;
  #lookup = new Lookup(() => this.#look());
  #ends = /** @type {(() => void)[]} */ ([]);

  /**
   * @param {import('./session.js').Session} session
   * @param {import('./stations.js').Stations} stations
   * @param {import('./inbox.js').Inbox} inbox
   */
  constructor(session, stations, inbox) {
    super();
    this.session = session;
    this.stations = stations;
    this.inbox = inbox;
  }

  /** Follows those of who is signed in, until what is returned is called. */
  start() {
    if (this.#userId !== this.session.userId) this.forget();
    this.#userId = this.session.userId;
    this.#heardOf = this.#listings;
    this.stations.listeners.add(this.#hear);
    this.#ends = [this.inbox, this.stations].map((each) => each.watch(() => this.#told()));
    this.#lookup.now();
    return () => {
      this.stations.listeners.delete(this.#hear);
      for (const end of this.#ends.splice(0)) end();
      this.#lookup.stop();
    };
  }

  /** Looks again, soon. */
  again() {
    this.#lookup.ask();
  }

  /** Those at a station that are live. @param {number} stationId */
  at(stationId) {
    return (this.live ?? []).filter(({ station_id: id }) => id === stationId);
  }

  /** What one may have made of it oneself. @param {Booking} booking */
  put(booking) {
    if (booking.user_id !== this.#userId) return;
    this.#begun += 1;
    if (!isLive(booking)) this.endedAt = performance.now();
    const others = (this.live ?? []).filter(({ id }) => id !== booking.id);
    this.live = isLive(booking) ? [...others, booking].sort((a, b) => a.id - b.id) : others;
    if (!isLive(booking) && this.past) this.past = [booking, ...this.past.filter(({ id }) => id !== booking.id)].sort((a, b) => b.id - a.id);
    // An older answer may be under way.
    this.#lookup.ask();
    this.tell();
  }

  /** Begins with those that have ended, or goes on. */
  more = async () => {
    const query = new URLSearchParams({ user_id: this.#userId, limit: String(PAGE_LEN), ...(this.next && { cursor: this.next }) });
    const begun = this.#begun;
    const { items, next } = await this.#ask(`/api/bookings?${query}`);
    if (begun !== this.#begun) {
      this.past ??= [];
      return this.again();
    }
    const known = new Set(this.past?.map(({ id }) => id));
    this.past = [...(this.past ?? []), ...items.filter((/** @type {Booking} */ booking) => !isLive(booking) && !known.has(booking.id))];
    this.next = next;
    this.tell();
    return undefined;
  };

  forget() {
    [this.live, this.past, this.next, this.wrong] = [null, null, null, ''];
    this.#begun += 1;
    this.tell();
  }

  /** @param {string} path @returns {Promise<any>} */
  #ask = (path) => ask(path, { token: this.session.token });

  /** @param {import('./stations.js').Told} told */
  #hear = ({ type, battery_id: batteryId }) => {
    if (type !== 'battery_collected') return;
    const booking = this.live?.find(({ battery_id: id }) => id === batteryId);
    if (booking) this.put({ ...booking, status: 'collected' });
  };

  /** Changes when something was told, or may have been missed. */
  get #listings() {
    return `${this.inbox.listings} ${this.stations.listings}`;
  }

  #told() {
    const listings = this.#listings;
    if (listings === this.#heardOf) return;
    this.#heardOf = listings;
    this.#lookup.ask();
  }

  async #look() {
    const begun = this.#begun;
    try {
      const live = await liveOf(this.#ask, { user_id: this.#userId });
      const past = this.past && (await this.#ask(`/api/bookings?${new URLSearchParams({ user_id: this.#userId, limit: String(PAGE_LEN) })}`));
      if (begun !== this.#begun) return this.again();
      const ids = new Set(live.map(({ id }) => id));
      if (this.live?.some(({ id }) => !ids.has(id))) this.endedAt = performance.now();
      this.live = live;
      if (past) this.#begin(past);
      this.wrong = '';
    } catch (error) {
      this.wrong = error instanceof Refused || this.live === null ? words(error) : '';
    }
    this.tell();
    return undefined;
  }

  /** The first page of those that have ended, anew; those after it stay. @param {{ items: Booking[], next: string | null }} page */
  #begin({ items, next }) {
    const oldest = items[items.length - 1]?.id ?? 0;
    const older = (this.past ?? []).filter(({ id }) => id < oldest);
    if (older.length === 0) this.next = next;
    this.past = [...items.filter((booking) => !isLive(booking)), ...older];
  }
}
