// What a program with `socket.io-client` does at a server: every step of the table below, in its order.
//
//   node javascript.mjs --client socket.io-client-4.8 --transport polling|websocket|upgrade
//     --address HOST:PORT --conformance HOST:PORT --token ADMIN --reader TOKEN
//
// `--address` leads to a server with states through a proxy, `--conformance` to `bellwire conformance-server`.
// It prints `please cut`, `please mend` and `please revoke`, and goes on at the line `done`: the proxy drops its
// connections and takes no new ones, takes them again, the token `--reader` is revoked.

import { check, doing, keys, row, same, script } from '../client.mjs';
import { Dialer, please } from './peer.mjs';

const text = { type: 'string', required: true };
const OPTIONS = { client: text, transport: text, conformance: text, reader: text };

/** No events of these names are known. */
const UNKNOWN = ['states:rename', 'nobody_knows_this'];
/** Requests of the burst that a client sends as soon as it is connected. */
const BURST = 50;

const STEPS = [
  ['refused without a token', async ({ dial, address }) => {
    const peer = dial.peer(address, {});
    await peer.hears('connect_error', 'authentication required');
    check(!peer.socket.connected, 'a refused client is not connected');
    // Clients before 4.1 keep the transport open.
    peer.close();
  }],
  ['refused with a bad token', async ({ dial, address }) => {
    const peer = dial.peer(address, { namespace: '/states', auth: { token: 'x.y.z' } });
    await peer.hears('connect_error', 'token invalid, expired or revoked');
    check(!peer.socket.connected, 'a refused client is not connected');
    // Clients before 4.1 keep the transport open.
    peer.close();
  }],
  ['a burst right after connecting', async ({ dial, address, auth }) => {
    // An upgrade goes on meanwhile; nothing is lost and the order stays.
    const peer = dial.peer(address, { auth });
    const entities = Array.from({ length: BURST }, (_, n) => `light.nobody_${n}`);
    const order = [];
    const answers = entities.map(async (entity_id) => {
      const { error } = await peer.ask('states:get', { entity_id });
      order.push(error);
    });
    await Promise.all(answers);
    same(order, entities.map((entity_id) => `State not found: ${entity_id}`), 'the order of the answers');
    await peer.hears('connect');
    await peer.upgraded();
    peer.close();
  }],
  ['acknowledged, and heard by another', async ({ dial, address, auth, entity_id }) => {
    const writer = await dial.connect(address, { auth });
    const listener = await dial.connect(address, { namespace: '/states', auth });
    const on = { entity_id, state: 'on', attributes: { brightness: 100, name: 'Küche "2" 💡' } };
    const created = succeeds(await writer.ask('states:create', on), on, 'states:create');
    await listener.hears('state_changed', changed(on));
    const got = succeeds(await writer.ask('states:get', { entity_id }), on, 'states:get');
    same(got, created, 'the row read and the row created');
    const off = { entity_id, state: 'off', attributes: {} };
    const { state_id } = created;
    const update = { state_id, state: 'off', attributes: {} };
    succeeds(await writer.ask('states:update', update), off, 'states:update');
    await listener.hears('state_changed', changed(off));
    const message = `State ${state_id} deleted successfully`;
    same(await writer.ask('states:delete', { state_id }), { success: true, message }, 'states:delete');
    await listener.hears('state_changed', { entity_id, new_state: null });
    await listener.settles();
    for (const peer of [writer, listener]) peer.close();
  }],
  ['refusals are acknowledged', async ({ dial, address, auth, entity_id }) => {
    const peer = await dial.connect(address, { auth });
    const rows = [
      ['states:get', { entity_id }],
      ['states:update', { state_id: 1_000_000, state: 'on' }],
      ['states:delete', { state_id: 1_000_000 }],
      ['states:create', { entity_id: 'no dot', state: 'on' }],
      ['states:create', { entity_id }],
      [UNKNOWN[0], { entity_id }],
      [UNKNOWN[1], 'a text', 1],
    ];
    for (const [event, ...args] of rows) refuses(await peer.ask(event, ...args), event);
    await peer.settles();
    peer.close();
  }],
  ['answered by an event', async ({ dial, address, auth, entity_id }) => {
    const peer = await dial.connect(address, { namespace: '/states', auth });
    const on = { entity_id, state: 'on', attributes: {} };
    const { state_id } = succeeds(await peer.ask('states:create', on), on, 'states:create');
    await peer.hears('state_changed', changed(on));
    peer.socket.emit('states:get', { entity_id });
    const [event, answer, ...more] = await peer.next();
    same([event, more], ['states:get:response', []], 'the answer by an event');
    succeeds(answer, on, event);
    peer.socket.emit('states:get', { entity_id: 'light.nobody_has_it' });
    const [refusal, why] = await peer.next();
    same(refusal, 'states:get:response', 'the refusal by an event');
    refuses(why, refusal);
    // Nobody can be told about these, and nothing else happens.
    peer.socket.emit('nobody_knows_this', { state_id });
    await peer.settles();
    peer.close();
  }],
  ['two namespaces on one connection', async ({ dial, address, auth, entity_id }) => {
    const manager = dial.manager(address);
    const root = await dial.connect(address, { auth, manager });
    const states = await dial.connect(address, { namespace: '/states', auth, manager });
    check(root.socket.id !== states.socket.id, 'each namespace has an id of its own');
    const writer = await dial.connect(address, { namespace: '/states', auth });
    const rows = ['1', '2', '3'].map((state) => ({ entity_id, state, attributes: {} }));
    succeeds(await writer.ask('states:create', rows[0]), rows[0], 'states:create');
    // The first packet about states makes `/` hear them; `/states` hears them at once. What this connection has been
    // told, in whichever namespace, happened before that packet.
    await states.hears('state_changed', changed(rows[0]));
    await root.settles();
    succeeds(await writer.ask('states:create', rows[1]), rows[1], 'states:create');
    await states.hears('state_changed', changed(rows[1]));
    await root.hears('state_changed', changed(rows[1]));
    await root.settles();
    // One of them goes, the other one stays.
    states.socket.disconnect();
    await states.hears('disconnect', 'io client disconnect');
    succeeds(await writer.ask('states:create', rows[2]), rows[2], 'states:create');
    await root.hears('state_changed', changed(rows[2]));
    await root.settles();
    states.socket.connect();
    await states.hears('connect');
    await states.settles();
    for (const peer of [root, writer]) peer.close();
  }],
  ['no such namespace', async ({ dial, address, auth }) => {
    const manager = dial.manager(address);
    const root = await dial.connect(address, { auth, manager });
    const nobody = dial.peer(address, { namespace: '/nobody', auth, manager });
    await nobody.hears('connect_error', 'Invalid namespace');
    await root.settles();
    root.close();
  }],
  ['back after a cut', async ({ dial, address, auth, entity_id }) => {
    const peer = await dial.connect(address, { auth });
    await peer.settles();
    const { id } = peer.socket;
    await please('cut');
    await peer.loses();
    check(peer.socket.active, 'the client comes back by itself');
    await please('mend');
    await peer.hears('connect');
    check(peer.socket.id !== id, 'without recovery it is somebody new');
    await peer.upgraded();
    await peer.settles();
    const on = { entity_id, state: 'back', attributes: {} };
    succeeds(await peer.ask('states:create', on), on, 'states:create');
    await peer.hears('state_changed', changed(on));
    await peer.settles();
    peer.close();
  }],
  ['leaves by itself', async ({ dial, address, auth }) => {
    const peer = await dial.connect(address, { auth });
    const closed = new Promise((resolve) => peer.socket.io.once('close', resolve));
    peer.socket.disconnect();
    await peer.hears('disconnect', 'io client disconnect');
    // Its only namespace is gone, and with it the connection.
    await closed;
    peer.socket.connect();
    await peer.hears('connect');
    await peer.settles();
    peer.close();
  }],
  ['arguments of all kinds, both ways', async ({ dial, conformance }) => {
    for (const namespace of ['/', '/custom']) {
      const auth = { token: '123', nested: { text: 'ä', list: [1, null, true] } };
      const peer = await dial.connect(conformance, { namespace, auth });
      await peer.hears('auth', auth);
      if (namespace === '/custom') {
        peer.close();
        continue;
      }
      for (const args of ARGUMENTS) {
        peer.socket.emit('message', ...args);
        same(plain(await peer.next()), plain(['message-back', ...args]), 'message-back');
        const back = await new Promise((resolve) => {
          peer.socket.emit('message-with-ack', ...args, (...back) => resolve(back));
        });
        same(plain(back), plain(args), 'the acknowledgement of message-with-ack');
      }
      peer.close();
    }
    const nobody = dial.peer(conformance, { namespace: '/random' });
    await nobody.hears('connect_error', 'Invalid namespace');
    nobody.close();
  }],
  ['the server asks for acknowledgements', async ({ dial, conformance }) => {
    const peer = await dial.connect(conformance, { auth: {} });
    await peer.hears('auth', {});
    for (const [number, answer] of ARGUMENTS.entries()) {
      peer.socket.once('emit-with-ack', (...asked) => asked.pop()(...answer));
      peer.socket.emit('emit-with-ack', 'a question', { number });
      const [event, ...asked] = await peer.next();
      check(typeof asked.pop() === 'function', 'the server asks for an acknowledgement');
      same([event, ...asked], ['emit-with-ack', 'a question', { number }], 'what the server asks');
      same(plain(await peer.next()), plain(['acked', ...answer]), 'what the server was acknowledged with');
    }
    peer.close();
  }],
  ['put out when the token is revoked', async ({ dial, address, reader }) => {
    const manager = dial.manager(address);
    const auth = { token: reader };
    const peers = [];
    for (const namespace of ['/', '/states']) {
      peers.push([namespace, await dial.connect(address, { namespace, auth, manager })]);
    }
    await please('revoke');
    for (const [namespace, peer] of peers) {
      const [event, told] = await peer.next();
      same(event, 'error', 'what is told');
      same(told.error, 'token revoked', 'why');
      // On / as chat says it, whose namespace that is first.
      same(told.code, namespace === '/' ? 'UNAUTHENTICATED' : undefined, 'the code');
      await peer.hears('disconnect', 'io server disconnect');
      check(!peer.socket.active, 'the client takes it as final');
    }
    const late = dial.peer(address, { auth });
    await late.hears('connect_error', 'token invalid, expired or revoked');
    late.close();
  }],
];

