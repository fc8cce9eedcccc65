// What one has to know: the inbox, page by page, the newest first. That there is something new is told live; what, is
// read from the inbox.

import { ask } from './api.js';
import { Connection } from './connection.js';
import { Watched } from './watched.js';

/** Notifications of a page. */
const PAGE_LEN = 50;
/** When many come at once they are read once, so long after the first. */
const TOGETHER_MS = 150;

/**
 * @typedef {{ id: number, from: string, to: string, type: string, message: string, read: boolean, timestamp?: string,
 *   title?: string, level?: string, date: import('./messages.js').Told }} Notification
 */

export class Inbox extends Watched {
  path = '/ws/notifications/';
  /** @type {Record<string, string>} */
  query = {};
  isForUsers = true;
  /** What is told is not all that is shown of it. */
  isReplayedWhole = false;
  complete = false;
  /** @type {string | undefined} */
  cursor;
  /** The newest first. @type {Notification[]} */
  all = [];
  /** What asks for more; `null`: there are no more. @type {string | null} */
  next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #reads;
  /** Listings begun: an older one does not hold against a newer one. */
  #begun = 0;

  /** @param {import('./session.js').Session} session */
  constructor(session) {
    super();
    this.session = session;
    this.connection = new Connection(session, this);
  }

  get isEmpty() {
    return !this.complete;
  }

  /** How many of those here were not read. */
  get unread() {
    return this.all.filter(({ read }) => !read).length;
  }

  /** @param {any} message */
  hear({ type }) {
    if (type !== 'notification') return;
    this.#reads ??= setTimeout(() => {
      this.#reads = undefined;
      this.list(this.ask).catch(() => undefined);
    }, TOGETHER_MS);
  }

  /** @param {string} path @returns {Promise<any>} */
  ask = (path) => ask(path, { token: this.session.token });

  /** The first page anew; those after it stay, if it reaches to them. @param {(path: string) => Promise<any>} ask */
  async list(ask) {
    const listing = (this.#begun += 1);
    const { items, next } = await ask(`/api/notifications?limit=${PAGE_LEN}`);
    if (listing !== this.#begun) return;
    const oldest = items[items.length - 1]?.id ?? 0;
    const reaches = this.all.some(({ id }) => id >= oldest);
    const older = reaches ? this.all.filter(({ id }) => id < oldest) : [];
    [this.all, this.next] = [[...items, ...older], older.length > 0 ? this.next : next];
    this.complete = true;
    this.tell();
  }

  /** One more page. */
  more = async () => {
    if (this.next === null) return;
    const { items, next } = await this.ask(`/api/notifications?limit=${PAGE_LEN}&cursor=${encodeURIComponent(this.next)}`);
    const known = new Set(this.all.map(({ id }) => id));
    this.all = [...this.all, ...items.filter((/** @type {Notification} */ { id }) => !known.has(id))];
    this.next = next;
    this.tell();
  };

  /** Marks some read, or all. @param {{ ids: number[] } | { all: true }} which */
  read = async (which) => {
    await ask('/api/notifications/read', { method: 'POST', body: which, token: this.session.token });
    this.#begun += 1;
    this.all = this.all.map((each) => ('all' in which || which.ids.includes(each.id) ? { ...each, read: true } : each));
    this.tell();
  };

  forget() {
    clearTimeout(this.#reads);
    [this.all, this.next, this.#reads] = [[], null, undefined];
    [this.complete, this.cursor] = [false, undefined];
    this.#begun += 1;
    this.tell();
  }
}
