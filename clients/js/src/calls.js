// Requests over a connection that have no reply yet.

import { Lost, Refused } from './refused.js';

/** A request that is sent has this long to be answered. */
const REPLY_MS = 15_000;
/** And one that may be repeated this long, with the time that the connection takes to come back. */
const REPEATED_MS = 60_000;
/** The most that wait at once: one more is refused here. */
const CALLS_MAX = 1_000;
/** The largest message that the server takes, in bytes. */
const MESSAGE_LEN_MAX = 64 * 1024;

/**
 * @typedef {object} Call
 * @property {string} text as it is sent
 * @property {boolean} repeats whether it may be sent again
 * @property {(reply: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {string} [idempotencyKey]
 * @property {string | null} [sentAs] the token under which it was sent, `null`: the cookie; `undefined`: it was not yet
 */

export class Calls {
  /** By id, in the order in which they were made. An id is none that an event could have. @type {Map<string, Call>} */
  #waiting = new Map();
  #lastId = 0;
  /** Who the connection is for: a token; `null`: the cookie. @type {string | null} */
  #as = null;

  /** @param {(text: string) => boolean} send sends, and says whether it could */
  constructor(send) {
    this.send = send;
  }

  /**
   * Sends a request and gives its reply.
   *
   * @param {{ type: string, idempotency_key?: string, [key: string]: unknown }} frame
   * @param {{ repeats?: boolean, timeoutMs?: number, signal?: AbortSignal }} [options]
   * @returns {Promise<any>}
   */
  make(frame, { repeats = false, timeoutMs = repeats ? REPEATED_MS : REPLY_MS, signal } = {}) {
    return new Promise((resolve, reject) => {
      const id = `call-${(this.#lastId += 1)}`;
      const text = JSON.stringify({ ...frame, id });
      const { idempotency_key: idempotencyKey } = frame;
      if (signal?.aborted) return reject(signal.reason);
      if (!fits(text)) return reject(new Refused(413, 'this is too large for a message', { code: 'TOO_LARGE' }));
      if (this.#waiting.size >= CALLS_MAX) return reject(new Lost('too many calls wait for an answer', idempotencyKey));
      const isSent = this.send(text);
      if (!isSent && !repeats) return reject(new Lost('there is no connection', idempotencyKey));
      const settles = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) => {
        this.#waiting.delete(id);
        clearTimeout(timer);
        signal?.removeEventListener('abort', abandon);
        settle(value);
      };
      /** @type {Call} */
      const call = { text, repeats, idempotencyKey, resolve: settles(resolve), reject: settles(reject) };
      if (isSent) call.sentAs = this.#as;
      const late = () => call.reject(new Lost('no answer came', idempotencyKey));
      const timer = Number.isFinite(timeoutMs) ? setTimeout(late, timeoutMs) : undefined;
      const abandon = () => call.reject(signal?.reason);
      signal?.addEventListener('abort', abandon);
      this.#waiting.set(id, call);
      return undefined;
    });
  }

  /** Whether a message answers a request. @param {any} message */
  answer({ id, type, ...reply }) {
    const call = this.#waiting.get(id);
    if (!call) return false;
    if (type === 'error' || reply.success === false) call.reject(Refused.of(reply));
    else call.resolve(reply);
    return true;
  }

  /** The connection is gone; what may be repeated waits for the next one. @param {string} why */
  lost(why) {
    for (const call of [...this.#waiting.values()]) {
      if (!call.repeats) call.reject(new Lost(why, call.idempotencyKey));
    }
  }

  /**
   * There is a connection again: what waits is sent, in its order. The server keeps the keys of each user by themselves,
   * and those of each token with scopes of its own: under another one a call that was done already might be done once more,
   * and for somebody else.
   *
   * @param {string | null} as the token that the connection shows; `null`: the cookie
   */
  repeat(as) {
    this.#as = as;
    for (const call of [...this.#waiting.values()]) {
      if (call.sentAs !== undefined && call.sentAs !== as) call.reject(new Lost('another token is shown now', call.idempotencyKey));
      else if (this.send(call.text)) call.sentAs = as;
    }
  }

  /** There will be no connection. @param {string} why */
  end(why) {
    for (const call of [...this.#waiting.values()]) call.reject(new Lost(why, call.idempotencyKey));
  }
}

/** Whether the server takes a message of this length. @param {string} text */
function fits(text) {
  return text.length * 3 <= MESSAGE_LEN_MAX || new TextEncoder().encode(text).length <= MESSAGE_LEN_MAX;
}
