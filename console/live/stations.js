// Stations and how many batteries each has: what the server listed, and what it told since. The events say neither that a
// station is new nor that one is gone: of these the server is asked. Not the feed of `clients/js`, which does the same: rows
// are drawn again by their `version`, and what changed is animated.

import { Refused, ask, pages } from './api.js';
import { Connection } from './connection.js';
import { Lookup } from './lookup.js';
import { Watched } from './watched.js';

/** More unknown stations than this are looked up by listing all. */
const LOOKED_UP_MAX = 8;
/** A user that nobody is: only staff may ask what they booked. */
const NOBODY = '9007199254740991';

/**
 * @typedef {import('../../clients/js/src/resources.js').Station} Row
 * @typedef {Row['status']} Status
 * @typedef {import('../../clients/js/src/stations.js').Inventory} Counts
 *
 * @typedef {object} Station
 * @property {number} id
 * @property {string} name
 * @property {Status} status
 * @property {Counts} counts
 * @property {Counts} change by how much they changed last, live
 * @property {number} changedAt when that was, by `performance.now()`; 0: never
 * @property {number} changes how often that was
 * @property {number} version counts the changes
 *
 * @typedef {{ type: string, station_id: number, station_name: string, battery_id?: number, user?: string, action?: string,
 *   status?: Status, available_batteries?: number, booked_batteries?: number, total_batteries?: number }} Told
 */

const UNCHANGED = { available: 0, booked: 0, total: 0 };
const COUNTING = new Set(['inventory_update', 'battery_booked', 'battery_collected', 'battery_added']);

export class Stations extends Watched {
  path = '/ws/stations/';
  /** @type {Record<string, string>} */
  query = {};
  isReplayedWhole = true;
  complete = false;
  /** @type {Map<number, Station>} by id */
  all = new Map();
  /** Whether one may look after all bookings and batteries. */
  isStaff = false;
  /** Changes when stations come, go, are called otherwise, or have another status. */
  structure = 0;
  /** Changes when everything was listed anew. */
  listings = 0;
  /** @type {Set<(told: Told) => void>} Who hears each event. */
  listeners = new Set();
  /** Stations of which counts or a status was heard since a listing began: it may be older than that. */
  #counted = new Set(/** @type {number[]} */ ([]));
  #judged = new Set(/** @type {number[]} */ ([]));
  /** @type {Set<number>} Stations that may be new, or gone. */
  #doubtful = new Set();
  #lookup = new Lookup(() => this.#look());

  /** @param {import('./session.js').Session} session */
  constructor(session) {
    super();
    this.session = session;
    this.connection = new Connection(session, this);
    this.connection.watch(() => this.connection.condition === 'live' && this.#doubtful.size > 0 && this.#lookup.ask());
  }

  get isEmpty() {
    return this.all.size === 0;
  }

  /** @param {string} path @returns {Promise<any>} */
  ask = (path) => ask(path, { token: this.session.token });

  /** @param {Told} told */
  hear(told) {
    const { type, station_id: id, station_name: name } = told;
    if (!COUNTING.has(type) && type !== 'station_status') return;
    const station = this.all.get(id);
    if (!station) this.#doubt(id);
    else this.#apply(station, told);
    if (station && station.name !== name) {
      station.name = name;
      this.structure += 1;
    }
    for (const listener of this.listeners) listener(told);
    this.tell();
  }

  /** @param {Station} station @param {Told} told */
  #apply(station, { type, action, status, available_batteries: available = 0, booked_batteries: booked, total_batteries: total }) {
    station.version += 1;
    if (type === 'station_status') {
      this.#judged.add(station.id);
      if (status && station.status !== status) [station.status, this.structure] = [status, this.structure + 1];
      return;
    }
    this.#counted.add(station.id);
    const all = total ?? available + (booked ?? 0);
    this.#count(station, { available, booked: booked ?? all - available, total: all }, true);
    // So it is of one that was deleted, too.
    if (action === 'update' && all === 0) this.#doubt(station.id);
  }

