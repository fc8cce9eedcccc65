// Stations and notifications in terminals, at wscat: one looks at all stations and one at the document's, which pings;
// the user reads notifications, by a token in a header and by one in the address, and books at the terminal too.
//
//   node wscat_stations.mjs --address HOST:PORT --token ADMIN [--demo]
//
// `--demo`: the server is one.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { check, doing, same, script } from './client.mjs';
import * as expected from './stations_cast.mjs';

const WSCAT = fileURLToPath(new URL('node_modules/.bin/wscat', import.meta.url));
const OPTIONS = { demo: { type: 'boolean' } };
const { batteryBooked, batteryCollected, bookingConfirmed, bookingReady, greeting, inventory } = expected;
const PING = '{"type":"ping","timestamp":"2024-02-27T10:30:00"}';

/** Somebody in a terminal. Standard input stays open, as there. */
class Terminal {
  #program;
  #lines;

  constructor(address, path, { header = [], typed = [] } = {}) {
    this.path = path.replace(/\?.*/, '?...');
    const args = ['-c', `ws://${expected.localhost(address)}${path}`];
    for (const line of header) args.push('-H', line);
    for (const line of typed) args.push('-x', line);
    this.#program = spawn(WSCAT, [...args, '-w', '-1'], { stdio: ['pipe', 'pipe', 'inherit'] });
    process.on('exit', () => this.#program.kill());
    this.#lines = createInterface({ input: this.#program.stdout })[Symbol.asyncIterator]();
  }

  /** The next frame that is printed. */
  async next() {
    doing(`waiting for what ${this.path} prints`);
    const { value, done } = await this.#lines.next();
    check(!done, `wscat at ${this.path} printed no more`);
    return JSON.parse(value);
  }

  /** Throws unless these frames are printed next; those of one decision have one time. */
  async reads(...frames) {
    const printed = [];
    for (const _ of frames) printed.push(await this.next());
    expected.toldTogether(printed, frames, `what ${this.path} prints next`);
  }

  /** Ends it; throws if it printed more. */
  async leaves() {
    const ended = new Promise((resolve) => this.#program.once('close', resolve));
    this.#program.kill('SIGINT');
    same(await this.#lines.next(), { value: undefined, done: true }, `what ${this.path} prints at the end`);
    await ended;
  }
}

await script(30, OPTIONS, async ({ address, token, demo }) => {
  const town = await expected.Town.at({ address, token, demo });
  const bearer = { header: [`Authorization: Bearer ${town.token}`] };
  const all = new Terminal(address, '/ws/stations/', { typed: ['not json'] });
  const one = new Terminal(address, '/ws/stations/1/', { typed: [PING] });
  const inbox = new Terminal(address, '/ws/notifications/', bearer);
  const phone = new Terminal(address, `/ws/notifications/?token=${encodeURIComponent(town.token)}`);
  await all.reads(greeting('all_stations'));
  await all.reads({ type: 'error', message: 'Invalid JSON' });
  await one.reads(greeting('station_1'));
  same(JSON.stringify(await one.next()), PING.replace('ping', 'pong'), 'what a ping is answered');
  for (const terminal of [inbox, phone]) await terminal.reads(greeting('notifications'));

  // She books at the terminal, one battery twice; the second time in vain.
  const book = { type: 'stations.book', station_id: 1, battery_id: 5 };
  const typed = [{ ...book, id: 'mine' }, { ...book, id: 'again' }].map((frame) => JSON.stringify(frame));
  const jane = new Terminal(address, '/ws/stations/1/', { ...bearer, typed });
  await jane.reads(greeting('station_1'));
  const booking = await books(jane);
  for (const terminal of [all, one]) await terminal.reads(batteryBooked(5, 14, 4), inventory(14, 4, 'book'));
  for (const terminal of [inbox, phone]) await terminal.reads(bookingConfirmed(booking));
  await town.readies(booking);
  for (const terminal of [inbox, phone]) await terminal.reads(bookingReady(booking));
  await town.collects(booking);
  for (const terminal of [all, one, jane]) {
    await terminal.reads(batteryCollected(5, 14, 3), inventory(14, 3, 'collect'));
  }
  await town.notifies();
  for (const terminal of [inbox, phone]) await terminal.reads(expected.SYSTEM_UPDATE);
  for (const terminal of [all, one, inbox, phone, jane]) await terminal.leaves();
  return 'ok: stations and notifications at wscat';
});

/** What she is answered, and told: an answer may come before or behind what the request told all. */
async function books(jane) {
  const printed = [];
  for (let frame = 0; frame < 4; frame += 1) printed.push(await jane.next());
  const takes = (type) => {
    const at = printed.findIndex((frame) => frame.type === type);
    check(at >= 0, `no ${type} among ${JSON.stringify(printed)}`);
    return printed.splice(at, 1)[0];
  };
  const { data, ...answer } = takes('stations.book:response');
  same(answer, { type: 'stations.book:response', success: true, id: 'mine' }, 'what booking is answered');
  same(takes('error'), { type: 'error', message: 'battery 5 is not available', id: 'again' }, 'booking it again');
  expected.toldTogether(printed, [batteryBooked(5, 14, 4), inventory(14, 4, 'book')], 'what she is told');
  return data;
}
