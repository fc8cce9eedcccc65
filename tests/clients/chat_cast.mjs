// Who talks in the scripts about chat, and how what they are told is compared: the users of the document "WebSocket
// Events" (003), by the ids that it gives them. At a demo they are there, and are guests; elsewhere an admin makes
// them, and they have other ids and tokens.

import { check, requests, same, short } from './client.mjs';

/** Stand in an expected payload for the server's date of now, for its day, and for a number that the server gave. */
export const NOW = Symbol('the date of now');
export const DAY = Symbol('the day of today');
export const ID = Symbol('an id');

/** The document's users, by the id that they have there. */
const USERS = {
  1: { username: 'john_doe', kind: 'client' },
  2: { username: 'jane' },
  3: { username: 'sara_cleaner', kind: 'houseworker' },
  4: { username: 'mike_butler', kind: 'houseworker' },
  // A namesake.
  123: { username: 'john_doe', login: 'john_doe_123' },
};

const MINUTE_MS = 60_000;
const MILLISECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const ID_OR_LABEL = /^(room:)?\d+(:\d+)*$/;
/** Whoever asks this is answered once everything before has come, and nothing else happens. */
export const NOTHING = ['leaveRoom', 'nobody'];

/** The document's users at a server. */
export class Cast {
  #ids;
  #tokens;

  constructor(ids, tokens) {
    this.#ids = ids;
    this.#tokens = tokens;
  }

  /** Those of a demo, or with the token of an admin new ones. */
  static async at({ address, token }) {
    const send = requests({ address, token });
    const ids = new Map();
    const tokens = new Map();
    const expect = async (path, body) => {
      const answer = await send('POST', path, body);
      same(answer.status, 201, `POST ${path} answers ${short(answer.body)}, its status`);
      return answer.body;
    };
    for (const [id, user] of Object.entries(USERS)) {
      ids.set(id, token ? (await expect('/api/users', user)).userId : id);
      const wish = { role: 'user', subject: ids.get(id), scopes: [], ttl: 3600 };
      tokens.set(id, token ? await expect('/api/tokens', wish) : null);
    }
    return new Cast(ids, tokens);
  }

  /** What a user of the document is let in with. */
  auth(id) {
    const token = this.#tokens.get(id);
    return token ? { token: token.token } : {};
  }

  /** The id of that token. */
  tokenId(id) {
    return this.#tokens.get(id).id;
  }

  /** A value with the ids that the document's users have here. */
  here(value) {
    if (typeof value === 'string') {
      return ID_OR_LABEL.test(value) ? value.replaceAll(/\d+/g, (id) => this.#ids.get(id) ?? id) : value;
    }
    if (Array.isArray(value)) return value.map((one) => this.here(one));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.here(one)]));
  }
}

/** A notification, as those whom it concerns are told it. */
export function notification(from, to, message, type = 'chatGroup') {
  return { id: ID, from, to, type, date: NOW, message, read: false };
}

/** Throws unless a payload is this one, its keys in this order. */
export function payload(actual, expected, what) {
  const wanted = filled(actual, expected, what);
  const text = (value) => JSON.stringify(value);
  check(text(actual) === text(wanted), `${what}: expected ${text(wanted)}, got ${text(actual)}`);
}

/** An expected value, with what only the server can know taken from what came, if it may be that. */
function filled(actual, expected, what) {
  if (expected === NOW) {
    return near(actual, what, ({ day, month, year, time }) => ({ day: +day, month: +month, year: +year, time }));
  }
  if (expected === DAY) return near(actual, what, ({ day, month, year }) => `${day}.${month}.${year}`);
  if (expected === ID) {
    check(Number.isInteger(actual) && actual > 0, `${what}: ${short(actual)} is no id`);
    return actual;
  }
  if (Array.isArray(expected)) return expected.map((one, at) => filled(actual?.[at], one, what));
  if (expected === null || typeof expected !== 'object') return expected;
  return Object.fromEntries(Object.entries(expected).map(([key, one]) => [key, filled(actual?.[key], one, what)]));
}

/** What came, if it is the moment as the server writes it, in UTC: that of now, or just before. */
function near(actual, what, written) {
  const now = Date.now();
  const wanted = [now, now - MINUTE_MS].map((at) => {
    const [year, month, day, time] = new Date(at).toISOString().slice(0, 16).split(/[-T]/);
    return written({ day, month, year, time });
  });
  const found = wanted.find((one) => JSON.stringify(one) === JSON.stringify(actual));
  check(found, `${what}: the date is ${short(actual)}, and now is ${short(wanted[0])}`);
  return found;
}

/** Throws unless this is a refusal with this code. */
export function refused(actual, code, what) {
  same(Object.keys(actual ?? {}), ['error', 'code', 'timestamp'], `${what}: keys of ${short(actual)}`);
  const { error, timestamp } = actual;
  same(actual.code, code, `${what}: the code of "${error}"`);
  check(typeof error === 'string' && error !== '' && MILLISECONDS.test(timestamp), `${what}: ${short(actual)}`);
}
