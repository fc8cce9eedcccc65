// One live stream of the server, over breaks. It begins with what comes next (`since=now`) and keeps the cursor of the last
// event; after a break it goes on from there, so that nothing is missed. Where the server cannot do that it says `reset`,
// and what was listed is listed anew.

import { Calls } from './calls.js';
import { UNAUTHENTICATED, final, passing } from './closes.js';
import { Credential, shown } from './credential.js';
import { ask } from './http.js';
import { newKey } from './keys.js';
import { Listeners } from './listeners.js';
import { Pauses } from './pauses.js';
import { Pulse } from './pulse.js';
import { Refused } from './refused.js';
import { surroundings } from './surroundings.js';
import { Watched } from './watched.js';

/** A connection has this long to say its first word. */
const OPENED_MS = 10_000;
/** One that was live for this long was a good one: what went wrong before is forgotten. */
const STEADY_MS = 10_000;
/** A page that is looked at again asks for a sign of life if there was none for this long. */
const SHOWN_QUIET_MS = 5_000;

/**
 * - `closed`: nobody wants it, as before `start` and after `close`.
 * - `connecting`, `catching-up` (with what was missed, or what there is), `live`.
 * - `offline`: there is no connection, and another try comes at `retryAt`.
 * - `refused`: trying again does not help; `error` says why.
 * - `signed-out`: the credential is no good, or not any more.
 *
 * @typedef {'closed' | 'connecting' | 'catching-up' | 'live' | 'offline' | 'refused' | 'signed-out'} Condition
 *
 * @typedef {Record<string, string>} Query
 *
 * @typedef {(frame: { type: string, [key: string]: unknown }) => Promise<any>} Request sends a frame and gives the reply
 *
 * @typedef {(ask: (path: string) => Promise<any>, request: Request, signal: AbortSignal) => Promise<void> | undefined} List
 *   lists all that there is, beside the events that go on coming; `undefined`: the stream told all. `ask` gets what is at a
 *   path. When the connection breaks `ask` and `request` throw, `signal` is aborted, and another listing follows
 *
 * @typedef {object} StreamOptions
 * @property {string} path the endpoint, e.g. `/ws/stations/`
 * @property {Query | (() => Query)} [query] what it is asked for, besides `since`. With `snapshot: '1'` it is live when
 *   the snapshot came
 * @property {string} [url] the server, e.g. `https://live.example`; in a page its own origin if absent
 * @property {string} [token] the credential; without one and without `getToken` the cookie is
 * @property {import('./credential.js').GetToken} [getToken] gives it, and another one when it was refused
 * @property {import('./credential.js').Showing} [showing] how the token is shown: `ticket` if absent
 * @property {string} [since] a cursor to go on from, of an earlier stream that was whole
 * @property {List} [list] called when what is here is not whole: at first and after each `reset`
 * @property {boolean} [isReplayedWhole] whether after a replay nothing need be listed: true if absent
 * @property {() => boolean} [asksLess] makes `query` smaller after it was refused; whether there was something to leave out
 * @property {RequestCredentials} [credentials] `include` sends the cookie with listings to a server of another origin
 * @property {typeof WebSocket} [WebSocket] where there is no global one, as in Node 20
 * @property {typeof fetch} [fetch]
 *
 * @typedef {import('./frames.js').Heard} Heard
 */

export class Stream extends Watched {
  /** @type {Condition} */
  condition = 'closed';
  /** Why it is offline, refused or signed out; may be empty. */
  why = '';
  /** Why it is refused or signed out; offline, if something was thrown. @type {Error | null} */
  error = null;
  /** When it is tried again, in ms since 1970; 0: not. */
  retryAt = 0;
  /** Where the server's log goes on, after what was heard last. @type {string | undefined} */
  cursor;
  /** Whether everything is here up to `cursor`: then a break can be made up for. */
  isWhole = false;

