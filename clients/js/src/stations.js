// Stations and what is in them: the snapshot that a stream begins with, and every event since.

import { pages } from './http.js';
import { Retries } from './retries.js';
import { Watched } from './watched.js';

/**
 * @typedef {import('./resources.js').Station} Station
 *
 * @typedef {Omit<Station, 'status'> & { status: Station['status'] | null }} Known `status` is `null` of a station that was
 *   heard of and not asked about yet
 *
 * @typedef {{ available: number, booked: number, total: number }} Inventory
 */

/** What events say of the counters. What one leaves out follows: all batteries are available or booked. */
const COUNTERS = {
  /** @param {any} event */
  inventory_update: ({ available_batteries: available, booked_batteries: booked }) => ({ available, booked }),
  /** @param {any} event */
  battery_booked: ({ available_batteries: available, booked_batteries: booked }) => ({ available, booked }),
  /** @param {any} event */
  battery_collected: ({ available_batteries: available, booked_batteries: booked }) => ({ available, booked }),
  /** @param {any} event */
  battery_added: ({ available_batteries: available, total_batteries: total }) => ({ available, booked: total - available }),
};

/** A feed of one station, or of all. */
export class Stations extends Watched {
  /** @type {import('./stream.js').Query} */
  query = { snapshot: '1' };
  isReplayedWhole = true;
  /** By id. What changes is another object then. @type {Map<number, Known>} */
  all = new Map();
  /** The station whose counters an event told last. @type {number | undefined} */
  last;
  /** Whether all that there is was told. */
  complete = false;
  /** What was heard of stations since something was asked, for each question: an answer may be older than that. */
  #meanwhile = new Set(/** @type {Map<number, Partial<Known>>[]} */ ([]));
  /** Changes when all is told or listed anew: what was asked about one station before may be older than that. */
  #beginnings = 0;
  /** Stations that could not be asked about. @type {Set<number>} */
  #doubtful = new Set();
  #retries = new Retries(() => this.#lookAgain());

  /**
   * @param {{ get: (path: string) => Promise<any> }} api
   * @param {number | string} [id] the station, also in digits; all, if absent
   * @throws {TypeError} if it is the id of no station
   */
  constructor(api, id) {
    super();
    this.api = api;
    this.id = id === undefined ? undefined : idOf(id);
    if (Number.isNaN(this.id)) throw new TypeError(`id: there is no station ${id}`);
    this.path = id === undefined ? '/ws/stations/' : `/ws/stations/${id}/`;
  }

  /** Thousands of stations are too many for a snapshot: then they are listed, page by page. */
  asksLess() {
    return 'snapshot' in this.query && delete this.query.snapshot;
  }

  /** @param {any} event */
  hear(event) {
    const { type, station_id: id } = event;
    if (type === 'stations:snapshot') this.#snapshot(event.data);
    else if (type === 'station_status') this.#put(id, { name: event.station_name, status: event.status });
    else if (type in COUNTERS) this.#count(id, event.station_name, COUNTERS[/** @type {keyof COUNTERS} */ (type)](event));
    else return;
    this.tell();
  }

  /** Only without a snapshot. @param {(path: string) => Promise<any>} ask */
  list(ask) {
    return 'snapshot' in this.query ? undefined : this.#list(ask);
  }