  /** @param {Station} station @param {Counts} counts @param {boolean} isLive */
  #count(station, counts, isLive) {
    const { counts: before } = station;
    const change = { available: counts.available - before.available, booked: counts.booked - before.booked, total: counts.total - before.total };
    station.counts = counts;
    if (isLive && (change.available || change.booked || change.total)) {
      Object.assign(station, { change, changedAt: performance.now(), changes: station.changes + 1 });
    }
  }

  /**
   * Pages may cross with events; what an event told holds, as these come in order.
   *
   * @param {(path: string) => Promise<any>} ask
   * @param {import('./connection.js').Request} request
   */
  async list(ask, request) {
    this.isStaff = await this.#mayDoAll(request);
    this.#counted.clear();
    this.#judged.clear();
    const listed = new Set(/** @type {number[]} */ ([]));
    for await (const rows of pages(ask, '/api/stations')) {
      for (const row of rows) {
        listed.add(row.id);
        this.#put(row);
      }
      this.tell();
    }
    for (const id of this.all.keys()) if (!listed.has(id) && !this.#counted.has(id)) this.#remove(id);
    this.complete = true;
    this.listings += 1;
    this.tell();
  }

  /** Whether one is staff: nothing says so but what one may ask. @param {import('./connection.js').Request} request */
  async #mayDoAll(request) {
    const { kind, role } = this.session;
    if (role === 'admin' || kind === 'guest') return role === 'admin';
    try {
      await request({ type: 'bookings.list', user_id: NOBODY, limit: 1 });
      return true;
    } catch (error) {
      if (error instanceof Refused) return false;
      throw error;
    }
  }

  forget() {
    this.all.clear();
    this.#doubtful.clear();
    this.#lookup.stop();
    [this.complete, this.isStaff] = [false, false];
    this.structure += 1;
    this.tell();
  }

  /** What an answer to a request says of a station. @param {Row} row */
  put(row) {
    this.#put(row);
    this.tell();
  }

  /** @param {Row} row */
  #put({ id, name, status, available_batteries: available, booked_batteries: booked, total_batteries: total }) {
    const counts = { available, booked, total };
    const known = this.all.get(id);
    if (!known) {
      this.all.set(id, { id, name, status, counts, change: UNCHANGED, changedAt: 0, changes: 0, version: 0 });
      this.structure += 1;
      return;
    }
    if (!this.#counted.has(id)) this.#count(known, counts, false);
    const isRenamed = known.name !== name && !this.#counted.has(id);
    const isOther = known.status !== status && !this.#judged.has(id);
    if (isRenamed) known.name = name;
    if (isOther) known.status = status;
    if (isRenamed || isOther) this.structure += 1;
    known.version += 1;
  }

  /** @param {number} id */
  #remove(id) {
    if (this.all.delete(id)) this.structure += 1;
  }

  /** A station may be new, or gone. @param {number} id */
  #doubt(id) {
    this.#doubtful.add(id);
    this.#lookup.ask();
  }

  async #look() {
    const ids = [...this.#doubtful];
    this.#doubtful.clear();
    try {
      if (ids.length > LOOKED_UP_MAX) await this.list(this.ask, this.connection.request);
      else await Promise.all(ids.map((id) => this.#lookAt(id)));
    } catch (error) {
      for (const id of ids) this.#doubtful.add(id);
      // Without a network it has time until there is one.
      if (error instanceof Refused) this.#lookup.ask();
    }
    this.tell();
  }

  /** @param {number} id */
  async #lookAt(id) {
    this.#counted.delete(id);
    this.#judged.delete(id);
    try {
      this.#put(await this.ask(`/api/stations/${id}`));
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      this.#remove(id);
    }
  }
}

/** What it says of a station that its status is this. @type {Record<Status, string>} */
export const STATUS_WORDS = { online: 'Online', offline: 'Offline', maintenance: 'Maintenance' };