/** What is sent to and fro: rows of arguments. */
const ARGUMENTS = [
  [],
  [1, '2', null, { three: [true, 'vier', -5.5] }],
  ['a "text"\u2028 with 💡', ''],
  [Buffer.from([1, 2, 3])],
  [{ first: Buffer.from([0, 255]), list: ['x', [Buffer.from([])]] }, 'then', Buffer.alloc(10_000, 7)],
];

/** The event that announces a row. */
function changed({ entity_id, state, attributes }) {
  return { entity_id, new_state: { state, attributes } };
}

/** Throws unless `reply` is a success with such a row, which it gives. */
function succeeds(reply, wanted, what) {
  keys(reply, ['success', 'data'], what);
  same(reply.success, true, what);
  row(reply.data, wanted, what);
  return reply.data;
}

/** Throws unless `reply` is a refusal. */
function refuses(reply, what) {
  // What means nothing is refused on `/` as chat says it.
  if (UNKNOWN.includes(what)) return keys(reply, ['error', 'code', 'timestamp'], what);
  keys(reply, ['success', 'error'], what);
  same([reply.success, typeof reply.error], [false, 'string'], what);
}

/** A value in which bytes of any type are Buffers. */
function plain(value) {
  if (value instanceof Uint8Array || value instanceof ArrayBuffer) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

await script(60, OPTIONS, async ({ address, token, client, transport, conformance, reader }) => {
  const dial = new Dialer(client, transport);
  for (const [number, [name, play]] of STEPS.entries()) {
    doing(`at "${name}"`);
    const entity_id = `light.step_${number}`;
    await play({ dial, address, conformance, reader, auth: { token }, entity_id });
  }
  return `ok: ${client} over ${transport} played ${STEPS.length} steps`;
});
