// The protocol tester's page in Chromium, as a client of Socket.IO: every step of the table below, in its order.
//
//   node tester_socketio.mjs --transport polling|websocket|upgrade --address HOST:PORT --direct HOST:PORT
//     --conformance HOST:PORT --token ADMIN --reader TOKEN
//
// `--address` leads to a server with states through a proxy, `--direct` past it, `--conformance` to
// `bellwire conformance-server`. It prints these requests and goes on at `done`:
// `please cut`, `please mend`: the proxy drops its connections and takes no new ones; takes them again;
// `please restart`: the server is killed by SIGKILL and started again on its port;
// `please revoke`: the token `--reader` is revoked.

import { SHOWN_MS, SIZES, launch, open, shows, until } from './browser.mjs';
import { check, doing, same, script } from './client.mjs';
import { Dialer, TRANSPORTS, please } from './socketio/peer.mjs';

const text = { type: 'string', required: true };
const OPTIONS = { transport: text, direct: text, conformance: text, reader: text };

/** Who asks is told once everything before has come. */
const NOBODY = [{ entity_id: 'light.nobody_has' }];

/** As many bytes as one line of the log shows whole. */
const BYTES = Buffer.from(Array.from({ length: 200 }, (_, at) => 255 - at));

const STEPS = [
  ['bytes both ways', async ({ tab, conformance }) => {
    await tab.connects({ server: conformance, auth: { recover: true } });
    await tab.logged('in', 'event', ['auth', { recover: true }]);
    for (const args of [
      [written(Buffer.from([1, 2, 3]))],
      [{ first: written(Buffer.from([0, 255])), list: ['x', [written(Buffer.alloc(0))]] }, 'then', written(BYTES)],
    ]) {
      await tab.emits('message', args, false);
      await tab.logged('out', 'event', ['message', ...args]);
      await tab.logged('in', 'event', ['message-back', ...args]);
      await tab.emits('message-with-ack', args, true);
      await tab.logged('in', 'ack', args);
      await tab.clears();
    }
    doing('writing what is no base64');
    await tab.writes('message', [{ $bytes: '?' }]);
    await shows(tab.page, '.compose .hint[role="status"]', '"?" is no base64.', 'what is wrong');
    check(await tab.button('Send').isDisabled(), 'one can send what is no base64');
    // What has another key is an object like any other.
    const object = [{ $bytes: 'AQID', of: 'a text' }];
    await tab.emits('message', object, false);
    await tab.logged('in', 'event', ['message-back', ...object]);
    await tab.leaves();
  }],
  ['the server asks for acknowledgements', async ({ tab, conformance }) => {
    await tab.connects({ server: conformance });
    const asked = ['emit-with-ack', 'a question', { number: 1 }];
    await tab.emits(asked[0], asked.slice(1), false);
    await tab.logged('in', 'event +ack', asked);
    await tab.logged('out', 'ack', [{ success: true }]);
    await tab.logged('in', 'event', ['acked', { success: true }]);
    await tab.leaves();
  }],
  ['two namespaces in two tabs', async ({ tab, another, write, token }) => {
    await tab.connects({ token });
    const other = await another();
    await other.connects({ namespace: '/states', token });
    // The first packet about states makes `/` hear them; `/states` hears them at once.
    await write('a');
    await other.tells('a');
    await tab.settles();
    await tab.tells();
    await write('b');
    await tab.tells('b');
    await other.tells('a', 'b');
    await tab.leaves();
    await write('c');
    await other.tells('a', 'b', 'c');
    await other.settles();
    await other.tells('a', 'b', 'c');
    await other.leaves();
    await other.page.close();
  }],
  ['cut without recovery', async ({ tab, write, reader }) => {
    await tab.connects({ namespace: '/states', token: reader });
    await write('a');
    await tab.tells('a');
    await tab.away();
    await write('b');
    await tab.back('not recovered');
    await write('c');
    await tab.tells('a', 'c');
    await tab.leaves();
  }],
  ['cut, events before, between and after', async ({ tab, write, reader }) => {
    await tab.connects({ namespace: '/states', token: reader, auth: { recover: true } });
    await write('a', 'b');
    await tab.tells('a', 'b');
    await tab.away();
    await write('c', 'd');
    await tab.back('recovered');
    await write('e', 'f');
    await tab.tells('a', 'b', 'c', 'd', 'e', 'f');
    await tab.settles();
    await tab.tells('a', 'b', 'c', 'd', 'e', 'f');
    await tab.leaves();
  }],
  ['the server killed and started again', async ({ tab, write, reader }) => {
    await tab.connects({ namespace: '/states', token: reader, auth: { recover: true } });
    await write('a', 'b');
    await tab.tells('a', 'b');
    await tab.away();
    await write('c');
    await please('restart');
    await write('d');
    await tab.back('recovered');
    await write('e');
    await tab.tells('a', 'b', 'c', 'd', 'e');
    await tab.settles();
    await tab.tells('a', 'b', 'c', 'd', 'e');
    await tab.leaves();
  }],
  ['put out when the token is revoked', async ({ tab, reader }) => {
    await tab.connects({ token: reader });
    await please('revoke');
    await tab.tellsError('token revoked');
    await tab.says('disconnect', 'io server disconnect');
    await tab.condition('Not connected');
    await tab.clears();
    await tab.button('Connect').click();
    await tab.says('connect_error', 'token invalid, expired or revoked');
    await tab.condition('Not connected');
  }],
];

