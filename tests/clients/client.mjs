// What the scripts in this folder share: arguments, a deadline, one line on failure, requests, a plain WebSocket
// connection to `/api/ws`, and the shapes of the frames it carries.
//
// A script exits 0 when everything was as documented. Otherwise it prints one line that says what
// differs and exits 1.

import { isDeepStrictEqual, parseArgs } from 'node:util';
import WebSocket from 'ws';

/** The keys of a row in a reply, in the documented order. */
export const ROW_KEYS = ['state_id', 'entity_id', 'state', 'attributes', 'last_changed', 'last_updated'];

/** Requests that one connection may have unanswered; the server accepts up to 64. */
export const OUTSTANDING_MAX = 32;

/** Something came that should not have, or did not come. Its message is the line that is printed. */
export class Difference extends Error {}

/**
 * Runs a script: reads `--address HOST:PORT`, `--token T` and the options named, bounds it in time, turns
 * an error into one line and exit code 1.
 *
 * @param {number} limitS deadline in seconds for the whole script
 * @param {object} options further options as `parseArgs` takes them; an option with `required: true` must be given
 * @param {(values: object) => Promise<string>} main answers with what to print on success
 */
export async function script(limitS, options, main) {
  const all = { address: { type: 'string', required: true }, token: { type: 'string' }, ...options };
  const declared = Object.fromEntries(
    Object.entries(all).map(([name, { required: _, ...option }]) => [name, option]),
  );
  const fail = (error) => {
    const text = error instanceof Difference ? error.message : (error.stack ?? String(error));
    console.error(text.replaceAll(/\s*\n\s*/g, ' | '));
    process.exit(1);
  };
  setTimeout(() => fail(new Difference(`not finished within ${limitS} s; ${progress()}`)), limitS * 1000);
  process.on('unhandledRejection', fail);
  process.on('uncaughtException', fail);
  try {
    const { values } = parseArgs({ options: declared });
    for (const [name, option] of Object.entries(all)) {
      if (option.required && values[name] === undefined) throw new Difference(`--${name} is missing`);
    }
    console.log(await main(values));
    process.exit(0);
  } catch (error) {
    fail(error);
  }
}

/** Where a script is, for the line that its deadline prints. */
let progress = () => 'no step was reported';

/** Says what the script is doing now. */
export function doing(step) {
  progress = typeof step === 'function' ? step : () => `it was ${step}`;
}

/** Throws unless `condition` holds. */
export function check(condition, text) {
  if (!condition) throw new Difference(text);
}

/** Throws unless `actual` has the same JSON value as `expected`; the order of keys does not count. */
export function same(actual, expected, what) {
  check(isDeepStrictEqual(actual, expected), `${what}: expected ${short(expected)}, got ${short(actual)}`);
}

/** Throws unless `object` has exactly these keys in this order. */
export function keys(object, expected, what) {
  check(object !== null && typeof object === 'object', `${what}: expected an object, got ${short(object)}`);
  same(Object.keys(object), expected, `${what}: keys`);
}

/** Throws unless `row` has the documented shape and these values. */
export function row(actual, { entity_id, state, attributes }, what) {
  keys(actual, ROW_KEYS, what);
  check(Number.isInteger(actual.state_id), `${what}: state_id ${short(actual.state_id)} is no integer`);
  same([actual.entity_id, actual.state, actual.attributes], [entity_id, state, attributes], what);
  for (const key of ['last_changed', 'last_updated']) {
    check(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(actual[key]), `${what}: ${key} is ${short(actual[key])}`);
  }
}

/** Throws unless `reply` is the successful reply to `operation` with such a row. */
export function rowReply(reply, operation, expected, what) {
  keys(reply, ['type', 'success', 'data'], what);
  same([reply.type, reply.success], [`${operation}:response`, true], what);
  row(reply.data, expected, what);
}

/** Throws unless `reply` refuses `operation`. */
export function refusal(reply, operation, what) {
  keys(reply, ['type', 'success', 'error'], what);
  same([reply.type, reply.success], [`${operation}:response`, false], what);
  check(typeof reply.error === 'string' && reply.error !== '', `${what}: error is ${short(reply.error)}`);
}

