// A Home Assistant recording as commands to `/api/ws` and the events that must follow. No I/O but the reading
// of the three files: what is to be sent, and what must come back, is known before the first byte is sent.

import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { check, same } from './client.mjs';

/** Limits of the service; a recording beyond them could not be replayed. */
const STATE_BYTES_MAX = 255;
const ATTRIBUTES_BYTES_MAX = 16 * 1024;

/** Of the changes of an entity that will be removed, every so manieth appends a row instead of updating the last. */
const APPEND_EVERY = 5;

/** Reads the states before, every change, and the states after. */
export function readRecording({ initial, changes, final }) {
  const text = (path) => gunzipSync(readFileSync(path)).toString('utf8');
  const recording = {
    initial: JSON.parse(text(initial)),
    changes: text(changes).split('\n').filter(Boolean).map((line) => JSON.parse(line)),
    final: JSON.parse(text(final)),
  };
  for (const { new_state } of recording.changes) {
    if (new_state === null) continue;
    const attributes = JSON.stringify(new_state.attributes);
    check(Buffer.byteLength(new_state.state) <= STATE_BYTES_MAX, `${new_state.entity_id}: state too long`);
    check(Buffer.byteLength(attributes) <= ATTRIBUTES_BYTES_MAX, `${new_state.entity_id}: attributes too long`);
  }
  return recording;
}

/**
 * The commands that replay a recording, each with the one event that it causes.
 *
 * An entity that is never removed is a log: each change appends a row. One that is removed is mostly one row
 * that is updated, with a few more appended, and its removal deletes them all, the oldest first: each but
 * the last deletion announces the newest state again, the last one announces `null`. An update that changes
 * nothing would be silent, so a change without a difference always appends.
 *
 * @returns {{commands: object[], events: object[], last: Map<string, object>, gone: string[]}} commands are
 *   `{operation, row, entity_id, state, attributes}`, with `row` a number of this plan, given to the row when
 *   it is created; `last` has the state of each entity at the end, `gone` those that have none
 */
export function plan({ initial, changes, final }) {
  const removable = new Set(changes.filter((change) => change.new_state === null).map((change) => change.entity_id));
  const rows = new Map();
  const commands = [];
  const events = [];
  let rowCount = 0;
  let appended = 0;

  const newest = (entity_id) => rows.get(entity_id)?.at(-1);
  const add = (operation, entity_id, row, { state, attributes } = {}) =>
    commands.push({ operation, entity_id, row, state, attributes });
  const announce = (entity_id) => {
    const last = newest(entity_id);
    const new_state = last ? { state: last.state, attributes: last.attributes } : null;
    events.push({ entity_id, new_state });
  };

  const put = (entity_id, { state, attributes }) => {
    const last = newest(entity_id);
    const unchanged = last && last.state === state && isDeepStrictEqual(last.attributes, attributes);
    const appends = !removable.has(entity_id) || !last || unchanged || ++appended % APPEND_EVERY === 0;
    if (appends) {
      const row = rowCount++;
      rows.set(entity_id, [...(rows.get(entity_id) ?? []), { row, state, attributes }]);
      add('states:create', entity_id, row, { state, attributes });
    } else {
      Object.assign(last, { state, attributes });
      add('states:update', entity_id, last.row, { state, attributes });
    }
    announce(entity_id);
  };
  const remove = (entity_id) => {
    const left = rows.get(entity_id);
    while (left.length > 0) {
      add('states:delete', entity_id, left.shift().row);
      announce(entity_id);
    }
    rows.delete(entity_id);
  };

  for (const state of initial) put(state.entity_id, state);
  for (const { entity_id, new_state } of changes) {
    if (new_state === null) remove(entity_id);
    else put(entity_id, new_state);
  }

  const atEnd = ({ entity_id, state, attributes }) => [entity_id, { entity_id, state, attributes }];
  const last = new Map(final.map(atEnd));
  same(rows.size, last.size, 'recording: entities at its end');
  for (const entity_id of rows.keys()) {
    const { state, attributes } = newest(entity_id);
    same({ entity_id, state, attributes }, last.get(entity_id), 'recording: final state');
  }
  return { commands, events, last, gone: [...removable].filter((id) => !rows.has(id)) };
}

/** The entities that change most often, for a filtered subscription. */
export function busiest(events, count) {
  const changes = new Map();
  for (const { entity_id } of events) changes.set(entity_id, (changes.get(entity_id) ?? 0) + 1);
  return [...changes].sort((a, b) => b[1] - a[1]).slice(0, count).map(([entity_id]) => entity_id);
}
