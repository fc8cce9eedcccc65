// A Socket.IO client of a given version that writes down everything that happens to it, in order, and the
// requests that a script makes of whoever started it.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { check, same, short } from '../client.mjs';

const require = createRequire(import.meta.url);

/** The transports that a client is told to use, by the name that scripts get as `--transport`. */
export const TRANSPORTS = {
  polling: ['polling'],
  websocket: ['websocket'],
  upgrade: ['polling', 'websocket'],
};

/** Clients come back at once: a script waits for nothing that it could have now. */
const EAGER = { reconnectionDelay: 20, reconnectionDelayMax: 100, randomizationFactor: 0 };

/** Asks for what no query finds: the answer says that everything before it has arrived. */
const NOBODY = { entity_id: 'sensor.that_nobody_has' };

/** What a connection is made with: the library's version, where the server is, and over what. */
export class Dialer {
  #client;
  #transport;

  /**
   * @param {string} client the name of the package, e.g. `socket.io-client-4.8`
   * @param {keyof TRANSPORTS} transport
   */
  constructor(client, transport) {
    this.#client = require(client);
    check(TRANSPORTS[transport], `no such transport: ${transport}`);
    this.#transport = transport;
  }

  /** A connection to `HOST:PORT`, which any number of namespaces may share. */
  manager(address, options = {}) {
    const transports = TRANSPORTS[this.#transport];
    return new this.#client.Manager(`http://${address}`, { ...EAGER, transports, ...options });
  }

  /** A namespace on a connection of its own, or on `manager`. Nothing is awaited. */
  peer(address, { namespace = '/', auth = {}, manager = this.manager(address) }) {
    return new Peer(manager.socket(namespace, { auth }), this.#transport);
  }

  /** The same, once the server has let it in and, where the client upgrades, the upgrade is done. */
  async connect(address, options) {
    const peer = this.peer(address, options);
    await peer.hears('connect');
    await peer.upgraded();
    return peer;
  }
}

/** One socket. What happens to it waits here until it is asked for. */
export class Peer {
  #happened = [];
  #waiting = [];
  #transport;

  constructor(socket, transport) {
    this.socket = socket;
    this.#transport = transport;
    socket.onAny((event, ...args) => this.#note(event, ...args));
    socket.on('connect', () => this.#note('connect'));
    socket.on('disconnect', (reason) => this.#note('disconnect', reason));
    socket.on('connect_error', (error) => {
      // While the server cannot be reached each try to come back fails like this.
      if (error.type !== 'TransportError') this.#note('connect_error', error.message);
    });
  }

  #note(...what) {
    const next = this.#waiting.shift();
    if (next) next(what);
    else this.#happened.push(what);
  }

  /** What happens next, or happened and was not asked for yet: its name and its arguments. */
  next() {
    const first = this.#happened.shift();
    return first ? Promise.resolve(first) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Throws unless exactly this is what happens next. */
  async hears(...what) {
    same(await this.next(), what, `what happens next in ${this.socket.nsp}`);
  }

  /** Waits for this event without arguments. What happens before it can still be asked for. */
  async passes(name) {
    const before = [];
    for (let what = await this.next(); what[0] !== name; what = await this.next()) before.push(what);
    this.#happened.unshift(...before);
  }

  /** Throws unless the connection ends next. A cut shows as either, depending on what is under way. */
  async loses() {
    const [name, reason] = await this.next();
    same(name, 'disconnect', 'what a cut does');
    check(['transport close', 'transport error'].includes(reason), `the reason is ${short(reason)}`);
  }

  /** What the server acknowledges an event with. */
  async ask(event, ...args) {
    const answer = await new Promise((resolve) =>
      this.socket.emit(event, ...args, (...back) => resolve(back)),
    );
    same(answer.length, 1, `arguments of the acknowledgement of ${event}`);
    return answer[0];
  }

  /**
   * Returns once the server has nothing more to say, by what this is answered; throws if it said more than was asked for.
   */
  async settles(...request) {
    await this.ask(...(request.length > 0 ? request : ['states:get', NOBODY]));
    same(this.#happened, [], `what else happened in ${this.socket.nsp}`);
  }

  /** Resolves when the connection is on the transport that it was told to use. */
  async upgraded() {
    const { engine } = this.socket.io;
    const name = this.#transport === 'polling' ? 'polling' : 'websocket';
    if (this.#transport === 'upgrade' && engine.transport.name !== name) {
      await new Promise((resolve) => engine.once('upgrade', resolve));
    }
    same(engine.transport.name, name, 'the transport');
  }

  /** Ends the connection with all its namespaces. */
  close() {
    this.socket.io._close?.() ?? this.socket.io.engine.close();
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has whoever started this script do what it names: one line out, and `done` comes in. */
export async function please(what) {
  console.log(`please ${what}`);
  const { value } = await lines.next();
  same(value, 'done', `standard input after "please ${what}"`);
}
