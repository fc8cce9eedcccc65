// The messages of one conversation that are here: pages of its history, one after the other without a gap, the newest
// last, and what is heard live. An event of a message does not have its number, so that what is listed and what was
// heard are told to be the same by who said what when.

/** Messages of a page. */
export const PAGE_LEN = 50;
/** So many are kept at once; pages beyond go, and are loaded again when one comes there. */
const KEPT_MAX = 300;
/** Of the newest page, when one comes to it from older ones: it is to reach back to these, whatever was said meanwhile. */
export const NEWEST_LEN = 4 * PAGE_LEN;

/**
 * @typedef {{ day: number, month: number, year: number, time: string }} Told a time as the server's zone has it
 *
 * @typedef {object} Message
 * @property {string} key stays the same as long as it is shown
 * @property {number | null} id its number, if that is known
 * @property {string} from
 * @property {string} name who that is
 * @property {string} text
 * @property {number} at in ms since 1970
 * @property {string} told when it was, as the server says it
 * @property {'sent' | 'pending' | 'failed' | 'note'} state `note`: nobody said it, it tells what happened here
 * @property {string} [why] it failed
 * @property {string} [clientID] of one that was sent from here
 * @property {boolean} [isEchoed] whether one that was sent from here was heard
 *
 * @typedef {{ messageID: number, from: string, fromUsername: string, message: string, date: Told, timestamp: string }} Listed
 * @typedef {{ before: string | null, next: string | null | undefined, all: Message[] }} Page `before`: what it was asked
 *   for by, `null` if it is the newest; `next`: what the page before it is asked for by, `undefined` if that is not known yet
 */

let keys = 0;
/** A key that nothing has yet. */
export const newKey = () => `m${(keys += 1)}`;

/** @param {Told | undefined} date */
export const toldAs = (date) => (date ? `${date.year}-${date.month}-${date.day} ${date.time}` : '');

/** @param {Listed} listed @returns {Message} */
const messageOf = ({ messageID: id, from, fromUsername: name, message: text, date, timestamp }) => ({
  ...{ key: newKey(), id, from, name, text, at: Date.parse(timestamp), told: toldAs(date), state: 'sent' },
});

export class Messages {
  /** The oldest first. @type {Page[]} */
  pages = [];
  /** What pages are asked for by that are newer than those here, the nearest last. @type {(string | null)[]} */
  newer = [];
  /** How many were heard that are not here, as newer pages are not. */
  beyond = 0;

  get all() {
    return this.pages.flatMap(({ all }) => all);
  }

  /** Whether the newest are here. */
  get isAtEnd() {
    return this.newer.length === 0;
  }

  /** What asks for older ones; `null`: there are none; `undefined`: nothing is here yet. */
  get older() {
    return this.pages[0]?.next;
  }

  /** One that was heard, or sent. @param {Message} message */
  push(message) {
    if (this.pages.length === 0) this.pages.push({ before: null, next: undefined, all: [] });
    if (this.isAtEnd) this.pages[this.pages.length - 1].all.push(message);
    else this.beyond += 1;
  }

  /**
   * The newest page. It goes on from what is here, unless there is a gap.
   *
   * @param {{ items: Listed[], next: string | null }} listed
   * @param {Set<string>} before keys of those that were here before it was asked for: what of these has no number is in it,
   *   or older
   */
  newest({ items, next }, before) {
    const page = items.map(messageOf).reverse();
    const known = this.isAtEnd ? this.all : [];
    const oldest = page[0]?.id ?? 0;
    const listedTo = page[page.length - 1]?.id ?? 0;
    const newest = known.findLast(({ id, key }) => id !== null && before.has(key))?.id ?? null;
    this.#keepKeys(page, known);
    const keys = new Set([...before, ...page.map(({ key }) => key)]);
    const added = known.filter(({ id, key, state }) => state === 'sent' && !keys.has(key) && (id === null || id > listedTo));
    // What was heard, and is not in the page, is older than that: between may be what was not heard.
    const isCut = known.some(({ id, key, state }) => id === null && state === 'sent' && before.has(key) && !page.some((each) => each.key === key));
    if (newest === null || newest < oldest || isCut) {
      this.pages = [{ before: null, next, all: [...page, ...added] }];
    } else {
      const kept = this.pages.map((each) => ({ ...each, all: each.all.filter(({ id }) => id !== null && id < oldest) })).filter(({ all }) => all.length > 0);
      const last = kept.pop();
      this.pages = [...kept, { before: null, next: last ? last.next : next, all: [...(last?.all ?? []), ...page, ...added] }];
    }
    [this.newer, this.beyond] = [[], 0];
  }

  /** What is listed keeps the key under which it was heard. @param {Message[]} page @param {Message[]} known */
  #keepKeys(page, known) {
    const byId = new Map(known.filter(({ id }) => id !== null).map((message) => [message.id, message]));
    const heard = known.filter(({ id, state }) => id === null && state === 'sent');
    for (const message of page) {
      const at = byId.has(message.id) ? -1 : heard.findIndex(({ from, text, told }) => from === message.from && text === message.text && told === message.told);
      const same = byId.get(message.id) ?? heard[at];
      if (at >= 0) heard.splice(at, 1);
      if (same) [message.key, message.clientID, message.isEchoed] = [same.key, same.clientID, same.isEchoed];
    }
  }

  /** A page of older ones. @param {string} before @param {{ items: Listed[], next: string | null }} listed */
  prepend(before, { items, next }) {
    this.pages.unshift({ before, next, all: items.map(messageOf).reverse() });
    while (this.#count > KEPT_MAX && this.pages.length > 2) this.newer.push(/** @type {Page} */ (this.pages.pop()).before);
  }

  /** What the next newer page is asked for by; `null`: it is the newest. */
  get nextNewer() {
    return this.newer[this.newer.length - 1];
  }

  /** The next newer page. @param {{ items: Listed[], next: string | null }} listed */
  append({ items, next }) {
    const known = new Set(this.all.map(({ id }) => id));
    const before = this.newer.pop() ?? null;
    const all = items.map(messageOf).reverse();
    // The newest page has moved on: without one that is here already there may be a gap.
    if (before === null && !all.some(({ id }) => known.has(id))) this.pages = [];
    this.pages.push({ before, next, all: all.filter(({ id }) => !known.has(id)) });
    if (this.isAtEnd) this.beyond = 0;
    this.trim();
  }

  /** Older pages go when there are too many. */
  trim() {
    while (this.#count > KEPT_MAX && this.pages.length > 1) this.pages.shift();
  }

  /** Whether what was heard has become too much for one page, and should be listed anew. */
  get isTooLong() {
    return (this.pages[this.pages.length - 1]?.all.length ?? 0) > KEPT_MAX;
  }

  get #count() {
    return this.pages.reduce((sum, { all }) => sum + all.length, 0);
  }

  forget() {
    [this.pages, this.newer, this.beyond] = [[], [], 0];
  }
}
