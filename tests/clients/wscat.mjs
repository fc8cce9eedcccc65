// The terminal client wscat, as a person would type it: creates a state, reads it, and is told what is wrong.
//
//   node wscat.mjs --address HOST:PORT [--token T]

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { check, doing, keys, refusal, rowReply, same, script, stateChanged } from './client.mjs';

const WSCAT = fileURLToPath(new URL('node_modules/.bin/wscat', import.meta.url));
const LAMP = { entity_id: 'light.wscat', state: 'on', attributes: { brightness: 7 } };

/** What is typed, and the check of the reply that is printed for it. */
const TYPED = [
  [JSON.stringify({ type: 'states:create', ...LAMP }), (reply) => rowReply(reply, 'states:create', LAMP, 'create')],
  [`{"type":"states:get","entity_id":"${LAMP.entity_id}"}`, (reply) => rowReply(reply, 'states:get', LAMP, 'get')],
  ['{"type":"states:get","entity_id":"light.nowhere"}', (reply) => refusal(reply, 'states:get', 'get of nothing')],
  [
    'not json',
    (reply) => {
      keys(reply, ['type', 'success', 'error'], 'bad JSON');
      same([reply.type, reply.success], ['error', false], 'bad JSON');
    },
  ],
];

await script(30, {}, async ({ address, token }) => {
  const header = token ? ['-H', `Authorization:Bearer ${token}`] : [];
  const typed = TYPED.flatMap(([text]) => ['-x', text]);
  const wscat = spawn(WSCAT, ['-c', `ws://${address}/api/ws`, ...header, ...typed, '-w', '-1'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  process.on('exit', () => wscat.kill());

  const replies = TYPED.values();
  let events = 0;
  let checked = 0;
  doing(() => `${checked} of ${TYPED.length} replies and ${events} of 1 events were printed`);
  for await (const line of createInterface({ input: wscat.stdout })) {
    const frame = JSON.parse(line);
    if (frame.type === 'state_changed') {
      if (frame.data.entity_id !== LAMP.entity_id) continue; // A demo goes on meanwhile.
      const { entity_id, ...new_state } = LAMP;
      stateChanged(frame, { entity_id, new_state }, false, 'event');
      events += 1;
    } else {
      const [, accept] = replies.next().value ?? [null, () => check(false, `one reply too many: ${line}`)];
      accept(frame);
      checked += 1;
    }
    if (checked === TYPED.length && events === 1) return 'ok: wscat printed every reply and the event';
  }
  check(false, `wscat ended after ${checked} of ${TYPED.length} replies and ${events} of 1 events`);
});
