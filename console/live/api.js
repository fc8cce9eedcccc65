// Requests to the server that served this page.

/** Items of a page of a list: the most that the server gives. */
const PAGE_LEN = 1_000;

/** A request that was answered, and refused: the problem of RFC 9457 that the server told. */
export class Refused extends Error {
  /**
   * @param {number} status
   * @param {string} words
   */
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

/**
 * Asks and gives the JSON of the answer, `null` if it has none.
 *
 * @param {string} path
 * @param {{ method?: string, body?: object, token?: string | null, signal?: AbortSignal,
 *   credentials?: RequestCredentials }} [options]
 * @returns {Promise<any>}
 * @throws {Refused} if the server says no, and whatever `fetch` throws if it cannot be reached
 */
export async function ask(path, { method = 'GET', body, token, signal, credentials } = {}) {
  const headers = new Headers();
  if (body) headers.set('Content-Type', 'application/json');
  if (token) headers.set('Authorization', `Bearer ${token}`);
  const response = await fetch(path, { method, headers, signal, credentials, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Refused(response.status, detail(text) ?? `the server answered ${response.status}`);
  return text === '' ? null : JSON.parse(text);
}

/**
 * The pages of a list, one after the other.
 *
 * @param {(path: string) => Promise<any>} ask
 * @param {string} path of the list, without a query
 * @returns {AsyncGenerator<any[]>} the items of each page
 */
export async function* pages(ask, path) {
  for (let cursor = ''; cursor !== null; ) {
    const query = new URLSearchParams({ limit: String(PAGE_LEN), ...(cursor && { cursor }) });
    const page = await ask(`${path}?${query}`);
    yield page.items;
    cursor = page.next;
  }
}

/** @param {string} text */
function detail(text) {
  try {
    return JSON.parse(text).detail;
  } catch {
    return undefined; // A proxy's own page.
  }
}

/**
 * What went wrong, in words for whoever sits before it.
 *
 * @param {unknown} error
 */
export function words(error) {
  if (error instanceof Refused) return error.message;
  return 'the server cannot be reached';
}

/** Words as a sentence. @param {string} words */
export function sentence(words) {
  const begun = words.charAt(0).toUpperCase() + words.slice(1);
  return /[.?!]$/.test(begun) ? begun : `${begun}.`;
}
