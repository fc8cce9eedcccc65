// How the unmodified socket.io-client 4.8 comes back with `auth.recover`: every row of the table below, in its
// order.
//
//   node recovery.mjs --transport polling|websocket|upgrade --address HOST:PORT --direct HOST:PORT
//     --token ADMIN --reader TOKEN --other TOKEN
//
// `--address` leads to the server through a proxy, `--direct` past it. `--reader` reads the domain `light` only;
// `--other` is the token of somebody else with the same rights. It prints these requests and goes on at `done`:
// `please cut`, `please mend`: the proxy drops its connections and takes no new ones; takes them again;
// `please restart`: the server is killed by SIGKILL and started again on its port;
// `please forget`: the same, and in between everything in its log is taken out, as if it were too old;
// `please revoke`: the token `--reader` is revoked.

import WebSocket from 'ws';
import { check, doing, same, script, short } from '../client.mjs';
import { Dialer, please } from './peer.mjs';

const CLIENT = 'socket.io-client-4.8';
const text = { type: 'string', required: true };
const OPTIONS = { transport: text, direct: text, reader: text, other: text };

/** Rows that a writer has under way when the server is killed, and after how many that is. */
const WRITES = 300;
const KILLED_AT = 40;
/** More events than the server has in memory. */
const BEYOND_MEMORY = 10_500;
/** How many of these are under way at once. */
const AT_ONCE = 500;

