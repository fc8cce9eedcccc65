// Who is signed in. The session is a cookie that no script can read; a token in the page's address
// (`/?token=T`) is shown instead of it.

import { Refused, ask } from './api.js';
import { Watched } from './watched.js';

/** Sessions are renewed when half of their time is over, and at least this often. */
const RENEWED_MS_MAX = 6 * 3600 * 1000;

/** Kept by the browser while there may be a session, whose cookie no script can see. */
const HINT_KEY = 'bellwire.session';

/**
 * `unknown`: not asked yet. `user`: signed in. `token`: by the token in the address. `guest`: the server lets
 * guests in. `nobody`: it does not.
 *
 * @typedef {'unknown' | 'user' | 'token' | 'guest' | 'nobody'} Kind
 */

export class Session extends Watched {
  /** @type {Kind} */
  kind = 'unknown';
  /** What to call the caller. */
  name = '';
  /** What the caller is to the server: `admin`, `user`, ..; empty if nobody, or not known. */
  role = '';
  /** Which user the caller is; empty if none, or not known. */
  userId = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewal;
  /** @type {Promise<Kind> | undefined} */
  #looking;

  /** @param {string | null} token */
  constructor(token) {
    super();
    this.token = token;
  }

  /**
   * Asks the server who the caller is, once for all who want to know meanwhile, and gives the kind.
   *
   * @returns {Promise<Kind>}
   * @throws {Refused} if that cannot be told, and whatever `fetch` throws
   */
  look() {
    this.#looking ??= this.#look().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  async #look() {
    // A guest's first question would be a refusal, which browsers show as an error.
    const areGuestsLetIn = !this.token && !mayHaveSession() ? await isGuest('omit') : undefined;
    if (areGuestsLetIn) {
      this.#is('guest');
      return this.kind;
    }
    try {
      const { role, userId, expiresAt } = await ask('/api/auth/verify', { token: this.token });
      this.#is(this.token ? 'token' : 'user', userId && !this.token ? this.name || role : role, role, userId);
      if (userId && !this.token) await this.#renew(expiresAt);
    } catch (error) {
      if (!(error instanceof Refused && error.status === 401)) throw error;
      if (!this.token) hint(false);
      if (this.token) this.#is('nobody');
      else this.#is((areGuestsLetIn ?? (await isGuest())) ? 'guest' : 'nobody');
    }
    return this.kind;
  }

  /**
   * @param {string} username
   * @param {string} password
   */
  async signIn(username, password) {
    const login = await ask('/api/auth/login', { method: 'POST', body: { username, password } });
    // A token in the address would be shown instead of the session.
    if (this.token) history.replaceState(null, '', withoutToken(location.href));
    this.token = null;
    this.#signedIn(login);
  }

  async signOut() {
    clearTimeout(this.#renewal);
    await ask('/api/auth/logout', { method: 'POST' });
    hint(false);
    this.#is('unknown');
  }

  /**
   * A session that is in use goes on. Its renewal is also what tells the name.
   *
   * @param {string} expiresAt
   */
  async #renew(expiresAt) {
    try {
      this.#signedIn(await ask('/api/auth/refresh', { method: 'POST' }));
    } catch (error) {
      // The cookie may hold a token that is no session, or the server be away: then this one ends at its time.
      if (!(error instanceof Refused)) this.#renewLater(expiresAt);
    }
  }

  /** @param {{ expiresAt: string, user: { userId: string, username: string, role: string } }} login */
  #signedIn({ expiresAt, user }) {
    hint(true);
    this.#is('user', user.username, user.role, user.userId);
    this.#renewLater(expiresAt);
  }

  /** @param {string} expiresAt */
  #renewLater(expiresAt) {
    clearTimeout(this.#renewal);
    const half = (Date.parse(expiresAt) - Date.now()) / 2;
    this.#renewal = setTimeout(() => this.#renew(expiresAt), Math.min(Math.max(half, 60_000), RENEWED_MS_MAX));
  }

  /**
   * @param {Kind} kind
   * @param {string} [name]
   * @param {string} [role]
   * @param {string} [userId]
   */
  #is(kind, name = '', role = '', userId = '') {
    [this.kind, this.name, this.role, this.userId] = [kind, name, role, userId];
    this.tell();
  }
}

/** @param {string} address */
function withoutToken(address) {
  const url = new URL(address);
  url.searchParams.delete('token');
  return url;
}

/** Whether there may be a session: not if this browser says that nobody signed in here. */
function mayHaveSession() {
  try {
    return localStorage.getItem(HINT_KEY) !== null;
  } catch {
    return true; // Storage is refused.
  }
}

/** @param {boolean} hasSession */
function hint(hasSession) {
  try {
    if (hasSession) localStorage.setItem(HINT_KEY, 'yes');
    else localStorage.removeItem(HINT_KEY);
  } catch {
    // Then the server is asked each time.
  }
}

/** Whether somebody without a credential may read. @param {RequestCredentials} [credentials] */
async function isGuest(credentials) {
  try {
    await ask('/api/states?limit=1', { credentials });
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return false;
    throw error;
  }
}
