// The manual test of the document "WebSocket Events System", as it would be typed: wscat in one terminal, curl in
// another; then its way to check a token, and what wscat is told that the document leaves out. Only the address and the
// tokens are filled in, and where it is not the demo the area's id.
//
//   NODE_EXTRA_CA_CERTS=PATH CURL_CA_BUNDLE=PATH
//     node wscat_areas.mjs --address HOST:PORT --secure HOST:PORT --token ADMIN [--screen TOKEN]
//
// `--secure` speaks TLS, `--address` does not. `--screen` is the token of a demo's screen; without it one is paired.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { REVOKED, areaEvent, cast, greeting } from './admin.mjs';
import { check, doing, keys, same, script, short } from './client.mjs';

const WSCAT = String.raw`wscat -c wss://localhost:8443 \
  -H "Authorization: Bearer <client-token>"`;
const UPDATE = String.raw`curl -X PUT https://localhost:8443/api/areas/area_123 \
  -H "Authorization: Bearer <admin-token>" \
  -H "Content-Type: application/json" \
  -d '{"name": "Kitchen (Updated)"}'`;
const VERIFY = String.raw`curl https://localhost:8443/api/auth/verify \
  -H "Authorization: Bearer <token>"`;

const PROGRAMS = fileURLToPath(new URL('node_modules/.bin', import.meta.url));
const OPTIONS = { secure: { type: 'string', required: true }, screen: { type: 'string' } };

/** A shell that was given one command. What it prints is JSON, a value a line. */
class Terminal {
  #shell;
  #lines;
  #line;

  constructor(line) {
    this.#line = line.replaceAll(/Bearer [^"]*/g, 'Bearer ...');
    const env = { ...process.env, PATH: `${PROGRAMS}:${process.env.PATH}`, NO_PROXY: '*', no_proxy: '*' };
    // Its input stays open, as a terminal's does: wscat would end with it.
    this.#shell = spawn('sh', ['-c', `exec ${line}`], { stdio: ['pipe', 'pipe', 'pipe'], env });
    process.on('exit', () => this.#shell.kill());
    let complaint = '';
    this.#shell.stderr.on('data', (text) => (complaint = `${complaint}${text}`.slice(-300)));
    this.ended = new Promise((resolve) => this.#shell.on('close', resolve));
    doing(() => `it was reading from "${this.#line}", which said ${short(complaint)}`);
    this.#lines = createInterface({ input: this.#shell.stdout })[Symbol.asyncIterator]();
  }

  /** The next value that it prints. */
  async reads() {
    const { value, done } = await this.#lines.next();
    check(!done, `"${this.#line}" printed no more`);
    return JSON.parse(value);
  }

  /** Waits until it ends; throws if it printed more. Its exit code. */
  async ends() {
    same(await this.#lines.next(), { value: undefined, done: true }, `what "${this.#line}" prints besides`);
    return this.ended;
  }
}

await script(40, OPTIONS, async (values) => {
  const { admin, area, clientId, screen } = await cast(values);
  const filled = {
    'localhost:8443': values.secure,
    '<client-token>': screen,
    '<admin-token>': values.token,
    area_123: area.id,
  };
  const type = (line, more = {}) => new Terminal(fill(line, { ...filled, ...more }));

  const first = type(WSCAT);
  const typed = type(WSCAT.replace('localhost:8443', 'localhost:8443/?typed=1'));
  greeting(await first.reads(), clientId);
  const { type: name, ...greeted } = await typed.reads();
  same(name, 'connected', 'the type of the greeting');
  greeting(greeted, clientId);

  const second = type(UPDATE);
  const answer = await second.reads();
  keys(answer, ['id', 'name', 'entityIds', 'isEnabled', 'createdAt', 'updatedAt'], 'what curl prints');
  const updated = { ...area, name: 'Kitchen (Updated)' };
  const event = await first.reads();
  areaEvent(event, 'updated', updated);
  const { type: kind, ...same_event } = await typed.reads();
  same([kind, same_event], ['area_updated', event], 'the event with its type');
  same(await second.ends(), 0, 'how curl ends');

  const third = type(VERIFY, { '<token>': screen });
  const { expiresAt, ...verified } = await third.reads();
  same(verified, { valid: true, role: 'client', clientId }, 'what curl prints of the token');
  check(Date.parse(expiresAt) > Date.now(), `it expires at ${short(expiresAt)}`);

  // Each change is one line more.
  await admin.toggles(area.id);
  areaEvent(await first.reads(), 'disabled', { ...updated, isEnabled: false });
  await admin.toggles(area.id);
  areaEvent(await first.reads(), 'enabled', updated);
  await admin.unassigns(clientId, area.id);
  areaEvent(await first.reads(), 'removed', updated);
  await admin.assigns(clientId, area.id);
  areaEvent(await first.reads(), 'added', updated);

  await admin.revokes(clientId);
  same(await first.reads(), REVOKED, 'what is told at the end');
  same(await first.ends(), 0, 'how wscat ends');
  for (const kind of ['area_disabled', 'area_enabled', 'area_removed', 'area_added']) {
    same((await typed.reads()).type, kind, 'the type of an event');
  }
  same(await typed.reads(), { type: 'token_revoked', ...REVOKED }, 'what is told at the end, with its type');
  const late = type(VERIFY, { '<token>': screen });
  same((await late.reads()).status, 401, 'the status of a token that was revoked');
  return 'ok: wscat and curl, as the document has them';
});

/** A line with what stands for something in it. */
function fill(line, instead) {
  return Object.entries(instead).reduce((line, [text, value]) => line.replace(text, () => value), line);
}
