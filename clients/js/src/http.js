// Requests to the server over HTTP.

import { Refused } from './refused.js';

/** Items of a page of a list: the most that the server gives. */
const PAGE_LEN = 1_000;

/**
 * @typedef {object} Asking
 * @property {string} [method]
 * @property {object} [body]
 * @property {string | null} [token]
 * @property {AbortSignal} [signal]
 * @property {number} [timeoutMs] how long it may take
 * @property {RequestCredentials} [credentials] whether the cookie goes with it
 * @property {string} [idempotencyKey] a change that is asked for again with the same key is done once
 * @property {typeof fetch} [fetch]
 */

/**
 * Asks and gives the JSON of the answer, `null` if it has none.
 *
 * @param {string | URL} place
 * @param {Asking} [options]
 * @returns {Promise<any>}
 * @throws {Refused} if the server says no, and whatever `fetch` throws if it cannot be reached
 */
export async function ask(place, { method = 'GET', body, token, credentials, idempotencyKey, ...options } = {}) {
  const { fetch = globalThis.fetch } = options;
  const headers = new Headers();
  if (body) headers.set('Content-Type', 'application/json');
  if (token) headers.set('Authorization', `Bearer ${token}`);
  if (idempotencyKey) headers.set('Idempotency-Key', idempotencyKey);
  const { signal, over } = within(options);
  try {
    const response = await fetch(place, { method, headers, signal, credentials, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw refusal(response, text);
    return text === '' ? null : JSON.parse(text);
  } finally {
    over();
  }
}

/**
 * A signal for what must end in time: a network that went away says nothing.
 *
 * @param {{ signal?: AbortSignal, timeoutMs?: number }} of
 */
function within({ signal, timeoutMs }) {
  if (timeoutMs === undefined) return { signal, over() {} };
  const ends = new AbortController();
  const abort = () => ends.abort(signal?.reason);
  const timer = setTimeout(() => ends.abort(new DOMException('no answer came', 'TimeoutError')), timeoutMs);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  return {
    signal: ends.signal,
    over() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  };
}

/**
 * The pages of a list, one after the other.
 *
 * @param {(path: string) => Promise<any>} ask
 * @param {string} path of the list, without `limit` and `cursor`
 * @param {number} [limit] items of a page
 * @returns {AsyncGenerator<any[]>} the items of each page
 */
export async function* pages(ask, path, limit = PAGE_LEN) {
  for (let cursor = ''; cursor !== null; ) {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor && { cursor }) });
    const page = await ask(`${path}${path.includes('?') ? '&' : '?'}${query}`);
    yield page.items;
    cursor = page.next;
  }
}

/** The problem of RFC 9457 that the server told; or a proxy's own page. @param {Response} response @param {string} text */
function refusal({ status, headers }, text) {
  const after = Number.parseInt(headers.get('Retry-After') ?? '', 10);
  const { code, detail } = problem(text);
  return new Refused(status, detail ?? `the server answered ${status}`, {
    code,
    retryAfterS: Number.isNaN(after) ? undefined : after,
  });
}

/** @param {string} text @returns {{ code?: string, detail?: string }} */
function problem(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
