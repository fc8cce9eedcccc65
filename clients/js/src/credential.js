// Who somebody is to the server: by a token, or by the cookie that a browser sends by itself.

import { ask } from './http.js';

/**
 * Gives the token to show; `null` or nothing: the cookie. It is asked before each connection and each request, so it may
 * look whether the one that it has is still good. `isRefused`: the server refused the one that it gave last, and said
 * `why`. Where nobody is signed in it throws a `Refused` of status 401.
 *
 * @typedef {(about: { isRefused: boolean, why: string }) => string | null | undefined | Promise<string | null | undefined>} GetToken
 */

/**
 * How a connection shows a token. `ticket`: by one that stands for it, once, so that no URL holds a credential. `message`:
 * by its first message, where the server takes that (`/api/ws` and `/`). `query`: in the URL, where logs of proxies may
 * have it.
 *
 * @typedef {'ticket' | 'message' | 'query'} Showing
 */

export class Credential {
  /** What was given last. @type {string | null} */
  given = null;
  #getToken;

  /** @param {{ token?: string, getToken?: GetToken }} of */
  constructor({ token, getToken }) {
    this.#getToken = getToken ?? (() => token);
    this.canRenew = getToken !== undefined;
  }

  /** The token to show; `null`: none, but a cookie. */
  async now(isRefused = false, why = '') {
    this.given = (await this.#getToken({ isRefused, why })) || null;
    return this.given;
  }

  /**
   * Another one than `refused`; `undefined` if there is none. For who shows no token it is worth another try: another
   * cookie may be there by now.
   *
   * @param {string} why
   * @param {string | null} refused
   */
  async renewed(why, refused = this.given) {
    if (!this.canRenew) return undefined;
    const token = await this.now(true, why);
    return token !== null && token === refused ? undefined : token;
  }
}

/**
 * What a connection's URL says of a token, and what its first message has to say.
 *
 * @param {string | null} token
 * @param {Showing} showing
 * @param {{ url: string, fetch?: typeof fetch, signal: AbortSignal }} how
 * @returns {Promise<{ query: Record<string, string>, first?: string }>}
 */
export async function shown(token, showing, { url, fetch, signal }) {
  if (!token) return { query: {} };
  if (showing === 'query') return { query: { token } };
  if (showing === 'message') return { query: { auth: 'message' }, first: JSON.stringify({ type: 'auth', token }) };
  const { ticket } = await ask(new URL('/api/auth/ticket', url), { method: 'POST', token, signal, fetch });
  return { query: { ticket } };
}
