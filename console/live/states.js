// The states that are known here: what the server listed, and every change that it told since.

import { pages } from './api.js';
import { Watched } from './watched.js';

/**
 * @typedef {object} Entity
 * @property {string} id `domain.name`
 * @property {string} domain
 * @property {string} name what people call it
 * @property {string} sortKey
 * @property {string} text what a search looks at, in small letters
 * @property {string} state
 * @property {Record<string, unknown>} attributes
 * @property {number} changedAt when the state became this one, in ms since 1970
 * @property {number} updatedAt when the row changed last
 * @property {number} heardAt when a change was heard live, by `performance.now()`; 0: never
 * @property {number} sensorId the sensor whose newest value it is; 0: it is none's, or that was not listed yet
 * @property {number} version counts the changes
 *
 * @typedef {{ entity_id: string, state: string, attributes: Record<string, unknown>, last_changed: string,
 *   last_updated: string, state_id: number }} Row
 *
 * @typedef {{ entity_id: string, new_state: { state: string, attributes: Record<string, unknown> } | null }} Change
 */

export class States extends Watched {
  path = '/api/ws';
  /** @type {Record<string, string>} */
  query = {};
  isReplayedWhole = true;
  /** @type {Map<string, Entity>} by id */
  entities = new Map();
  complete = false;
  /** Changes when entities come, go, or are called by another name. */
  structure = 0;
  /** Changes when everything was listed anew: what was missed has its times then. */
  listings = 0;
  /** @type {Set<(change: Change) => void>} Who hears each change. */
  listeners = new Set();
  /** @type {Set<string>} Entities of which was heard since a listing began: it may be older than that. */
  #heard = new Set();

  get isEmpty() {
    return this.entities.size === 0;
  }

  /** What people call an entity, also one that is not there. @param {string} id */
  nameOf(id) {
    return this.entities.get(id)?.name ?? nameOf(id, {});
  }

  /** @param {{ type: string, data: Change }} message */
  hear({ type, data }) {
    if (type === 'state_changed') this.#apply(data);
  }

  /**
   * Pages of the listing may cross with changes; what a change told holds, as it comes in order. What is not in it, and
   * was not heard of meanwhile, is gone.
   *
   * @param {(path: string) => Promise<any>} ask
   */
  async list(ask) {
    this.#heard.clear();
    const listed = new Set(/** @type {string[]} */ ([]));
    for await (const rows of pages(ask, '/api/states')) {
      for (const row of rows) {
        listed.add(row.entity_id);
        this.#list(row);
      }
      this.tell();
    }
    for (const id of this.entities.keys()) {
      if (!listed.has(id) && !this.#heard.has(id)) this.#remove(id);
    }
    this.complete = true;
    this.listings += 1;
    this.tell();
  }

  forget() {
    this.entities.clear();
    this.#heard.clear();
    this.complete = false;
    this.structure += 1;
    this.tell();
  }

  /** @param {Row} row one of the listing */
  #list(row) {
    const [changedAt, updatedAt] = [Date.parse(row.last_changed), Date.parse(row.last_updated)];
    if (!this.#heard.has(row.entity_id)) {
      this.#put(row.entity_id, row, changedAt, updatedAt, false);
      /** @type {Entity} */ (this.entities.get(row.entity_id)).sensorId = sensorOf(row);
      return;
    }
    // A change says what, not when: if the row holds the same, its times are exact.
    const known = this.entities.get(row.entity_id);
    if (known) known.sensorId = sensorOf(row);
    if (known?.state === row.state) [known.changedAt, known.updatedAt] = [changedAt, updatedAt];
  }

  /** @param {Change} change */
  #apply(change) {
    const { entity_id: id, new_state: state } = change;
    this.#heard.add(id);
    if (state) {
      const [known, now] = [this.entities.get(id), Date.now()];
      this.#put(id, state, known?.state === state.state ? known.changedAt : now, now, true);
    } else {
      this.#remove(id);
    }
    for (const listener of this.listeners) listener(change);
    this.tell();
  }

  /**
   * @param {string} id
   * @param {{ state: string, attributes: Record<string, unknown> }} content
   * @param {number} changedAt
   * @param {number} updatedAt
   * @param {boolean} isLive
   */
  #put(id, { state, attributes }, changedAt, updatedAt, isLive) {
    const heardAt = isLive ? performance.now() : 0;
    const known = this.entities.get(id);
    const name = nameOf(id, attributes);
    if (known && known.name === name) {
      Object.assign(known, { state, attributes, changedAt, updatedAt, version: known.version + 1 });
      known.heardAt = heardAt || known.heardAt;
      return;
    }
    const domain = id.slice(0, id.indexOf('.'));
    const text = `${id} ${name}`.toLowerCase();
    const sortKey = `${name.toLowerCase()} ${id}`;
    const [version, sensorId] = [(known?.version ?? 0) + 1, known?.sensorId ?? 0];
    this.entities.set(id, { id, domain, name, sortKey, text, state, attributes, changedAt, updatedAt, heardAt, sensorId, version });
    this.structure += 1;
  }

  /** @param {string} id */
  #remove(id) {
    if (this.entities.delete(id)) this.structure += 1;
  }
}

/** A sensor's number, negative, stands in the place of a row's. @param {Row} row */
const sensorOf = ({ state_id: id }) => Math.max(0, -id);

/**
 * What people call it, else its id, written as words.
 *
 * @param {string} id
 * @param {Record<string, unknown>} attributes
 */
export function nameOf(id, { friendly_name: name }) {
  if (typeof name === 'string' && name.trim() !== '') return name;
  const words = id.slice(id.indexOf('.') + 1).replaceAll('_', ' ').trim();
  return words.charAt(0).toUpperCase() + words.slice(1) || id;
}

/** States that say that there is no value. */
const NO_VALUE = new Set(['unavailable', 'unknown', '']);

/** Whether a state tells of a value. @param {string} state */
export const hasValue = (state) => !NO_VALUE.has(state);

/**
 * What a state is measured in; empty if that is not said.
 *
 * @param {Record<string, unknown>} attributes
 */
export function unitOf({ unit_of_measurement: unit }) {
  return typeof unit === 'string' ? unit : '';
}