/** Throws unless `frame` announces `new_state` of an entity, with a cursor or without one. */
export function stateChanged(frame, { entity_id, new_state }, withCursor, what) {
  keys(frame, withCursor ? ['type', 'data', 'cursor'] : ['type', 'data'], what);
  same(frame.type, 'state_changed', `${what}: type`);
  keys(frame.data, ['entity_id', 'new_state'], what);
  if (frame.data.new_state !== null) keys(frame.data.new_state, ['state', 'attributes'], what);
  same(frame.data, { entity_id, new_state }, what);
}

/** A value as text that fits a line. */
export function short(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 300 ? `${text.slice(0, 300)}...` : text;
}

/** Requests over HTTP, with a token if there is one: `send(method, path, body)` gives the status and the answer's JSON. */
export function requests({ address, token }) {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  return async (method, path, body) => {
    const response = await fetch(`http://${address}${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    return { status: response.status, body: text === '' ? null : JSON.parse(text) };
  };
}

/** Writes new states over REST, by their ids. What was undone, as the machine was busy (503), is asked again. */
export async function writes(send, states) {
  for (const [id, state] of Object.entries(states)) {
    let status = 503;
    for (let tries = 0; status === 503 && tries < 5; tries += 1) ({ status } = await send('POST', `/api/states/${id}`, state));
    same(status, 201, id);
  }
}

/** One plain connection to `/api/ws`. Requests may be pipelined; replies must come in their order. */
export class Connection {
  #socket;
  #asked = [];
  #nextId = 1;
  #closed = false;
  #onFrame;
  #name;

  /** @param {(frame: object) => void} onFrame gets every frame that answers no request */
  constructor(name, { address, token, query = '' }, onFrame) {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.#name = name;
    this.#onFrame = onFrame;
    this.#socket = new WebSocket(`ws://${address}/api/ws${query}`, { headers });
    this.#socket.on('message', (data) => this.#receive(data.toString()));
    this.opened = new Promise((resolve, reject) => {
      this.#socket.once('open', () => {
        this.#socket.on('close', (code) => this.#end(`closed by the server with ${code}`));
        resolve();
      });
      this.#socket.on('error', (error) => reject(new Difference(`${name}: ${error.message || error.code}`)));
    });
  }

  /** Opens a connection and returns once the server has answered on it, so that it hears what comes next. */
  static async open(name, target, onFrame = () => {}) {
    const connection = new Connection(name, target, onFrame);
    await connection.opened;
    await connection.settled();
    return connection;
  }

  /** Sends a request and resolves to its reply, without the `id` that was added to tell replies apart. */
  ask(request) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#asked.push({ id, resolve, reject });
      this.send({ ...request, id });
    });
  }

  /** Sends a message that has no reply of its own. */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  /** Returns once everything sent to this connection so far has been received. */
  async settled() {
    await this.ask({ type: 'states:get', entity_id: 'sensor.that_nobody_has' });
  }

  /** Cuts the connection without a closing handshake. Nothing is received after it. */
  cut() {
    this.#closed = true;
    this.#socket.terminate();
  }

  #receive(text) {
    if (this.#closed) return;
    const frame = JSON.parse(text);
    if (!Object.hasOwn(frame, 'id')) {
      this.#onFrame(frame);
      return;
    }
    const { id, ...reply } = frame;
    const asked = this.#asked.shift();
    check(asked?.id === id, `${this.#name}: expected the reply to ${asked?.id}, got ${short(frame)}`);
    asked.resolve(reply);
  }

  #end(text) {
    if (this.#closed) return;
    throw new Difference(`${this.#name}: ${text}`);
  }
}

/** Sends many requests through one connection, a limited number unanswered at a time. */
export class Pipeline {
  #connection;
  #running = new Set();
  /** @type {unknown[]} What went wrong with replies that nobody waited for. */
  #failures = [];

  constructor(connection) {
    this.#connection = connection;
  }

  /** Sends `request` when there is room; `accept` gets the reply later. Resolves when it has been sent. */
  async send(request, accept) {
    while (this.#running.size >= OUTSTANDING_MAX) await Promise.race(this.#running);
    const answered = this.#connection.ask(request).then(accept);
    this.#running.add(answered);
    answered.finally(() => this.#running.delete(answered)).catch((why) => this.#failures.push(why));
  }

  /** Resolves when every request has been answered and accepted. */
  async drain() {
    await Promise.all(this.#running);
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}