  /** @param {boolean} isOver @param {any} error */
  observe(isOver, error) {
    this.#retries.rest(isOver);
    if (isOver && error?.status === 404 && this.id !== undefined) this.forget();
    else if (!isOver && this.#doubtful.size > 0) this.#retries.failed();
  }

  /** All, beside the events. @param {(path: string) => Promise<any>} ask */
  async #list(ask) {
    this.#beginnings += 1;
    const [listed, heard] = await this.#ask(async () => {
      /** @type {Station[]} */
      const listed = [];
      if (this.id === undefined) for await (const page of pages(ask, '/api/stations')) listed.push(...page);
      else listed.push(await ask(`/api/stations/${this.id}`));
      return listed;
    });
    const ids = new Set(listed.map(({ id }) => id));
    for (const id of this.all.keys()) if (!ids.has(id) && !heard.has(id)) this.all.delete(id);
    for (const station of listed) this.all.set(station.id, { ...station, ...heard.get(station.id) });
    for (const id of this.#doubtful) if (!heard.has(id)) this.#isSure(id);
    this.complete = true;
    this.tell();
    for (const id of heard.keys()) if (!ids.has(id)) this.#look(id);
  }

  /** Everything: it may not be for whoever comes next. */
  forget() {
    this.all.clear();
    this.#begin();
    [this.complete, this.last] = [false, undefined];
    this.tell();
  }

  /** @param {Station[]} stations */
  #snapshot(stations) {
    this.all = new Map(stations.map((station) => [station.id, station]));
    this.complete = true;
    this.#begin();
  }

  /** What was asked before is of no use any more. */
  #begin() {
    this.#beginnings += 1;
    this.#doubtful.clear();
    this.#retries.over();
  }

  /** @param {number} id @param {string} name @param {{ available: number, booked: number }} counters */
  #count(id, name, { available, booked }) {
    this.last = id;
    this.#put(id, {
      name,
      available_batteries: available,
      booked_batteries: booked,
      total_batteries: available + booked,
    });
  }

  /** @param {number} id @param {Partial<Known>} change */
  #put(id, change) {
    const known = this.all.get(id);
    const empty = { id, name: '', status: null, available_batteries: 0, booked_batteries: 0, total_batteries: 0 };
    const station = { ...(known ?? empty), ...change };
    this.all.set(id, station);
    for (const heard of this.#meanwhile) heard.set(id, { ...heard.get(id), ...change });
    // No event says that there is a station, or that there is none any more.
    const mayBeGone = station.total_batteries === 0 && (station.status === 'offline' || station.status === null);
    if (mayBeGone || (!known && this.complete)) this.#look(id);
  }

  /** What no event told of a station. @param {number} id */
  async #look(id) {
    const beginnings = this.#beginnings;
    try {
      const [station, heard] = await this.#ask(() => this.api.get(`/api/stations/${id}`).catch(gone));
      if (beginnings !== this.#beginnings) return;
      // It was not there, and then it was heard of.
      if (!station && heard.has(id)) return this.#isUnsure(id);
      this.#isSure(id);
      if (!this.all.has(id)) return;
      if (station) this.all.set(id, { ...station, ...heard.get(id) });
      else this.all.delete(id);
      this.tell();
    } catch (error) {
      if (beginnings === this.#beginnings) this.#isUnsure(id, error);
    }
  }

  /** One after the other, until one fails. */
  async #lookAgain() {
    for (const id of [...this.#doubtful]) {
      if (this.#retries.isWaiting) return;
      if (this.#doubtful.has(id)) await this.#look(id);
    }
  }

  /** @param {number} id @param {unknown} [error] */
  #isUnsure(id, error) {
    this.#doubtful.add(id);
    this.#retries.failed(error);
  }

  /** @param {number} id */
  #isSure(id) {
    if (this.#doubtful.delete(id) && this.#doubtful.size === 0) this.#retries.over();
  }

  /**
   * An answer, and what was heard since it was asked for.
   *
   * @template Answer
   * @param {() => Promise<Answer>} ask
   * @returns {Promise<[Answer, Map<number, Partial<Known>>]>}
   */
  async #ask(ask) {
    const heard = new Map();
    this.#meanwhile.add(heard);
    try {
      return [await ask(), heard];
    } finally {
      this.#meanwhile.delete(heard);
    }
  }
}

/** `null`: it is not there; anything else proves nothing. @param {any} error */
function gone(error) {
  if (error?.status !== 404) throw error;
  return null;
}

/** The id of a station, which may be in digits; `NaN`: it is that of none. @param {number | string} id */
function idOf(id) {
  const number = Number(id);
  return Number.isSafeInteger(number) && number > 0 ? number : Number.NaN;
}

/** What is in a station. @param {Known} station @returns {Inventory} */
export function inventoryOf({ available_batteries: available, booked_batteries: booked, total_batteries: total }) {
  return { available, booked, total };
}