/** Bytes as the page takes them and shows them. */
function written(bytes) {
  return { $bytes: bytes.toString('base64') };
}

/** The tester in a tab of its own. */
class Tab {
  constructor(page, { transport, address }) {
    Object.assign(this, { page, transport, address });
  }

  static async open(context, values) {
    const { page, problems } = await open(context, `http://${values.address}/websocket-test/`);
    page.setDefaultTimeout(SHOWN_MS);
    const tab = new Tab(page, values);
    tab.problems = problems;
    await tab.button('Socket.IO').click();
    return tab;
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true });
  }

  condition(words) {
    return shows(this.page, '.controls .condition', words, 'the connection');
  }

  /** Brings it before other tabs: one behind them is hardly drawn. */
  #front() {
    return this.page.bringToFront();
  }

  clears() {
    return this.button('Clear').click();
  }

  /** Connects with an empty log, in which packets are not listed. */
  async connects({ server = this.address, namespace = '/', token = '', auth = {} }) {
    await this.clears();
    const { transport } = this;
    await this.page.getByLabel('Transport').selectOption(TRANSPORTS[transport].join());
    const fields = { Server: `http://${server}`, Namespace: namespace, Token: token, 'Auth, JSON': JSON.stringify(auth) };
    for (const [label, value] of Object.entries(fields)) await this.page.getByLabel(label, { exact: true }).fill(value);
    await this.button('Connect').click();
    await this.condition('Connected');
    await this.page.getByLabel('Packets').uncheck();
    await this.upgraded(transport);
  }

  /** Waits until the log says that it is on the transport that it was told to use. */
  upgraded(transport) {
    const words = transport === 'upgrade' ? 'now over websocket' : `over ${transport}`;
    return this.page.locator('.entry', { hasText: words }).last().waitFor();
  }

  /** Writes an event, and does not send it. */
  async writes(event, args) {
    await this.page.getByLabel('Event', { exact: true }).fill(event);
    await this.page.getByLabel('Arguments, a JSON array').fill(JSON.stringify(args));
  }

  async emits(event, args, asksForAck) {
    await this.#front();
    await this.writes(event, args);
    await this.page.getByLabel('Ask for an acknowledgement').setChecked(asksForAck);
    await this.button('Send').click();
  }

  /** Waits until this was logged; an acknowledgement that came also says how long it took. */
  logged(direction, kind, value) {
    return this.#entry(direction, kind, JSON.stringify(value));
  }

  /** Waits until an event `error` with these words was logged; it has a time, too. */
  tellsError(words) {
    const is = (words) =>
      [...document.querySelectorAll('.entry.in .text')].some(({ textContent }) => {
        if (!textContent.startsWith('["error",')) return false;
        return JSON.parse(textContent)[1].error === words;
      });
    return until(this.page, `the error "${words}" is logged`, is, words);
  }

  /** Waits until the page says this of the connection. */
  says(kind, words) {
    return this.#entry(kind === 'connect_error' ? 'error' : 'note', kind, words);
  }

  #entry(direction, kind, words) {
    const is = ([direction, kind, words]) =>
      [...document.querySelectorAll(`.entry.${direction}`)].some((entry) => {
        const shown = entry.querySelector('.kind').textContent.replace(/ [\d.]+ ms$/, '');
        return shown === kind && entry.querySelector('.text').textContent === words;
      });
    return until(this.page, `${direction} ${kind} is logged with ${words}`, is, [direction, kind, words]);
  }

  /** Waits until the events in the log are these states, in this order, each once. */
  async tells(...states) {
    await this.#front();
    const find = (expected) => {
      const found = [...document.querySelectorAll('.entry.in .text')].map((each) => each.textContent);
      const events = found.filter((each) => each.startsWith('["state_changed"')).map((each) => JSON.parse(each));
      const told = events.map(([, { new_state }]) => new_state.state);
      return JSON.stringify(told) === expected && events.map(([, , offset]) => offset ?? '');
    };
    const offsets = await until(this.page, `it was told ${states}`, find, JSON.stringify(states));
    const known = offsets.filter((offset) => offset !== '');
    same(new Set(known).size, known.length, 'offsets, each of them once');
  }

  /** Returns once everything that the server had to say is in the log. */
  async settles() {
    await this.emits('states:get', NOBODY, true);
    await this.logged('in', 'ack', [{ success: false, error: `State not found: ${NOBODY[0].entity_id}` }]);
  }

  /** Loses its connection, and cannot come back. */
  async away() {
    await please('cut');
    await until(this.page, 'it lost its connection', () =>
      document.querySelector('.controls .condition').textContent.startsWith('Reconnecting'),
    );
  }

  /** Comes back by itself, and says whether it was recovered. */
  async back(words) {
    await please('mend');
    await this.condition('Connected');
    const entries = this.page.locator('.entry.note', { has: this.page.locator('.kind', { hasText: /^connected$/ }) });
    const last = await entries.last().locator('.text').textContent();
    same(last.split(', ')[1], words, `whether it was recovered, of ${last}`);
  }

  async leaves() {
    await this.#front();
    await this.button('Disconnect').click();
    await this.condition('Not connected');
  }
}

/** Writes states of an entity, past the proxy; they are durable when this returns. */
function writer({ direct, token }, entity_id) {
  return async (...states) => {
    const peer = await new Dialer('socket.io-client-4.8', 'websocket').connect(direct, { auth: { token } });
    for (const state of states) {
      const { success } = await peer.ask('states:create', { entity_id, state });
      check(success, `the state ${state} is written`);
    }
    peer.close();
  };
}

await script(60, OPTIONS, async (values) => {
  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const tabs = [];
  const another = async () => {
    const made = await Tab.open(context, values);
    tabs.push(made);
    return made;
  };
  const tab = await another();
  for (const [number, [name, play]] of STEPS.entries()) {
    doing(`at "${name}"`);
    await play({ ...values, tab, another, write: writer(values, `light.step_${number}`) });
  }
  const problems = tabs.flatMap(({ problems }) => problems);
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await browser.close();
  return `ok: the tester over ${values.transport} played ${STEPS.length} steps`;
});