const ROWS = [
  ['who does not ask for it is told no offset', async (test) => {
    const reader = await test.reads({ recover: false });
    same(reader.peer.socket._pid, undefined, 'the pid');
    await test.write('a');
    await reader.peer.hears('state_changed', test.changed('a'));
    await reader.away();
    await reader.back(false);
    await reader.leaves();
  }],
  ['cut before any event', async (test) => {
    const reader = await test.reads();
    await reader.away();
    await reader.back(true);
    await test.write('a');
    await reader.tells('a');
    await reader.leaves();
  }],
  ['cut before any event, events while away', async (test) => {
    const reader = await test.reads();
    await reader.away();
    await test.write('a', 'b');
    await reader.back(true);
    await reader.tells('a', 'b');
    await reader.leaves();
  }],
  ['cut again and again, events before, between and after', async (test) => {
    const reader = await test.reads();
    for (let round = 0; round < 3; round += 1) {
      const states = ['a', 'b', 'c', 'd', 'e', 'f'].map((state) => `${state}${round}`);
      await test.write(...states.slice(0, 2));
      await reader.tells(...states.slice(0, 2));
      await reader.away();
      await test.write(...states.slice(2, 4));
      await reader.back(true);
      await test.write(...states.slice(4));
      await reader.tells(...states.slice(2));
    }
    await reader.leaves();
  }],
  ['cut after an answer by an event', async (test) => {
    const reader = await test.reads();
    await test.write('a', 'b');
    await reader.tells('a', 'b');
    // Not kept in the log, but it bears a place in it, like every event that asks for no acknowledgement.
    reader.peer.socket.emit('states:get', { entity_id: 'light.nobody_has_it' });
    const [event, answer, offset, ...more] = await reader.peer.next();
    same([event, answer.success, typeof offset, more], ['states:get:response', false, 'string', []], 'the answer');
    await reader.away();
    await test.write('c');
    await reader.back(true);
    await reader.tells('c');
    await reader.leaves();
  }],
  ['two namespaces, one of which asked for states once', async (test) => {
    const manager = test.dial.manager(test.address);
    const root = await test.reads({ namespace: '/', manager });
    const states = await test.reads({ manager });
    await root.peer.settles();
    await test.write('a');
    for (const reader of [root, states]) await reader.tells('a');
    await root.away();
    await states.peer.loses();
    await test.write('b');
    await root.back(true);
    await states.returned(true);
    await test.write('c');
    for (const reader of [root, states]) await reader.tells('b', 'c');
    for (const reader of [root, states]) await reader.quiet();
    root.peer.close();
  }],
  ['the server killed while it writes', async (test) => {
    const reader = await test.reads();
    const acknowledged = [];
    const writer = await test.dial.connect(test.direct, { auth: test.admin });
    for (let number = 0; number < WRITES; number += 1) {
      const row = { entity_id: test.entity_id, state: String(number) };
      writer.socket.emit('states:create', row, ({ success }) => success && acknowledged.push(number));
    }
    const told = [];
    while (told.length < KILLED_AT) told.push(Number(await reader.tells()));
    await please('cut');
    await please('restart');
    // What the client was told before the cut reached it.
    for (;;) {
      const [name, ...args] = await reader.peer.next();
      if (name === 'disconnect') break;
      told.push(Number(reader.told(name, ...args)));
    }
    writer.close();
    await please('mend');
    await reader.returned(true);
    await test.write('last');
    for (let state = await reader.tells(); state !== 'last'; state = await reader.tells()) {
      told.push(Number(state));
    }
    // In order and without a gap to the last one, so with every one that was acknowledged, once.
    same(told, told.map((_, number) => number), 'the states told');
    const last = acknowledged.at(-1) ?? -1;
    check(told.length > last, `${last} was acknowledged, ${told.length} were told`);
    await reader.leaves();
  }],
  ['the server killed while the client is away', async (test) => {
    const reader = await test.reads();
    await test.write('a');
    await reader.tells('a');
    await reader.away();
    await test.write('b');
    await please('restart');
    await test.write('c');
    await reader.back(true);
    await reader.tells('b', 'c');
    await reader.leaves();
  }],
  ['what a snapshot showed does not follow it', async (test) => {
    const reader = await test.reads({ namespace: '/' });
    await test.write('a', 'b');
    const { success } = await reader.peer.ask('subscribe_entities', { entity_ids: [test.entity_id] });
    check(success, 'it subscribes');
    await reader.away();
    await test.write('c');
    await reader.back(true);
    await reader.tells('c');
    await reader.leaves();
  }],
  ['two come back with one pid', async (test) => {
    const reader = await test.reads();
    await test.write('a');
    await reader.tells('a');
    const { _pid: pid, _lastOffset: offset } = reader.peer.socket;
    await please('cut');
    await reader.peer.loses();
    reader.peer.close();
    await please('mend');
    const auth = { token: test.reader, recover: true, pid, offset };
    const both = await Promise.all([1, 2].map(() => RawClient.connect(test.direct, '/states', auth)));
    // Either only one is given it, or the one that was given it first is ended.
    const owners = both.filter((one) => one.pid === pid);
    check(owners.length > 0, `one of them goes on: ${short(both.map((one) => one.pid))}`);
    if (owners.length === 2) await Promise.race(owners.map((one) => one.ended));
    const there = await Promise.all(owners.map((one) => one.isThere()));
    same(there.filter(Boolean).length, 1, 'connections with that pid');
    for (const one of both) one.close();
  }],
  ['somebody else with the pid', async (test) => {
    const reader = await test.reads();
    await test.write('a');
    await reader.tells('a');
    const { _pid: pid, _lastOffset: offset } = reader.peer.socket;
    await reader.away();
    await test.write('b');
    const auth = { token: test.other, recover: true, pid, offset };
    const thief = await RawClient.connect(test.direct, '/states', auth);
    thief.close();
    check(thief.pid !== pid && typeof thief.pid === 'string', `the pid is ${short(thief.pid)}`);
    // And it is still there for its owner.
    await reader.back(true);
    await reader.tells('b');
    await reader.leaves();
  }],
  ['pids and offsets that nobody was given', async (test) => {
    const known = await RawClient.connect(test.direct, '/states', { token: test.reader, recover: true });
    for (const pid of ['', 'x'.repeat(20), 7, null, { a: 1 }]) {
      const auth = { token: test.reader, recover: true, pid, offset: 'nobody' };
      const stranger = await RawClient.connect(test.direct, '/states', auth);
      check(stranger.pid !== pid && stranger.pid !== known.pid, `${short(pid)} was recovered`);
      stranger.close();
    }
    known.close();
  }],
  ['who left by itself is somebody new', async (test) => {
    const reader = await test.reads();
    await test.write('a');
    await reader.tells('a');
    reader.peer.socket.disconnect();
    await reader.peer.hears('disconnect', 'io client disconnect');
    await test.write('b');
    reader.peer.socket.connect();
    await reader.returned(false);
    await reader.leaves();
  }],
  ['idle beyond what is in memory', async (test) => {
    const reader = await test.reads();
    await test.write('a');
    await reader.tells('a');
    await reader.away();
    await test.write('b');
    const writer = await new Dialer(CLIENT, 'websocket').connect(test.direct, { auth: test.admin });
    const numbers = Array.from({ length: BEYOND_MEMORY }, (_, number) => String(number));
    const rows = numbers.map((state) => ({ entity_id: 'lock.of_others', state }));
    // A server that is asked for too much at once refuses some.
    for (let from = 0; from < rows.length; from += AT_ONCE) {
      const some = rows.slice(from, from + AT_ONCE);
      const answers = await Promise.all(some.map((one) => writer.ask('states:create', one)));
      check(answers.every(({ success }) => success), 'the rows of others are written');
    }
    writer.close();
    await test.write('c');
    await reader.back(true);
    await reader.tells('b', 'c');
    await reader.leaves();
  }],
  ['away beyond the retained window', async (test) => {
    const reader = await test.reads();
    await test.write('a');
    await reader.tells('a');
    await reader.away();
    // The newest is kept, so it is the one before that is missing.
    await test.write('b', 'c');
    await please('forget');
    await reader.back(false);
    await reader.quiet();
    await test.write('d');
    await reader.tells('d');
    // From here on it recovers again.
    await reader.away();
    await test.write('e');
    await reader.back(true);
    await reader.tells('e');
    await reader.leaves();
  }],
  ['revoked while away', async (test) => {
    const reader = await test.reads();
    await test.write('a');
    await reader.tells('a');
    await reader.away();
    await please('revoke');
    await please('mend');
    await reader.peer.hears('connect_error', 'token invalid, expired or revoked');
    check(!reader.peer.socket.active, 'the client takes it as final');
  }],
];

