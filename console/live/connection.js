// A live connection to one of the server's endpoints. It begins with what comes next (`since=now`), lists what
// there is, and follows. After a break it goes on from the last cursor, so that nothing is missed; where the
// server cannot do that it says `reset`, and everything is listed anew. What it brings is kept by a feed.

import { Refused, ask, words } from './api.js';
import { Watched } from './watched.js';

/** After this long without a message the server is asked for one. */
const QUIET_MS = 30_000;
/** And it has this long to answer. */
const ANSWER_MS = 8_000;
/** And a request that is sent has this long. */
const REPLY_MS = 15_000;
/** The first pause before trying again; it doubles, to the longest. Each is drawn from half to one and a half. */
const PAUSE_MS = 500;
const PAUSE_MS_MAX = 20_000;

/** Close codes that trying again does not help against. */
const FINAL = new Map([
  [1002, 'the connection broke the protocol'],
  [1003, 'the connection broke the protocol'],
  [1008, 'the server refuses what this page sends'],
  [4403, 'the server refuses this page'],
  [4404, 'this server has nothing live here'],
]);

/** What a refusal over the connection would be as an answer of HTTP. @type {Record<string, number>} */
const STATUS = { UNAUTHENTICATED: 401, FORBIDDEN: 403, NOT_FOUND: 404, CONFLICT: 409 };

/** There is no connection to send over, or it was lost before the reply: whether it was done is not known. */
export class Lost extends Error {}

/** What a feed may ask while it lists. @typedef {(frame: { type: string, [key: string]: unknown }) => Promise<any>} Request */

/**
 * @typedef {'connecting' | 'catching-up' | 'live' | 'offline' | 'refused' | 'signed-out'} Condition
 *
 * @typedef {object} Feed what a connection brings, and where it comes from
 * @property {string} path the endpoint
 * @property {Record<string, string>} query what it is asked for, besides `since`
 * @property {boolean} complete whether everything is here up to `cursor`
 * @property {string | undefined} cursor where the server's log goes on
 * @property {boolean} isEmpty whether there is nothing to show
 * @property {boolean} isReplayedWhole whether all that it tells is told again after a break
 * @property {(message: any) => void} hear an event
 * @property {(ask: (path: string) => Promise<any>, request: Request) => Promise<void>} list all that there is, beside the
 *   events that go on coming
 * @property {boolean} [isForUsers] whether guests have to sign in for it
 * @property {() => boolean} [asksLess] makes `query` smaller after it was refused; whether there was something to leave out
 * @property {() => void} forget everything: it may not be for whoever comes next
 */

export class Connection extends Watched {
  /** @type {Condition} */
  condition = 'connecting';
  /** Why it is offline or refused. */
  why = '';
  /** When it is tried again, in ms since 1970; 0: not. */
  retryAt = 0;
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {AbortController | undefined} The listing under way. */
  #listing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {Map<number, { resolve: (reply: any) => void, reject: (error: Error) => void }>} Requests without a reply yet. */
  #asked = new Map();
  #lastId = 0;
  /** Changes that were missed and are still to come. */
  #missed = 0;
  #pauseMs = PAUSE_MS;
  #told = '';
  /** Whether somebody wants what it brings. */
  #isWanted = false;

