// How a screen comes to its token: it asks for a code, shows it, and waits until an admin has answered. A code whose
// time is over is replaced by another one.

import { ask, words } from '../live/api.js';
import { Watched } from '../live/watched.js';
import { io } from '../vendor/socket.io.js';

/** The first pause before asking again; it doubles, to the longest. Each is drawn from half to one and a half. */
const PAUSE_MS = 1_000;
const PAUSE_MS_MAX = 30_000;

/** @typedef {{ userCode: string, deviceCode: string, verificationUri: string, expiresIn: number }} Given */

export class Pairing extends Watched {
  /** @type {'asking' | 'waiting' | 'denied'} */
  is = 'asking';
  /** What an admin types; empty until there is one. */
  code = '';
  /** Where. */
  uri = '';
  /** When the code's time is over, in ms since 1970. */
  endsAt = 0;
  /** Why it does not get on, in words. */
  trouble = '';
  /** @type {import('../vendor/socket.io.js').Socket | undefined} */
  #socket;
  /** @type {AbortController | undefined} */
  #asked;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;
  #pauseMs = PAUSE_MS;

  /**
   * @param {string} name
   * @param {(token: string) => void} paired
   */
  constructor(name, paired) {
    super();
    this.name = name;
    this.paired = paired;
  }

  /** Asks for a code. */
  async ask() {
    this.end();
    this.code = '';
    const asked = (this.#asked = new AbortController());
    this.#is('asking', this.trouble);
    try {
      // Whoever is signed in at this browser has nothing to do with it.
      const options = { method: 'POST', body: { name: this.name }, signal: asked.signal, credentials: /** @type {const} */ ('omit') };
      const given = await ask('/api/pairing', options);
      if (!asked.signal.aborted) this.#wait(given);
    } catch (error) {
      if (!asked.signal.aborted) this.#askLater(words(error));
    }
  }

  /** Lets go of everything that is under way. */
  end() {
    clearTimeout(this.#next);
    this.#asked?.abort();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.disconnect();
  }

  /** @param {Given} given */
  #wait({ userCode, deviceCode, verificationUri, expiresIn }) {
    [this.code, this.uri, this.endsAt] = [userCode, verificationUri, Date.now() + expiresIn * 1000];
    this.#next = setTimeout(() => this.ask(), expiresIn * 1000);
    const socket = io(location.origin, { auth: { deviceCode }, forceNew: true });
    this.#socket = socket;
    this.#is('waiting');
    /** @param {(...args: any[]) => void} heard */
    const ours = (heard) => (/** @type {any[]} */ ...args) => socket === this.#socket && heard(...args);
    socket.on('connect', ours(() => this.#connected()));
    socket.on('pairing_completed', ours(({ token }) => this.#completed(token)));
    socket.on('error', ours(({ code }) => this.#refused(code)));
    socket.on('connect_error', ours((error) => this.#lost(error.message)));
    socket.on('disconnect', ours(() => this.#lost('')));
  }

  #connected() {
    this.#pauseMs = PAUSE_MS;
    this.#is('waiting');
  }

  /** @param {string} token */
  #completed(token) {
    this.end();
    this.paired(token);
  }

  /** @param {string} code */
  #refused(code) {
    if (code === 'ACCESS_DENIED') {
      this.end();
      this.#is('denied');
    } else if (code === 'EXPIRED_TOKEN') {
      this.ask();
    }
  }

  /** What could not be reached is tried again by the client; who was sent away asks for another code. @param {string} why */
  #lost(why) {
    if (this.#socket?.active) this.#is('waiting', 'the server cannot be reached');
    else this.#askLater(why);
  }

  /** @param {string} why */
  #askLater(why) {
    this.end();
    const pauseMs = this.#pauseMs * (0.5 + Math.random());
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX);
    this.#is('asking', why);
    this.#next = setTimeout(() => this.ask(), pauseMs);
  }

  /** @param {Pairing['is']} is @param {string} [trouble] */
  #is(is, trouble = '') {
    [this.is, this.trouble] = [is, trouble];
    this.tell();
  }
}
