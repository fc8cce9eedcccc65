// The WebSockets that a page in Chromium opens, and what each is told.

import { doing, same } from './client.mjs';
import { toldTogether } from './stations_cast.mjs';

/** Things that come, for whoever waits for the next one. */
class Queue {
  #come = [];
  #waiting = [];

  put(one) {
    const next = this.#waiting.shift();
    if (next) next(one);
    else this.#come.push(one);
  }

  next() {
    return this.#come.length > 0 ? Promise.resolve(this.#come.shift()) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** What nobody asked for. */
  rest() {
    return this.#come;
  }
}

/** Those of one page, in the order in which they were opened. */
export class Sockets {
  #opened = new Queue();
  #all = [];
  #server;

  /** `server` is what their addresses begin with; others are left out. */
  constructor(page, server) {
    this.#server = server;
    page.on('websocket', (socket) => {
      if (!socket.url().startsWith(server)) return;
      const one = new Socket(socket);
      this.#all.push(one);
      this.#opened.put(one);
    });
  }

  /** The next one, which must be this. */
  async opened(path) {
    doing(`waiting until the page connects to ${path}`);
    const socket = await this.#opened.next();
    same(socket.url, `${this.#server}${path}`, 'where the page connects to');
    return socket;
  }

  /** All that those whose addresses begin so have been told so far, one after the other. */
  told(path) {
    return this.#all.filter(({ url }) => url.startsWith(`${this.#server}${path}`)).flatMap((socket) => socket.rest());
  }

  /** Throws if any was told more, or another was opened, than was asked for. */
  quiet() {
    same(this.#opened.rest().map(({ url }) => url), [], 'what the page connected to besides');
    for (const socket of this.#all) same(socket.rest(), [], `what ${socket.url} was told besides`);
  }
}

class Socket {
  /** The texts that the page sent. */
  sent = [];
  #frames = new Queue();
  #ended;

  constructor(socket) {
    this.url = socket.url();
    socket.on('framereceived', ({ payload }) => this.#frames.put(JSON.parse(payload)));
    socket.on('framesent', ({ payload }) => this.sent.push(payload));
    this.#ended = new Promise((resolve) => socket.on('close', resolve));
  }

  next() {
    doing(`waiting until ${this.url} tells something`);
    return this.#frames.next();
  }

  /** Throws unless these are told next; those of one decision have one time. */
  async hears(...frames) {
    const come = [];
    for (const _ of frames) come.push(await this.next());
    toldTogether(come, frames, `what ${this.url} tells next`);
  }

  /** Waits until it is closed. */
  ends() {
    doing(`waiting until ${this.url} is closed`);
    return this.#ended;
  }

  rest() {
    return this.#frames.rest();
  }
}
