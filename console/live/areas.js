// Areas, clients, and the pairings that wait for an answer: what the server listed, and what it told since.
// Only admins are told.

import { pages } from './api.js';
import { Watched } from './watched.js';

/**
 * @typedef {{ id: string, name: string, entityIds: string[], isEnabled: boolean, updatedAt: string }} Area
 * @typedef {{ id: string, name: string, areaIds: string[], online: boolean, lastSeen: string | null, revoked: boolean }} Client
 * @typedef {{ userCode: string, name: string, clientId: string | null, createdAt: string, expiresAt: string }} Pairing
 *   `clientId`: who pairs anew, and stays the same client
 */

export class Areas extends Watched {
  path = '/';
  query = { typed: '1' };
  /** Who is there is told as it is, not as it was: so all is listed after a break. */
  isReplayedWhole = false;
  complete = false;
  /** Changes when everything was listed anew. */
  listings = 0;
  /** @type {Known<Area>} */
  areas = new Known();
  /** @type {Known<Client>} */
  clients = new Known();
  /** @type {Known<Pairing>} by code */
  pairings = new Known();
  /** @type {Set<(message: any) => void>} Who hears each event. */
  listeners = new Set();
  /** @type {Map<string, Partial<Client>>} Who came or went since a listing began: it may be older than that. */
  #presence = new Map();

  get isEmpty() {
    return !this.complete;
  }

  /** @param {any} message */
  hear({ type, cursor: _, ...told }) {
    if (type === 'area_removed') this.areas.remove(told.areaId);
    else if (type.startsWith('area_')) this.areas.put(told.areaId, areaOf(told));
    else if (type === 'client_changed') this.#changed(told);
    else if (type === 'client_removed') this.clients.remove(told.id);
    else if (type === 'clients_present') told.clients.forEach((/** @type {any} */ client) => this.#present(client));
    else if (type === 'pairing_changed') this.#paired(told);
    else return;
    for (const listener of this.listeners) listener({ type, ...told });
    this.tell();
  }

  /** @param {(path: string) => Promise<any>} ask */
  async list(ask) {
    this.#presence.clear();
    await this.areas.list(pages(ask, '/api/areas'), ({ id }) => id);
    await this.clients.list(pages(ask, '/api/clients'), ({ id }) => id, (client) => ({ ...client, ...this.#presence.get(client.id) }));
    await this.listPairings(ask);
    this.complete = true;
    this.listings += 1;
    this.tell();
  }

  /** The server's clock says which wait still. @param {(path: string) => Promise<any>} ask */
  async listPairings(ask) {
    await this.pairings.list(pages(ask, '/api/pairing'), ({ userCode }) => userCode);
    this.tell();
  }

  forget() {
    for (const known of [this.areas, this.clients, this.pairings]) known.forget();
    this.#presence.clear();
    this.complete = false;
    this.tell();
  }

  /** @param {Client} client */
  #changed(client) {
    this.#presence.delete(client.id);
    this.clients.put(client.id, client);
  }

  /** @param {{ id: string, online: boolean, lastSeen: string | null }} present */
  #present({ id, online, lastSeen }) {
    const client = this.clients.all.get(id);
    this.#presence.set(id, { online, lastSeen });
    if (client) this.clients.all.set(id, { ...client, online, lastSeen });
  }

  /** @param {Pairing & { status: string }} pairing */
  #paired({ status, ...pairing }) {
    if (status === 'pending') this.pairings.put(pairing.userCode, pairing);
    else this.pairings.remove(pairing.userCode);
  }
}

/**
 * Things by their ids: what a listing had, and what was told beside it, which holds, as it comes in order.
 *
 * @template T
 */
export class Known {
  /** @type {Map<string, T>} */
  all = new Map();
  /** @type {Set<string>} Those of which was heard since a listing began: it may be older than that. */
  #heard = new Set();

  /** @param {string} id @param {T} thing */
  put(id, thing) {
    this.#heard.add(id);
    this.all.set(id, thing);
  }

  /** @param {string} id */
  remove(id) {
    this.#heard.add(id);
    this.all.delete(id);
  }

  /**
   * @param {AsyncIterable<T[]>} pages
   * @param {(thing: T) => string} idOf
   * @param {(thing: T) => T} [now] what a thing is by now
   */
  async list(pages, idOf, now = (thing) => thing) {
    this.#heard.clear();
    const listed = new Set();
    for await (const things of pages) {
      for (const thing of things) {
        listed.add(idOf(thing));
        if (!this.#heard.has(idOf(thing))) this.all.set(idOf(thing), now(thing));
      }
    }
    for (const id of this.all.keys()) {
      if (!listed.has(id) && !this.#heard.has(id)) this.all.delete(id);
    }
  }

  forget() {
    this.all.clear();
    this.#heard.clear();
  }
}

/** An area as its events tell it, which happen when it changes. @param {any} told @returns {Area} */
export function areaOf({ areaId: id, name, entityIds, isEnabled, timestamp: updatedAt }) {
  return { id, name, entityIds, isEnabled, updatedAt };
}

/** By what people call them. @template {{ name: string }} T @param {Map<string, T>} things @returns {T[]} */
export const byName = (things) => [...things.values()].sort((a, b) => a.name.localeCompare(b.name));
