// A server that does what a test says: sockets in memory, so that time can be the test's, and answers of HTTP by a table.

import { mock } from 'node:test';

/** A WebSocket whose other end is the test. */
export class Socket {
  readyState = 0;
  /** What was sent over it. @type {any[]} */
  sent = [];
  /** What the client closed it with; `undefined`: it did not. @type {{ code?: number } | undefined} */
  closed;

  constructor(url) {
    // As a text: others put themselves between, and take it for one.
    this.url = new URL(url.slice(0));
    this.made?.(this);
  }

  get since() {
    return this.url.searchParams.get('since');
  }

  send(text) {
    if (this.readyState !== 1) throw new Error('it is not open');
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closed ??= { code };
    if (this.readyState < 2) this.readyState = 2;
  }

  /** The handshake is done. */
  open() {
    this.readyState = 1;
    this.onopen?.({});
  }

  /** The server says something. @param {...any} frames */
  say(...frames) {
    for (const frame of frames) this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
  }

  /** Opened, and told where it begins. @param {any} [first] */
  begin(first = { type: 'resumed', cursor: 'e.1', replayed: 0 }) {
    this.open();
    this.say(first);
  }

  /** It ends: by a close frame, or without one. @param {number} [code] */
  end(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}

/** A class of sockets, and those that were made, in their order. */
export function sockets() {
  const made = [];
  class Made extends Socket {
    made(socket) {
      made.push(socket);
    }
  }
  return { WebSocket: Made, made, last: () => made.at(-1) };
}

/**
 * A `fetch` by a table: `'GET /api/x'` gives the JSON of an answer, `[status, JSON, headers]`, or a function of the request
 * that gives one of these or throws. A query is no part of the name.
 */
export function server(table) {
  const asked = [];
  const fetch = async (place, options = {}) => {
    const url = new URL(place);
    const name = `${options.method ?? 'GET'} ${url.pathname}`;
    const request = { name, url, ...options, body: options.body && JSON.parse(options.body) };
    asked.push(request);
    const says = table[name];
    const answer = typeof says === 'function' ? await says(request) : says;
    options.signal?.throwIfAborted();
    const [status, body, headers] = Array.isArray(answer) && typeof answer[0] === 'number' ? answer : [200, answer];
    if (answer === undefined) return new Response(JSON.stringify({ status: 404, code: 'NOT_FOUND', detail: 'there is nothing here' }), { status: 404 });
    return new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
  };
  return { fetch, asked };
}

/** A station, as the server shows it. */
export const station = (id, available, booked, status = 'online') => ({
  id,
  name: `Station ${id}`,
  status,
  available_batteries: available,
  booked_batteries: booked,
  total_batteries: available + booked,
});

/** The frame that lists these stations. */
export const snapshot = (data, cursor = 'e.1') => ({ type: 'stations:snapshot', data, cursor });

/** Lets everything run that does not wait for time. */
export async function settled() {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Time stands until `tick` moves it, and chance is `random`. Ends with the test. */
export function still(test, random = 0.5) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'], now: 1_700_000_000_000 });
  const chance = mock.method(Math, 'random', () => random);
  test.after(() => {
    mock.timers.reset();
    chance.mock.restore();
  });
  return {
    chance,
    /** So much time goes by; what waits for it runs. @param {number} ms */
    async pass(ms) {
      mock.timers.tick(ms);
      await settled();
    },
    /** The page sleeps: the clock goes on, and timers run when it wakes up. @param {number} ms */
    async sleep(ms) {
      mock.timers.setTime(Date.now() + ms);
      mock.timers.tick(1);
      await settled();
    },
  };
}

/** What a browser has besides: a network that comes and goes, and a page that is looked at. Ends with the test. */
export function page(test) {
  const [window, document] = [new EventTarget(), new EventTarget()];
  document.hidden = false;
  const before = { addEventListener: globalThis.addEventListener, document: globalThis.document };
  globalThis.addEventListener = window.addEventListener.bind(window);
  globalThis.document = document;
  test.after(() => Object.assign(globalThis, before));
  return {
    document,
    window,
    /** @param {string} type @param {object} [about] */
    tell: (type, about) => window.dispatchEvent(Object.assign(new Event(type), about)),
    /** @param {boolean} isShown */
    show(isShown) {
      document.hidden = !isShown;
      document.dispatchEvent(new Event('visibilitychange'));
    },
  };
}
