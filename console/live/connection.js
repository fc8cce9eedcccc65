// A live connection to one of the server's endpoints, as the console has it: a stream of the client in `clients/js`, which
// knows who is signed in here. What it brings is kept by a feed.

import { follow } from '../../clients/js/src/feed.js';
import { Refused } from './api.js';
import { Watched } from './watched.js';

export { Lost } from '../../clients/js/src/refused.js';

/** What a feed may ask while it lists. @typedef {import('../../clients/js/src/stream.js').Request} Request */

/**
 * @typedef {Exclude<import('../../clients/js/src/stream.js').Condition, 'closed'>} Condition
 *
 * @typedef {object} Kept what the console's feeds have besides
 * @property {boolean} isEmpty whether there is nothing to show
 * @property {boolean} [isForUsers] whether guests have to sign in for it
 * @property {() => void} forget everything: it may not be for whoever comes next
 *
 * @typedef {import('../../clients/js/src/feed.js').Feed & Kept} Feed what a connection brings, and where it comes from
 */

export class Connection extends Watched {
  #stream;

  /**
   * @param {import('./session.js').Session} session
   * @param {Feed} feed
   */
  constructor(session, feed) {
    super();
    this.session = session;
    this.feed = feed;
    this.#stream = follow(feed, { showing: 'query', getToken: (about) => this.#token(about) });
    this.#stream.watch(() => {
      if (this.condition === 'signed-out') feed.forget();
      this.tell();
    });
  }

  /** @returns {Condition} */
  get condition() {
    const { condition } = this.#stream;
    return condition === 'closed' ? 'connecting' : condition;
  }

  /** Why it is offline or refused. */
  get why() {
    return this.#stream.why;
  }

  /** When it is tried again, in ms since 1970; 0: not. */
  get retryAt() {
    return this.#stream.retryAt;
  }

  /** Connects, unless it has begun to. */
  start() {
    this.#stream.start();
  }

  /** Ends until it is started again, and then goes on from where it was. */
  stop() {
    this.#stream.close();
  }

  /** Somebody else is signed in, or nobody: nothing of before is shown on. */
  restart() {
    this.#stream.forget();
    this.feed.forget();
  }

  /** Connects now, whatever it waited for. */
  connect() {
    if (this.condition === 'signed-out') this.#stream.forget();
    else this.#stream.connect();
  }

  /**
   * Sends a request and gives its reply.
   *
   * @type {Request}
   * @throws {Refused} if the server says no, {@link Lost} if no reply comes
   */
  request = (frame) => this.#stream.request(frame);

  /** Sends what needs no reply, if it can be sent. @param {object} frame */
  send(frame) {
    return this.#stream.send(frame);
  }

  /**
   * The token in the address, if there is one; else the session's cookie, if somebody is signed in, or guests are let in.
   *
   * @type {import('../../clients/js/src/credential.js').GetToken}
   */
  async #token({ isRefused, why }) {
    const { session } = this;
    if (isRefused) session.kind = 'unknown';
    if (isRefused && session.token) throw new Refused(403, why || 'the token in the address is no good');
    const kind = session.kind === 'unknown' ? await session.look() : session.kind;
    if (kind === 'nobody' || (kind === 'guest' && this.feed.isForUsers)) throw new Refused(401, 'nobody is signed in');
    return session.token;
  }
}
