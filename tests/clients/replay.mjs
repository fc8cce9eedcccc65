// Streams a Home Assistant recording through `/api/ws` and compares what three readers get with it: one
// plain, one that loses its connection several times and resumes by cursor, one that asked for five entities.
// One writer, whose commands run in order, so each reader must see exactly the events of the plan, in order.
// The server must start without the recording's entities.
//
//   node replay.mjs --address HOST:PORT [--token T] --initial FILE.gz --changes FILE.gz --final FILE.gz [--seed N]

import { Connection, Difference, Pipeline, doing, script } from './client.mjs';
import { check, keys, refusal, row, rowReply, same, short, stateChanged } from './client.mjs';
import { busiest, plan, readRecording } from './recording.mjs';

const file = { type: 'string', required: true };
const OPTIONS = { initial: file, changes: file, final: file, seed: { type: 'string', default: '20240333' } };

/** How often the resuming reader loses its connection, and for how many events at most it stays away. */
const CUTS = 8;
const AWAY_EVENTS_MAX = 200;
const FILTERED_ENTITIES = 5;

/** A reader: compares each event with the next one that the plan has for it. */
class Reader {
  /** Events received so far. */
  at = 0;
  /** Called after each event. */
  onEvent = () => {};

  constructor(name, expected, withCursor = false) {
    this.name = name;
    this.expected = expected;
    this.withCursor = withCursor;
    this.finished = new Promise((resolve) => (this.finish = resolve));
  }

  accept(frame) {
    const next = this.expected[this.at];
    check(next, `${this.name} reader: one event too many: ${short(frame)}`);
    stateChanged(frame, next, this.withCursor, `${this.name} reader, event ${this.at + 1}`);
    this.at += 1;
    if (this.at === this.expected.length) this.finish();
    this.onEvent(frame);
  }
}

/** The reader with `?since=`, which is cut at seeded points and comes back by its last cursor. */
class ResumingReader {
  constructor(target, events, plain, random) {
    this.target = target;
    this.reader = new Reader('resuming', events, true);
    this.reader.onEvent = (frame) => this.#received(frame);
    this.plain = plain;
    this.cuts = Array.from({ length: CUTS }, () => ({
      at: 1 + Math.floor(random() * (events.length - 1)),
      away: 1 + Math.floor(random() * AWAY_EVENTS_MAX),
    })).sort((a, b) => a.at - b.at);
    this.resumed = 0;
    this.replayed = 0;
  }

  async start() {
    const first = await this.#open('now');
    this.cursor = first.cursor;
    same(first.replayed, 0, 'resuming reader: replayed on its first connection');
  }

  /** Connects and takes the first frame, which must say `resumed`. */
  async #open(since) {
    let greet;
    const greeted = new Promise((resolve) => (greet = resolve));
    let first = true;
    const onFrame = (frame) => {
      if (!first) return this.reader.accept(frame);
      first = false;
      keys(frame, ['type', 'cursor', 'replayed'], `resuming reader: first frame ${short(frame)}`);
      same(frame.type, 'resumed', 'resuming reader: first frame');
      check(typeof frame.cursor === 'string', `resuming reader: cursor ${short(frame.cursor)} is no string`);
      check(Number.isInteger(frame.replayed), `resuming reader: replayed is ${short(frame.replayed)}`);
      greet(frame);
    };
    const query = `?since=${encodeURIComponent(since)}`;
    this.connection = new Connection('resuming reader', { ...this.target, query }, onFrame);
    await this.connection.opened;
    const frame = await greeted;
    return frame;
  }

  #received({ cursor }) {
    check(typeof cursor === 'string', `resuming reader: cursor ${short(cursor)} is no string`);
    this.cursor = cursor;
    const passed = this.cuts.filter((cut) => cut.at <= this.reader.at);
    if (passed.length === 0) return;
    this.cuts = this.cuts.filter((cut) => cut.at > this.reader.at);
    this.connection.cut();
    const until = Math.min(this.reader.at + passed[0].away, this.reader.expected.length);
    this.plain.onEvent = () => this.#returnAt(until);
    this.#returnAt(until);
  }

  /** Comes back once the plain reader has seen `until` events, so that there is something to replay. */
  #returnAt(until) {
    if (this.plain.at < until) return;
    this.plain.onEvent = () => {};
    const missed = until > this.reader.at;
    this.#open(this.cursor).then(({ replayed }) => {
      check(replayed > 0 || !missed, 'resuming reader: nothing was replayed though events were missed');
      this.resumed += 1;
      this.replayed += replayed;
    });
  }
}