/** What a row works with: an entity of its own, and who writes and reads it. */
class Test {
  constructor(values, entity_id) {
    Object.assign(this, values, { entity_id, dial: new Dialer(CLIENT, values.transport) });
    this.admin = { token: values.token };
  }

  /** The event that announces a state of the entity. */
  changed(state) {
    return { entity_id: this.entity_id, new_state: { state, attributes: {} } };
  }

  /** Writes states, past the proxy; they are durable when this returns. */
  async write(...states) {
    const writer = await new Dialer(CLIENT, 'websocket').connect(this.direct, { auth: this.admin });
    for (const state of states) {
      const { success } = await writer.ask('states:create', { entity_id: this.entity_id, state });
      check(success, `the state ${state} is written`);
    }
    writer.close();
  }

  /** Somebody who reads, and asked to be recovered. */
  async reads({ namespace = '/states', manager, recover = true } = {}) {
    const auth = { token: this.reader, recover };
    return new Reader(this, await this.dial.connect(this.address, { namespace, auth, manager }));
  }
}

/** A connection that may be cut, and what it was told. */
class Reader {
  #offsets = new Set();

  constructor(test, peer) {
    this.test = test;
    this.peer = peer;
    this.#whoNow();
  }

  #whoNow() {
    const { id, _pid: pid } = this.peer.socket;
    Object.assign(this, { id, pid });
  }

  /** Loses its connection, and cannot come back. */
  async away() {
    await please('cut');
    await this.peer.loses();
  }

  /** Comes back by itself, recovered or as somebody new. */
  async back(recovered) {
    await please('mend');
    await this.returned(recovered);
  }

  async returned(recovered) {
    const { id, pid } = this;
    // What was missed may come on either side of the packet that says so.
    await this.peer.passes('connect');
    const { socket } = this.peer;
    same(Boolean(socket.recovered), recovered, 'recovered');
    same(socket.id === id, recovered, 'whether it has its old id');
    if (pid !== undefined) same(socket._pid === pid, recovered, 'whether it has its old pid');
    await this.peer.upgraded();
    this.#whoNow();
  }

  /** Throws unless it is told these states of the entity next, in this order; without any, gives the next one. */
  async tells(...states) {
    if (states.length === 0) return this.told(...(await this.peer.next()));
    for (const state of states) same(await this.tells(), state, 'the state told');
  }

  /** The state in an event of the entity, which must bear an offset that no other bore. */
  told(...what) {
    const [name, data, offset, ...more] = what;
    same([name, more], ['state_changed', []], `what happens next, ${short(what)}`);
    same(data, this.test.changed(data?.new_state?.state), 'the event');
    check(typeof offset === 'string' && !this.#offsets.has(offset), `the offset is ${short(offset)}`);
    this.#offsets.add(offset);
    return data.new_state.state;
  }

  /** Throws if it was told more than was asked for. An acknowledgement bears no offset. */
  quiet() {
    return this.peer.settles();
  }

  async leaves() {
    await this.quiet();
    this.peer.close();
  }
}

/** A connection to one namespace, spoken by hand over WebSocket. */
class RawClient {
  #socket;
  #namespace;

  constructor(socket, namespace, pid) {
    this.pid = pid;
    this.#socket = socket;
    this.#namespace = namespace;
    /** Resolves when the connection is gone, or the namespace. */
    this.ended = new Promise((resolve) => {
      socket.once('close', resolve);
      socket.on('message', (data) => data.toString() === `41${namespace},` && resolve());
    });
  }

  /** What a server makes of a CONNECT to a namespace. */
  static connect(address, namespace, auth) {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(`ws://${address}/socket.io/?EIO=4&transport=websocket`);
      const expected = `40${namespace},`;
      socket.on('error', reject);
      socket.on('message', function first(data) {
        const packet = data.toString();
        if (packet.startsWith('0')) {
          socket.send(`${expected}${JSON.stringify(auth)}`);
        } else if (packet.startsWith(expected)) {
          socket.off('message', first);
          const { pid } = JSON.parse(packet.slice(expected.length));
          resolve(new RawClient(socket, namespace, pid));
        } else {
          reject(new Error(`expected ${expected}, got ${packet}`));
        }
      });
    });
  }

  /** Whether it is answered, rather than ended. */
  isThere() {
    const answered = new Promise((resolve) => {
      this.#socket.on('message', (data) => data.toString().startsWith(`43${this.#namespace},7[`) && resolve(true));
    });
    this.#socket.send(`42${this.#namespace},7["states:get",{"entity_id":"sensor.that_nobody_has"}]`);
    return Promise.race([answered, this.ended.then(() => false)]);
  }

  close() {
    this.#socket.close();
  }
}

await script(90, OPTIONS, async (values) => {
  for (const [number, [name, play]] of ROWS.entries()) {
    doing(`at "${name}"`);
    await play(new Test(values, `light.row_${number}`));
  }
  return `ok: recovery over ${values.transport} in ${ROWS.length} cases`;
});
