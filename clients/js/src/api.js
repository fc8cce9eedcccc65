// The server over HTTP, as somebody.

import { Credential } from './credential.js';
import { ask, pages } from './http.js';
import { Refused } from './refused.js';

/** @typedef {import('./http.js').Asking} Asking */

/** How long a request may take, if nothing else is said. */
const ANSWERED_MS = 30_000;

/**
 * @typedef {object} ApiOptions
 * @property {string} [url] the server, e.g. `https://live.example`; in a page its own origin if absent
 * @property {string} [token] the credential; without one and without `getToken` the cookie is
 * @property {import('./credential.js').GetToken} [getToken] gives it, and another one when it was refused
 * @property {RequestCredentials} [credentials] `include` sends the cookie to a server of another origin
 * @property {typeof fetch} [fetch]
 */

/** Requests of one caller. */
export class Api {
  #url;
  #credential;
  #options;

  /** @param {ApiOptions} [options] */
  constructor({ url = globalThis.location?.origin, token, getToken, ...options } = {}) {
    if (!url) throw new TypeError('url: the server has to be named where there is no page');
    this.#url = url;
    this.#credential = new Credential({ token, getToken });
    this.#options = options;
  }

  /** @param {string} path @param {Asking} [options] @returns {Promise<any>} */
  get = (path, options) => this.ask(path, options);

  /** @param {string} path @param {object} [body] @param {Asking} [options] @returns {Promise<any>} */
  post = (path, body, options) => this.ask(path, { ...options, method: 'POST', body });

  /** @param {string} path @param {object} body @param {Asking} [options] @returns {Promise<any>} */
  patch = (path, body, options) => this.ask(path, { ...options, method: 'PATCH', body });

  /** @param {string} path @param {object} body @param {Asking} [options] @returns {Promise<any>} */
  put = (path, body, options) => this.ask(path, { ...options, method: 'PUT', body });

  /** @param {string} path @param {Asking} [options] @returns {Promise<any>} */
  delete = (path, options) => this.ask(path, { ...options, method: 'DELETE' });

  /**
   * The items of a list, asked for page by page as they are taken.
   *
   * @param {string} path
   * @param {Asking & { limit?: number }} [options] `limit`: items of a page
   * @returns {AsyncGenerator<any>}
   */
  async *list(path, { limit, ...options } = {}) {
    for await (const items of pages((page) => this.ask(page, options), path, limit)) yield* items;
  }

  /**
   * Asks. A token that was refused is asked for anew, once.
   *
   * @param {string} path
   * @param {Asking} [options]
   * @returns {Promise<any>}
   * @throws {Refused} if the server says no, and whatever `fetch` throws if it cannot be reached
   */
  ask = async (path, options) => {
    const token = await this.#credential.now();
    try {
      return await this.#ask(path, token, options);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 401)) throw error;
      const renewed = await this.#credential.renewed(error.message, token);
      if (renewed === undefined) throw error;
      return this.#ask(path, renewed, options);
    }
  };

  /** @param {string} path @param {string | null} token @param {Asking} [options] */
  #ask(path, token, options) {
    return ask(new URL(path, this.#url), { timeoutMs: ANSWERED_MS, ...this.#options, token, ...options });
  }
}