  #options;
  #credential;
  #listeners = new Listeners();
  #pauses = new Pauses();
  #calls = new Calls((text) => this.#sendText(text));
  #pulse = new Pulse(
    () => this.#sendText('{"type":"ping"}'),
    () => this.#lost(0),
  );
  /** @type {WebSocket | undefined} */
  #socket;
  /** What is under way for this connection: its credential, then a listing. @type {AbortController | undefined} */
  #attempt;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** Ends hearing of the network. @type {(() => void) | undefined} */
  #surroundings;
  /** Whether this connection goes on from a cursor. */
  #goesOn = false;
  /** Events that were missed and are still to come. */
  #missed = 0;
  #waitsForSnapshot = false;
  /** What the server said last that was an error. */
  #told = '';
  /** Since when it is live, in ms since 1970; 0: it is not. */
  #liveAt = 0;
  /** Whether another token was asked for, and has not proved good yet. */
  #isRenewed = false;

  /** @param {StreamOptions} options */
  constructor({ url = globalThis.location?.origin, token, getToken, since, ...options }) {
    super();
    if (!url) throw new TypeError('url: the server has to be named where there is no page');
    this.#options = { ...options, url };
    this.#credential = new Credential({ token, getToken });
    if (since) [this.cursor, this.isWhole] = [since, true];
  }

  /** Whether what it brought is true now. */
  get isLive() {
    return this.condition === 'live';
  }

  /** Connects, unless it has begun to; after `close` it goes on from where it was. */
  start() {
    if (this.condition === 'closed') this.connect();
  }

  /** Ends, until it is started again. */
  close() {
    if (this.condition === 'closed') return;
    this.#surroundings?.();
    this.#surroundings = undefined;
    this.#calls.end('the stream was closed');
    this.#end(1000);
    this.#is('closed');
  }

  /** Begins anew, for somebody else: nothing of before is made up for, or sent on. */
  forget() {
    [this.cursor, this.isWhole, this.#isRenewed] = [undefined, false, false];
    this.#pauses.reset();
    this.#calls.end('somebody else is signed in');
    if (this.condition !== 'closed') this.connect();
  }

  /** Connects now, whatever it waited for. */
  connect() {
    this.#surroundings ??= surroundings({
      online: () => this.#isOnline(),
      offline: () => this.#pulse.check(),
      shown: () => this.#isShown(),
    });
    this.#connect(false);
  }

  /**
   * Calls `listener` with each event of this type until the function that is returned is called. `'*'` are all events;
   * `resumed` and `reset` say how a connection begins, `error` is what the server refused that was no call.
   *
   * @template {keyof Heard} K
   * @overload
   * @param {K} type
   * @param {(event: Heard[K]) => void} listener
   * @returns {() => void}
   */
  /**
   * @overload
   * @param {string} type
   * @param {(event: any) => void} listener
   * @returns {() => void}
   */
  /**
   * @param {string} type
   * @param {(event: any) => void} listener
   */
  on(type, listener) {
    return this.#listeners.add(type, listener);
  }

  /**
   * Asks for something to be done, or for something to be told, and gives the reply's `data`.
   *
   * With `retry` a call that was lost is sent again over the next connection, within `timeoutMs` (60 s): with the same
   * key, so that it is done once. That holds for one token: if the next connection shows another one, a call that was
   * sent is `Lost`, and only those that never were are sent. Cookies cannot be told apart: when somebody else signs in,
   * call `forget`.
   *
   * @param {string} name e.g. `stations.book`
   * @param {object} [fields]
   * @param {{ retry?: boolean, timeoutMs?: number, idempotencyKey?: string, signal?: AbortSignal }} [options]
   *   `idempotencyKey`: one of an earlier call, to repeat that
   * @returns {Promise<any>}
   * @throws {Refused} if the server says no, {@link Lost} if no reply came
   */
  async call(name, fields, { retry = false, timeoutMs, idempotencyKey = newKey(), signal } = {}) {
    const frame = { ...fields, type: name, idempotency_key: idempotencyKey };
    const repeats = retry && !OVER.includes(this.condition);
    const { success: _, ...reply } = await this.#calls.make(frame, { repeats, timeoutMs, signal });
    return 'data' in reply ? reply.data : reply;
  }

  /**
   * Sends a frame as it is, with an `id`, and gives the whole reply.
   *
   * @type {Request}
   * @throws {Refused} if the server says no, {@link Lost} if no reply came
   */
  request = (frame) => this.#calls.make(frame);

  /** Sends what needs no reply, if it can be sent. @param {object} frame */
  send(frame) {
    return this.#sendText(JSON.stringify(frame));
  }

  /** @param {string} text */
  #sendText(text) {
    if (this.#socket?.readyState !== OPEN) return false;
    this.#socket.send(text);
    return true;
  }

  /** @param {boolean} isRefused whether the credential was refused, and another one is shown */
  async #connect(isRefused) {
    this.#end();
    const attempt = (this.#attempt = new AbortController());
    const { signal } = attempt;
    this.#pulse.begin(OPENED_MS);
    this.#is('connecting');
    // Who gives tokens knows that there is none; a ticket may be refused as the token is no good any more.
    let canRenew = false;
    try {
      const token = isRefused ? await this.#credential.renewed(this.#told) : await this.#credential.now();
      if (signal.aborted) return;
      if (token === undefined) return void this.#isSignedOut(this.#told);
      canRenew = true;
      const { url, fetch, showing = 'ticket' } = this.#options;
      const how = await shown(token, showing, { url, fetch, signal });
      if (!signal.aborted) this.#open(how, token);
    } catch (error) {
      if (!signal.aborted) this.#failed(error, canRenew);
    }
  }

  /** @param {{ query: Record<string, string>, first?: string }} shown @param {string | null} token */
  #open({ query: credential, first }, token) {
    const { path, query: asked = {}, url, WebSocket = globalThis.WebSocket } = this.#options;
    const place = new URL(path, url);
    place.protocol = place.protocol.replace('http', 'ws');
    const since = this.isWhole ? this.cursor : undefined;
    const query = typeof asked === 'function' ? asked() : asked;
    place.search = new URLSearchParams({ ...query, since: since ?? 'now', ...credential }).toString();
    const socket = new WebSocket(place.href);
    this.#socket = socket;
    [this.#goesOn, this.#missed, this.#told] = [since !== undefined, 0, ''];
    this.#waitsForSnapshot = query.snapshot === '1';
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      if (first) socket.send(first);
      this.#calls.repeat(token);
    };
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = ({ code }) => socket === this.#socket && this.#lost(code);
    // What went wrong is told by the close that follows; in Node an error that nobody hears ends the process.
    socket.onerror = () => undefined;
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#pulse.heard();
    const message = read(data);
    if (!message) return this.#lost(0);
    if (message.type === 'pong') return;
    const isAnswer = message.id !== undefined && this.#calls.answer(message);
    if (message.type === 'resumed') this.#resumed(message);
    else if (message.type === 'reset') this.#reset(message);
    else if (!isAnswer) this.#hear(message);
    if (message.cursor) this.cursor = message.cursor;
  }

  /** @param {{ type: 'resumed', cursor: string, replayed: number }} message */
  #resumed(message) {
    this.#waitsForSnapshot &&= !this.#goesOn;
    this.#missed = this.#goesOn ? message.replayed : 0;
    this.#is('catching-up');
    this.#listeners.tell('resumed', message);
    if (this.#missed === 0 && !this.#waitsForSnapshot) this.#isCaughtUp();
  }

  /** @param {{ type: 'reset', cursor: string, reason: string }} message */
  #reset(message) {
    this.isWhole = false;
    this.#is('catching-up');
    this.#listeners.tell('reset', message);
    if (!this.#waitsForSnapshot) this.#isCaughtUp();
  }

  /** @param {any} message */
  #hear(message) {
    if (message.type === 'error' || (message.error && message.success === false)) {
      this.#told = message.error ?? message.message ?? '';
      this.#listeners.tell('error', message);
      return;
    }
    this.#told = '';
    this.#listeners.tell(message.type, message);
    this.#listeners.tell('*', message);
    const isSnapshot = this.#waitsForSnapshot && message.type.endsWith(':snapshot');
    if (isSnapshot) this.#waitsForSnapshot = false;
    const isLastMissed = message.cursor && this.#missed > 0 && --this.#missed === 0;
    if (isSnapshot || isLastMissed) this.#isCaughtUp();
  }

  /** What the connection itself had to tell of before is here. */
  async #isCaughtUp() {
    // A listener may have ended it.
    if (!this.#socket) return;
    const { list, isReplayedWhole = true } = this.#options;
    this.#attempt?.abort();
    const { signal } = (this.#attempt = new AbortController());
    try {
      const isListed = this.isWhole && isReplayedWhole;
      const listing = isListed ? undefined : list?.((path) => this.#ask(path, signal), this.request, signal);
      if (listing) await listing;
      if (signal.aborted) return;
      this.isWhole = true;
      this.#isLive();
    } catch (error) {
      if (!signal.aborted) this.#failed(error);
    }
  }

  /** @param {string} path @param {AbortSignal} signal */
  async #ask(path, signal) {
    const { url, credentials, fetch } = this.#options;
    const answer = await ask(new URL(path, url), { token: this.#credential.given, signal, credentials, fetch });
    signal.throwIfAborted();
    return answer;
  }

  #isLive() {
    this.#liveAt = Date.now();
    this.#is('live');
  }

  /** @param {number} code the close code; 0: nothing was heard for too long, or nothing that can be read */
  #lost(code) {
    const told = this.#told;
    this.#end();
    const error = final(code, told);
    if (code === UNAUTHENTICATED) this.#isUnauthenticated(told);
    else if (code === 1008 && this.#options.asksLess?.()) this.#connect(false);
    else if (error) this.#isOver('refused', error);
    else {
      const { why, atLeastMs } = passing(code, told);
      this.#again(why, atLeastMs);
    }
  }

  /** What was asked for beside the connection did not work. @param {unknown} error @param {boolean} [canRenew] */
  #failed(error, canRenew = true) {
    this.#end();
    if (!(error instanceof Refused)) this.#again('the server cannot be reached', 0, error);
    else if (error.status === 401 && canRenew) this.#isUnauthenticated(error.message);
    else if (error.status === 401) this.#isSignedOut(error.message);
    else if (error.status === 403) this.#isOver('refused', error);
    else this.#again(error.message, (error.retryAfterS ?? 0) * 1000, error);
  }

  /** Another token is asked for, once; then somebody has to sign in. @param {string} why */
  #isUnauthenticated(why) {
    if (!this.#credential.canRenew || this.#isRenewed) return this.#isSignedOut(why);
    [this.#isRenewed, this.#told] = [true, why];
    return this.#connect(true);
  }

  /** @param {string} why */
  #isSignedOut(why) {
    this.#end();
    this.#isOver('signed-out', new Refused(401, why || 'the server does not know who this is', { code: 'UNAUTHENTICATED' }));
  }

  /** @param {'refused' | 'signed-out'} condition @param {Refused} error */
  #isOver(condition, error) {
    this.#calls.end(error.message);
    this.#is(condition, { why: error.message, error });
  }

  /** Tries again after a pause. @param {string} why @param {number} atLeastMs @param {unknown} [error] */
  #again(why, atLeastMs, error) {
    clearTimeout(this.#retry);
    const pauseMs = this.#pauses.next(atLeastMs);
    this.#retry = setTimeout(() => this.#connect(false), pauseMs);
    this.#is('offline', { why, error: error instanceof Error ? error : null, retryAt: Date.now() + pauseMs });
  }

  /** Whoever else lost the same network has it back, too: so it is tried soon, not at once. */
  #isOnline() {
    if (this.condition !== 'offline') return;
    this.#pauses.reset();
    this.#again(this.why, 0);
  }

  /** A page that slept for hours may have a socket that is open no more, and a pause that nobody wants to wait for. */
  #isShown() {
    if (this.condition === 'offline') this.#connect(false);
    else if (this.#socket && this.#socket.readyState > OPEN) this.#lost(0);
    else this.#pulse.check(SHOWN_QUIET_MS);
  }

  /** Lets go of everything that is under way. @param {number} [code] to close with */
  #end(code) {
    if (this.#liveAt && Date.now() - this.#liveAt >= STEADY_MS) {
      this.#pauses.reset();
      this.#isRenewed = false;
    }
    this.#liveAt = 0;
    this.#pulse.end();
    clearTimeout(this.#retry);
    this.#attempt?.abort();
    this.#attempt = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close(code);
    this.#calls.lost('the connection was lost');
  }

  /**
   * @param {Condition} condition
   * @param {{ why?: string, error?: Error | null, retryAt?: number }} [about]
   */
  #is(condition, { why = '', error = null, retryAt = 0 } = {}) {
    [this.condition, this.why, this.error, this.retryAt] = [condition, why, error, retryAt];
    this.tell();
  }
}

/** `WebSocket.OPEN`. */
const OPEN = 1;

/** In these no connection comes by itself. @type {Condition[]} */
export const OVER = ['closed', 'refused', 'signed-out'];

/** @param {unknown} data @returns {any} `undefined`: it is none of the server's */
function read(data) {
  try {
    const message = JSON.parse(/** @type {string} */ (data));
    return typeof message?.type === 'string' ? message : undefined;
  } catch {
    return undefined;
  }
}
