// What a paired client with the unmodified socket.io-client 4.8 can ask for beyond the document: to acknowledge events
// (`auth.ack`), to be recovered (`auth.recover`), and to hear what comes at once as one event (`auth.batch`). Every
// step of the table below, in its order.
//
//   node acknowledged.mjs --transport polling|websocket|upgrade --address HOST:PORT --direct HOST:PORT --token ADMIN
//
// `--address` leads to the server through a proxy, `--direct` past it. It prints these requests and goes on at `done`:
// `please cut`, `please mend`: the proxy drops its connections and takes no new ones; takes them again;
// `please restart`: the server is killed by SIGKILL and started again on its port.

import { Admin, REVOKED, areaEvent, greeting } from '../admin.mjs';
import { check, doing, keys, same, script, short } from '../client.mjs';
import { Dialer, please } from './peer.mjs';

const CLIENT = 'socket.io-client-4.8';
const text = { type: 'string', required: true };
const OPTIONS = { transport: text, direct: text };

const STEPS = [
  ['who asks for nothing is asked for nothing', async (test) => {
    const screen = await test.screen({});
    await test.admin.changes(test.area.id, {});
    const [name, data, ...more] = await screen.peer.next();
    same([name, more], ['area_updated', []], 'what happens next');
    areaEvent(data, 'updated', test.area);
    await screen.returns();
    await screen.leaves();
  }],
  ['what is acknowledged is told once', async (test) => {
    const screen = await test.screen({ ack: true });
    for (const happened of ['updated', 'enabled', 'disabled', 'added', 'removed']) {
      screen.peer.socket.on(`area_${happened}`, (data, callback) => callback());
    }
    const eventIds = [];
    for (const [happened, area] of await test.everything(screen)) {
      eventIds.push((await screen.asked(happened, area)).eventId);
    }
    same(new Set(eventIds).size, eventIds.length, 'different ids');
    await screen.settled();
    await screen.returns();
    await screen.leaves();
  }],
  ['what is not acknowledged is told on the next connection', async (test) => {
    const screen = await test.screen({ ack: true });
    const all = await test.everything(screen);
    const told = [];
    for (const [happened, area] of all) told.push(await screen.asked(happened, area));
    // One of them is acknowledged, and none of the others by that.
    told[2].callback();
    await screen.settled();
    await screen.returns();
    const again = [];
    for (const at of [0, 1, 3, 4, 5]) {
      const { eventId, callback } = await screen.asked(...all[at]);
      same(eventId, told[at].eventId, 'the id of what is told again');
      again.push(callback);
    }
    // In whatever order they are acknowledged.
    again.reverse().forEach((callback) => callback());
    await screen.settled();
    await screen.returns();
    await screen.leaves();
  }],
  ['what is not acknowledged is told again on this connection', async (test) => {
    const screen = await test.screen({ ack: true });
    await test.admin.changes(test.area.id, {});
    const first = await screen.asked('updated', test.area);
    const second = await screen.asked('updated', test.area);
    same(second.eventId, first.eventId, 'the id of what is told again');
    second.callback();
    await screen.settled();
    await screen.returns();
    await screen.leaves();
  }],
  ['what happened while nobody was there waits', async (test) => {
    const screen = await test.screen({ ack: true });
    await screen.away();
    await test.admin.changes(test.area.id, { name: 'Pantry' });
    await test.admin.changes(test.area.id, { name: 'Larder' });
    await screen.back();
    for (const name of ['Pantry', 'Larder']) (await screen.asked('updated', { ...test.area, name })).callback();
    await screen.settled();
    await screen.returns();
    await screen.leaves();
  }],
  ['one connection acknowledges for all of its client', async (test) => {
    const screens = [];
    for (const namespace of ['/', '/areas']) screens.push(await test.screen({ ack: true }, { namespace }));
    await test.admin.changes(test.area.id, {});
    const told = [];
    for (const screen of screens) told.push(await screen.asked('updated', test.area));
    same(told[0].eventId, told[1].eventId, 'the ids of one event');
    told[0].callback();
    await screens[0].settled();
    // Both go and come at once.
    await please('cut');
    for (const screen of screens) await screen.peer.loses();
    await please('mend');
    for (const screen of screens) await screen.returned(false);
    for (const screen of screens) await screen.leaves();
  }],
  ['the server is killed', async (test) => {
    const screen = await test.screen({ ack: true });
    await test.admin.changes(test.area.id, { name: 'Pantry' });
    await test.admin.changes(test.area.id, { name: 'Larder' });
    const [pantry, larder] = ['Pantry', 'Larder'].map((name) => ({ ...test.area, name }));
    (await screen.asked('updated', pantry)).callback();
    const { eventId } = await screen.asked('updated', larder);
    await screen.settled();
    await screen.away();
    await please('restart');
    await screen.back();
    const again = await screen.asked('updated', larder);
    same(again.eventId, eventId, 'the id of what is told again');
    again.callback();
    await screen.settled();
    await screen.returns();
    await screen.leaves();
  }],
  ['the end is acknowledged too', async (test) => {
    for (const acknowledges of [true, false]) {
      const screen = await test.screen({ ack: true });
      await test.admin.revokes(screen.clientId);
      const [name, data, callback, ...more] = await screen.peer.next();
      same([name, typeof callback, more], ['token_revoked', 'function', []], 'what happens next');
      const { eventId, ...told } = data;
      same([Object.keys(data), told, typeof eventId], [['message', 'eventId'], REVOKED, 'string'], name);
      if (acknowledges) callback();
      await screen.peer.hears('disconnect', 'io server disconnect');
      check(!screen.peer.socket.active, 'the client takes it as final');
      screen.peer.close();
    }
  }],
  ['revoked while nobody was there', async (test) => {
    const screen = await test.screen({ ack: true, recover: true });
    await screen.away();
    await test.admin.revokes(screen.clientId);
    await please('mend');
    await screen.peer.hears('connect_error', 'token invalid, expired or revoked');
    check(!screen.peer.socket.active, 'the client takes it as final');
    screen.peer.close();
  }],
  ...['/', '/areas'].map((namespace) => [`recovered in ${namespace}`, async (test) => {
    const screen = await test.screen({ recover: true }, { namespace });
    await test.admin.changes(test.area.id, { name: 'before' });
    await screen.bears('updated', { ...test.area, name: 'before' });
    await screen.away();
    const all = await test.everything(screen, { ...test.area, name: 'before' });
    await screen.back(true);
    for (const [happened, area] of all) await screen.bears(happened, area);
    await test.admin.changes(test.area.id, { name: 'after' });
    await screen.bears('updated', { ...test.area, name: 'after' });
    await screen.leaves();
  }]),
  ['recovered from before any event, and what it may hear is as it is now', async (test) => {
    const screen = await test.screen({ recover: true });
    const other = await test.admin.makes('Hall', ['light.hall']);
    await screen.away();
    await test.admin.unassigns(screen.clientId, test.area.id);
    await test.admin.changes(test.area.id, { name: 'not for this one any more' });
    await test.admin.assigns(screen.clientId, other.id);
    await test.admin.changes(other.id, { name: 'Corridor' });
    await screen.back(true);
    await screen.bears('removed', test.area);
    await screen.bears('added', other);
    await screen.bears('updated', { ...other, name: 'Corridor' });
    await screen.leaves();
  }],
  ['recovered after the server was killed', async (test) => {
    const screen = await test.screen({ recover: true });
    await test.admin.changes(test.area.id, { name: 'one' });
    await screen.bears('updated', { ...test.area, name: 'one' });
    await screen.away();
    await test.admin.changes(test.area.id, { name: 'two' });
    await please('restart');
    await test.admin.changes(test.area.id, { name: 'three' });
    await screen.back(true);
    for (const name of ['two', 'three']) await screen.bears('updated', { ...test.area, name });
    await screen.leaves();
  }],
  ['recovered, and acknowledges', async (test) => {
    const screen = await test.screen({ recover: true, ack: true });
    for (const name of ['one', 'two']) await test.admin.changes(test.area.id, { name });
    (await screen.asked('updated', { ...test.area, name: 'one' })).callback();
    const { eventId } = await screen.asked('updated', { ...test.area, name: 'two' });
    await screen.settled();
    await screen.away();
    await test.admin.changes(test.area.id, { name: 'three' });
    await please('restart');
    await screen.back(true);
    const again = await screen.asked('updated', { ...test.area, name: 'two' });
    same(again.eventId, eventId, 'the id of what is told again');
    again.callback();
    (await screen.asked('updated', { ...test.area, name: 'three' })).callback();
    await screen.settled();
    await screen.returns(true);
    await screen.leaves();
  }],
  ['follows its entities and its areas, and is recovered in both', async (test) => {
    const entity = 'light.kitchen';
    const on = (state) => ({ entity_id: entity, new_state: { state, attributes: {} } });
    await test.admin.sets(entity, 'on');
    const screen = await test.screen({ recover: true });
    const wanted = { entity_ids: [entity, 'light.hall'] };
    const { success, data } = await screen.peer.socket.emitWithAck('subscribe_entities', wanted);
    same([success, data.map((row) => [row.entity_id, row.state])], [true, [[entity, 'on']]], 'the snapshot');
    await screen.away();
    await test.admin.sets('light.hall', 'on');
    await test.admin.sets(entity, 'off');
    await test.admin.changes(test.area.id, { name: 'Pantry' });
    await test.admin.sets(entity, 'dim');
    await screen.back(true);
    await screen.follows(on('off'));
    await screen.bears('updated', { ...test.area, name: 'Pantry' });
    await screen.follows(on('dim'));
    await test.admin.toggles(test.area.id);
    await screen.bears('disabled', { ...test.area, name: 'Pantry', isEnabled: false });
    await test.admin.sets(entity, 'unseen');
    await screen.leaves();
  }],
  ...[false, true].map((recover) => [`told at once, ${recover ? 'with' : 'without'} a place in the log`, async (test) => {
    const screen = await test.screen({ batch: true, recover });
    const more = [];
    for (const name of ['Hall', 'Attic']) {
      more.push(await test.admin.makes(name, []));
      await test.admin.assigns(screen.clientId, more.at(-1).id);
      await screen.single('added', more.at(-1));
    }
    const areas = [test.area, ...more].map((area) => ({ ...area, name: `${area.name} anew`, isEnabled: false }));
    await test.admin.changesAll(areas.map(({ id, name, isEnabled }) => ({ id, name, isEnabled })));
    const events = areas.flatMap((area) => [['updated', area], ['disabled', area]]);
    await screen.batch(events);
    if (recover) {
      await screen.away();
      const all = await test.everything(screen, areas[0]);
      await screen.back(true);
      await screen.batch(all);
    }
    await test.admin.changes(more[0].id, { name: 'Hall' });
    await screen.single('updated', { ...areas[1], name: 'Hall' });
    await screen.leaves();
  }]),
  ['what is acknowledged comes one by one', async (test) => {
    const { token } = await test.admin.pairs('Tablet', []);
    const peer = test.dial.peer(test.address, { auth: { token, ack: true, batch: true } });
    await peer.hears('connect_error', 'auth.batch: what is acknowledged comes one by one');
    peer.close();
  }],
];