  /**
   * @param {import('./session.js').Session} session
   * @param {Feed} feed
   */
  constructor(session, feed) {
    super();
    this.session = session;
    this.feed = feed;
    addEventListener('offline', () => this.#socket && this.#ask());
    addEventListener('online', () => this.condition === 'offline' && this.connect());
    addEventListener('pageshow', (event) => event.persisted && this.#isWanted && !this.#socket && this.connect());
  }

  /** Connects, unless it has begun to. */
  start() {
    if (!this.#isWanted) this.connect();
  }

  /** Ends until it is started again, and then goes on from where it was. */
  stop() {
    this.#isWanted = false;
    this.#end();
    this.#is('connecting');
  }

  /** Somebody else is signed in, or nobody: nothing of before is shown on. */
  restart() {
    this.#end();
    this.feed.forget();
    this.#pauseMs = PAUSE_MS;
    if (this.#isWanted) this.connect();
  }

  /**
   * Sends a request and gives its reply.
   *
   * @type {Request}
   * @throws {Refused} if the server says no, {@link Lost} if no reply comes
   */
  request = (frame) =>
    new Promise((resolve, reject) => {
      const id = (this.#lastId += 1);
      if (!this.send({ ...frame, id })) return reject(new Lost('there is no connection'));
      const timer = setTimeout(() => this.#asked.delete(id) && reject(new Lost('no answer came')), REPLY_MS);
      const settles = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) => (clearTimeout(timer), settle(value));
      this.#asked.set(id, { resolve: settles(resolve), reject: settles(reject) });
      return undefined;
    });

  /** Sends what needs no reply, if it can be sent. @param {object} frame */
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** Connects now, whatever it waited for. */
  async connect() {
    this.#isWanted = true;
    this.#end();
    this.#is('connecting');
    const attempt = (this.#listing = new AbortController());
    try {
      const kind = this.session.kind === 'unknown' ? await this.session.look() : this.session.kind;
      if (attempt !== this.#listing) return;
      if (kind === 'nobody' || (kind === 'guest' && this.feed.isForUsers)) {
        this.feed.forget();
        this.#is('signed-out');
      } else {
        this.#open();
      }
    } catch (error) {
      if (attempt !== this.#listing) return;
      if (error instanceof Refused && error.status === 403) this.#is('refused', error.message);
      else this.#again(words(error));
    }
  }

  #open() {
    const { path, query: asked, complete, cursor } = this.feed;
    const since = (complete && cursor) || 'now';
    const query = new URLSearchParams({ ...asked, since, ...(this.session.token && { token: this.session.token }) });
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}${path}?${query}`);
    this.#socket = socket;
    this.#told = '';
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#listen();
      this.#receive(JSON.parse(data));
    };
    socket.onclose = ({ code }) => socket === this.#socket && this.#lost(code);
    this.#silence = setTimeout(() => this.#lost(0), ANSWER_MS);
  }

  /** @param {any} message */
  #receive(message) {
    if (message.type === 'pong') return;
    if (message.cursor) this.feed.cursor = message.cursor;
    if (message.id !== undefined && this.#reply(message)) return;
    if (message.type === 'resumed') {
      this.#missed = this.feed.complete ? message.replayed : 0;
      if (this.#missed > 0) this.#is('catching-up');
      else if (this.feed.complete && this.feed.isReplayedWhole) this.#isLive();
      else this.#list();
    } else if (message.type === 'reset') {
      this.feed.complete = false;
      this.#list();
    } else if (message.error || message.type === 'error') {
      this.#told = message.error ?? message.message;
    } else {
      this.feed.hear(message);
      if (message.cursor && this.#missed > 0 && --this.#missed === 0) this.#list();
    }
  }

  /** Whether it answers a request. @param {any} message */
  #reply({ id, type, ...reply }) {
    const asked = this.#asked.get(id);
    if (!asked) return false;
    this.#asked.delete(id);
    if (type === 'error' || reply.success === false) {
      asked.reject(new Refused(STATUS[reply.code] ?? 400, reply.error ?? reply.message ?? 'the server refused it'));
    } else {
      asked.resolve(reply);
    }
    return true;
  }

  /** Lists everything, also after a replay: it may not tell all, like the times of what was missed. */
  async #list() {
    this.#is('catching-up');
    const { signal } = (this.#listing = new AbortController());
    try {
      await this.feed.list(async (path) => {
        const answer = await ask(path, { token: this.session.token, signal });
        signal.throwIfAborted();
        return answer;
      }, this.request);
      this.#isLive();
    } catch (error) {
      if (signal.aborted) return;
      this.#end();
      if (error instanceof Refused && error.status === 401) this.#lookAgain();
      else if (error instanceof Refused && error.status === 403) this.#is('refused', error.message);
      else this.#again(words(error));
    }
  }

  #isLive() {
    this.#pauseMs = PAUSE_MS;
    this.#is('live');
  }

  /** A network that went away says nothing: who has been quiet for long is asked. */
  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#ask(), QUIET_MS);
  }

  #ask() {
    clearTimeout(this.#silence);
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send('{"type":"ping"}');
    this.#silence = setTimeout(() => this.#lost(0), ANSWER_MS);
  }

  /** @param {number} code the close code; 0: nothing was heard for too long */
  #lost(code) {
    this.#end();
    const final = FINAL.get(code);
    if (code === 4401) this.#lookAgain();
    else if (code === 1008 && this.feed.asksLess?.()) this.connect();
    else if (final) this.#is('refused', this.#told || final);
    else this.#again(code === 1012 ? 'the server restarts' : this.#told);
  }

  /** The credential is no good any more; who is there now is asked before the next try. */
  #lookAgain() {
    this.session.kind = 'unknown';
    if (this.session.token) this.#is('refused', this.#told || 'the token in the address is no good');
    else this.#again(this.#told);
  }

  /** @param {string} why */
  #again(why) {
    const pauseMs = this.#pauseMs * (0.5 + Math.random());
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX);
    this.#is('offline', why, Date.now() + pauseMs);
    this.#retry = setTimeout(() => this.connect(), pauseMs);
  }

  /** Lets go of everything that is under way. */
  #end() {
    clearTimeout(this.#silence);
    clearTimeout(this.#retry);
    this.#listing?.abort();
    this.#listing = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const { reject } of asked) reject(new Lost('the connection was lost'));
  }

  /**
   * @param {Condition} condition
   * @param {string} [why]
   * @param {number} [retryAt]
   */
  #is(condition, why = '', retryAt = 0) {
    [this.condition, this.why, this.retryAt] = [condition, why, retryAt];
    this.tell();
  }
}