await script(240, OPTIONS, async ({ address, token, seed, ...files }) => {
  const target = { address, token };
  const recording = readRecording(files);
  const { commands, events, last, gone } = plan(recording);
  const busy = busiest(events, FILTERED_ENTITIES);

  const plain = new Reader('plain', events);
  const filtered = new Reader('filtered', events.filter(({ entity_id }) => busy.includes(entity_id)));
  const resuming = new ResumingReader(target, events, plain, seeded(Number(seed)));
  const readers = [plain, filtered, resuming.reader];
  let sent = 0;
  doing(() => {
    const got = readers.map((reader) => `${reader.name} ${reader.at} of ${reader.expected.length}`);
    return `${sent} of ${commands.length} commands were sent, events received: ${got.join(', ')}; seed ${seed}`;
  });

  const plainConnection = await Connection.open('plain reader', target, (frame) => plain.accept(frame));
  const filteredConnection = await subscribed(target, busy, new Map(), (frame) => filtered.accept(frame));
  await resuming.start();
  const writer = await Connection.open('writer', target);

  await write(writer, commands, () => (sent += 1));
  await Promise.all(readers.map((reader) => reader.finished));
  await Promise.all([plainConnection, filteredConnection, resuming.connection].map((one) => one.settled()));
  check(resuming.resumed > 0, 'resuming reader: it never lost its connection');

  await compareEnd(writer, last, gone);
  await subscribed(target, busy, last, () => {});
  return (
    `ok: ${commands.length} commands, ${events.length} events to each of two readers and ` +
    `${filtered.at} to the filtered one, ${resuming.resumed} resumptions with ${resuming.replayed} events replayed, ` +
    `${last.size} final states equal, ${gone.length} gone`
  );
});

/** A connection that asked for some entities and got the snapshot of those that exist. */
async function subscribed(target, entity_ids, states, onEvent) {
  let answer;
  const answered = new Promise((resolve) => (answer = resolve));
  let subscribing = true;
  const connection = await Connection.open('filtered reader', target, (frame) => {
    if (!subscribing) return onEvent(frame);
    subscribing = false;
    answer(frame);
  });
  connection.send({ type: 'subscribe_entities', entity_ids });
  const snapshot = await answered;
  keys(snapshot, ['type', 'data'], 'snapshot');
  same(snapshot.type, 'states:snapshot', 'snapshot: type');
  check(Array.isArray(snapshot.data), `snapshot: data is ${short(snapshot.data)}`);
  const expected = entity_ids.filter((id) => states.has(id)).sort();
  same(snapshot.data.map((one) => one.entity_id).sort(), expected, 'snapshot: entities');
  for (const one of snapshot.data) row(one, states.get(one.entity_id), `snapshot of ${one.entity_id}`);
  return connection;
}

/** Sends the commands, pipelined, and checks each reply. */
async function write(writer, commands, onSent) {
  const pipeline = new Pipeline(writer);
  const ids = new Map();
  const created = (row) => {
    if (!ids.has(row)) {
      let set;
      const id = new Promise((resolve) => (set = resolve));
      ids.set(row, { id, set });
    }
    return ids.get(row);
  };
  for (const [index, { operation, entity_id, row, state, attributes }] of commands.entries()) {
    const what = `command ${index + 1}, ${operation} of ${entity_id}`;
    if (operation === 'states:create') {
      await pipeline.send({ type: operation, entity_id, state, attributes }, (reply) => {
        rowReply(reply, operation, { entity_id, state, attributes }, what);
        created(row).set(reply.data.state_id);
      });
    } else if (operation === 'states:update') {
      const state_id = await created(row).id;
      await pipeline.send({ type: operation, state_id, state, attributes }, (reply) => {
        rowReply(reply, operation, { entity_id, state, attributes }, what);
        same(reply.data.state_id, state_id, `${what}: state_id`);
      });
    } else if (operation === 'states:delete') {
      const state_id = await created(row).id;
      const message = `State ${state_id} deleted successfully`;
      await pipeline.send({ type: operation, state_id }, (reply) => {
        keys(reply, ['type', 'success', 'message'], what);
        same(reply, { type: 'states:delete:response', success: true, message }, what);
      });
    } else {
      throw new Difference(`no such operation: ${operation}`);
    }
    onSent();
  }
  await pipeline.drain();
}

/** Reads every entity: those of the end have their final state, removed ones are refused. */
async function compareEnd(writer, last, gone) {
  const pipeline = new Pipeline(writer);
  for (const [entity_id, state] of last) {
    await pipeline.send({ type: 'states:get', entity_id }, (reply) =>
      rowReply(reply, 'states:get', state, `final state of ${entity_id}`),
    );
  }
  for (const entity_id of gone) {
    await pipeline.send({ type: 'states:get', entity_id }, (reply) =>
      refusal(reply, 'states:get', `removed ${entity_id}`),
    );
  }
  await pipeline.drain();
}

/** Numbers in [0, 1) that depend on the seed alone: a linear congruential generator with Knuth's MMIX constants. */
function seeded(seed) {
  let x = BigInt(seed);
  return () => {
    x = BigInt.asUintN(64, x * 6364136223846793005n + 1442695040888963407n);
    return Number(x >> 11n) / 2 ** 53;
  };
}