/** What a step works with: an area of its own, and who looks after it. */
class Test {
  constructor(values, admin, area) {
    Object.assign(this, { address: values.address, admin, area, dial: new Dialer(CLIENT, values.transport) });
  }

  /** A new screen that has the area, and asked for this. */
  async screen(wishes, { namespace = '/' } = {}) {
    this.paired ??= await this.admin.pairs('Tablet', [this.area.id]);
    const { token, clientId } = this.paired;
    // What has ended is not connected again.
    if ((await this.admin.client(clientId)).revoked) {
      delete this.paired;
      return this.screen(wishes, { namespace });
    }
    const peer = await this.dial.connect(this.address, { namespace, auth: { token, ...wishes } });
    return new Screen(this, peer, clientId, wishes).greeted();
  }

  /**
   * Has everything happen to the area, and be undone: what that is to who has it. It is taken away first: what came
   * before that is not told again.
   */
  async everything({ clientId }, area = this.area) {
    const [turned, back] = area.isEnabled ? ['disabled', 'enabled'] : ['enabled', 'disabled'];
    const named = { ...area, name: `${area.name}!` };
    await this.admin.unassigns(clientId, area.id);
    await this.admin.assigns(clientId, area.id);
    await this.admin.changes(area.id, { name: named.name });
    await this.admin.toggles(area.id);
    await this.admin.toggles(area.id);
    await this.admin.changes(area.id, { name: area.name });
    return [
      ['removed', area],
      ['added', area],
      ['updated', named],
      [turned, { ...named, isEnabled: !area.isEnabled }],
      [back, named],
      ['updated', area],
    ];
  }
}

