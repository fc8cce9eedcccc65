// A server, as components of one application know it: how it is connected, and what of it is shown.

import { Api } from '@bellwire/client';
import { Shared } from './shared.js';

/**
 * @typedef {import('@bellwire/client').Connection & import('@bellwire/client').ApiOptions} BellwireOptions
 */

export class Bellwire {
  /** @type {BellwireOptions} */
  connection;
  /** @type {Api | undefined} */
  #api;
  /** @type {Map<string, Shared<any, any>>} */
  #shared = new Map();

  /** @param {BellwireOptions} [connection] */
  constructor(connection = {}) {
    this.connection = connection;
  }

  /** The server over HTTP. Made when it is needed: where pages are rendered ahead there is no server yet. */
  get api() {
    return (this.#api ??= new Api(this.connection));
  }

  /**
   * What is shown under this name, made if nobody shows it yet.
   *
   * @template Shown
   * @template {import('@bellwire/client').Watched} Feed
   * @param {string} name
   * @param {Omit<ConstructorParameters<typeof Shared<Shown, Feed>>[0], 'over'>} of
   * @returns {Shared<Shown, Feed>}
   */
  shared(name, of) {
    const known = this.#shared.get(name);
    if (known) return known;
    const made = new Shared({ ...of, over: () => this.#shared.get(name) === made && this.#shared.delete(name) });
    this.#shared.set(name, made);
    return made;
  }
}
