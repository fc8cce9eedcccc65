// What a user has to know: the inbox, page by page, the newest first. That there is something new is told live, without an
// id; what it is, is read from the inbox. So nothing is there twice, and nothing is missing after a break.

import { Retries } from './retries.js';
import { Watched } from './watched.js';

/** @typedef {import('./resources.js').InboxItem} InboxItem */

/** Items of a page. */
const PAGE_LEN = 50;
/** When many come at once they are read once, so long after the first. */
const TOGETHER_MS = 150;
/** The most ids that the server takes in one request. */
const IDS_MAX = 1_000;

/** A feed of the caller's own notifications. */
export class Inbox extends Watched {
  path = '/ws/notifications/';
  /** @type {import('./stream.js').Query} */
  query = {};
  /** What is told has no id, and is not all that is shown of it. */
  isReplayedWhole = false;
  /** The newest first. @type {InboxItem[]} */
  all = [];
  /** What asks for more; `null`: there are no more. @type {string | null} */
  next = null;
  /** Whether the inbox was read, and holds what was told since. */
  complete = false;
  /** Changes when it was read anew. */
  listings = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #reads;
  #retries = new Retries(() => this.#readNew());
  /** How often something was told. */
  #heard = 0;
  /** Changes when what was asked for before does not hold any more. */
  #version = 0;
  /** What is read is read one after another: pages of different times do not fit together. */
  #last = Promise.resolve();

  /** @param {{ ask: (path: string, options?: { method?: string, body?: object }) => Promise<any> }} api */
  constructor(api) {
    super();
    this.api = api;
  }

  /** How many of those here were not read. */
  get unread() {
    return this.all.filter(({ read }) => !read).length;
  }

  /** Whatever is durable there is in the inbox, too. @param {{ cursor?: string }} event */
  hear({ cursor }) {
    if (!cursor) return;
    this.#heard += 1;
    if (!this.#retries.isWaiting) this.#readSoon();
  }

  /** Nothing is read while no connection comes: with the next one all is listed. @param {boolean} isOver */
  observe(isOver) {
    this.#retries.rest(isOver);
  }

  #readSoon() {
    this.#reads ??= setTimeout(() => this.#readNew(), TOGETHER_MS);
  }

  async #readNew() {
    this.#reads = undefined;
    try {
      await this.list(this.api.ask);
    } catch (error) {
      // What is not complete is listed by the stream.
      if (!this.complete) return;
      this.#notSoon();
      this.#retries.failed(error);
    }
  }

  #notSoon() {
    clearTimeout(this.#reads);
    this.#reads = undefined;
  }

  /**
   * The first page anew; those after it stay, if it reaches to them.
   *
   * @param {(path: string) => Promise<any>} ask
   */
  list(ask) {
    return this.#inTurn(async () => {
      const heard = this.#heard;
      const { items, next } = await this.#read(ask, `/api/notifications?limit=${PAGE_LEN}`);
      const oldest = items[items.length - 1]?.id ?? 0;
      const reaches = next !== null && this.all.some(({ id }) => id >= oldest);
      const older = reaches ? this.all.filter(({ id }) => id < oldest) : [];
      this.all = [...items, ...older];
      if (older.length === 0) this.next = next;
      this.complete = true;
      this.listings += 1;
      this.#retries.over();
      // What was told meanwhile may not be in it.
      if (heard === this.#heard) this.#notSoon();
      else this.#readSoon();
      this.tell();
    });
  }

  /** One more page. */
  more() {
    return this.#inTurn(async () => {
      if (this.next === null) return;
      const cursor = encodeURIComponent(this.next);
      const { items, next } = await this.#read(this.api.ask, `/api/notifications?limit=${PAGE_LEN}&cursor=${cursor}`);
      const known = new Set(this.all.map(({ id }) => id));
      this.all = [...this.all, ...items.filter(({ id }) => !known.has(id))];
      this.next = next;
      this.tell();
    });
  }

  /** Marks some read, or all. @param {number[] | 'all'} which */
  async markRead(which) {
    const bodies = which === 'all' ? [{ all: true }] : portions(which).map((ids) => ({ ids }));
    for (const body of bodies) await this.api.ask('/api/notifications/read', { method: 'POST', body });
    // What is being read may be from before.
    this.#version += 1;
    this.all = this.all.map((each) => (which === 'all' || which.includes(each.id) ? { ...each, read: true } : each));
    this.tell();
  }

  /** Everything: it may not be for whoever comes next. */
  forget() {
    this.#notSoon();
    this.#retries.over();
    [this.all, this.next, this.complete] = [[], null, false];
    this.#version += 1;
    this.tell();
  }

  /** @param {() => Promise<void>} read */
  #inTurn(read) {
    const turn = this.#last.then(read);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /**
   * A page as it is now, also when something was marked read while it was on its way.
   *
   * @param {(path: string) => Promise<any>} ask
   * @param {string} path
   * @returns {Promise<{ items: InboxItem[], next: string | null }>}
   */
  async #read(ask, path) {
    for (;;) {
      const version = this.#version;
      const page = await ask(path);
      if (version === this.#version) return page;
    }
  }
}

/** @param {number[]} ids */
function portions(ids) {
  return Array.from({ length: Math.ceil(ids.length / IDS_MAX) }, (_, at) => ids.slice(at * IDS_MAX, (at + 1) * IDS_MAX));
}