/** A connection of a paired client that may be cut. */
class Screen {
  #offsets = new Set();

  constructor(test, peer, clientId, { recover = false }) {
    Object.assign(this, { test, peer, clientId, recover });
  }

  async greeted() {
    const [name, data, ...more] = await this.peer.next();
    same(name, 'connected', 'what happens next');
    greeting(data, this.clientId);
    this.#places(more);
    return this;
  }

  /** Who may be recovered is told an offset that it was not told before, others are told nothing more. */
  #places(more) {
    same(more.map((one) => typeof one), this.recover ? ['string'] : [], 'what follows the payload');
    for (const offset of more) this.#offsets.add(offset);
  }

  /** Loses its connection, and cannot come back. */
  async away() {
    this.id = this.peer.socket.id;
    await please('cut');
    await this.peer.loses();
  }

  /** Comes back by itself, recovered or as somebody new. */
  async back(recovered = false) {
    await please('mend');
    await this.returned(recovered);
  }

  async returned(recovered) {
    await this.peer.passes('connect');
    const { socket } = this.peer;
    same(Boolean(socket.recovered), recovered, 'recovered');
    if (this.id) same(socket.id === this.id, recovered, 'whether it has its old id');
    // Each connection is greeted, a recovered one too.
    await this.greeted();
    await this.peer.upgraded();
  }

  async returns(recovered = false) {
    await this.away();
    await this.back(recovered);
  }

  /** Throws unless this happened next, and is to be acknowledged: its id, and what acknowledges it. */
  async asked(happened, area) {
    const [name, data, callback, ...more] = await this.peer.next();
    same([name, typeof callback, more], [`area_${happened}`, 'function', []], `what happens next, ${short(data)}`);
    areaEvent(data, happened, area, ['eventId']);
    check(typeof data.eventId === 'string', `eventId is ${short(data.eventId)}`);
    return { eventId: data.eventId, callback };
  }

  /** Throws unless this happened next, with a place in the log. */
  async bears(happened, area) {
    check(this.recover, 'only who asked to be recovered is told a place');
    await this.single(happened, area);
  }

  /** Throws unless this happened next, as an event of its own. */
  async single(happened, area) {
    const [name, data, ...more] = await this.peer.next();
    same(name, `area_${happened}`, `what happens next, ${short(data)}`);
    areaEvent(data, happened, area);
    this.#places(more);
  }

  /** Throws unless this change of a state is what is told next. */
  async follows(change) {
    const [name, data, ...more] = await this.peer.next();
    same([name, data], ['state_changed', change], 'what happens next');
    this.#places(more);
  }

  /** Throws unless these happened next, told at once. */
  async batch(expected) {
    const [name, data, ...more] = await this.peer.next();
    same(name, 'batch', `what happens next, ${short(data)}`);
    keys(data, ['events'], name);
    same(data.events.map(({ type }) => type), expected.map(([happened]) => `area_${happened}`), 'what is told at once');
    for (const [at, [happened, area]] of expected.entries()) {
      const { type, ...event } = data.events[at];
      same(Object.keys(data.events[at])[0], 'type', 'the first key');
      areaEvent(event, happened, area);
    }
    this.#places(more);
  }

  /** Returns once what was acknowledged is known for good; throws if more was told than was asked for. */
  async settled() {
    await this.peer.settles();
    // What is written later is written once that is.
    await this.test.admin.makes('Elsewhere', []);
  }

  async leaves() {
    await this.peer.settles();
    this.peer.close();
  }
}

await script(90, OPTIONS, async (values) => {
  const admin = new Admin({ address: values.direct, token: values.token });
  for (const [name, play] of STEPS) {
    doing(`at "${name}"`);
    await play(new Test(values, admin, await admin.makes('Kitchen', ['light.kitchen'])));
  }
  return `ok: acknowledged and recovered over ${values.transport} in ${STEPS.length} steps`;
});
