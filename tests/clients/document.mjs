// Runs the sample client of the document "WebSocket CRUD Operations for States Table" in Chromium, as it
// stands in document-000.js: only the address is replaced. The code is entered on the server's own page,
// as if it were pasted into the console of the developer tools.
//
//   node document.mjs --address HOST:PORT [--token T]

import { readFile } from 'node:fs/promises';
import { launch } from './browser.mjs';
import { check, doing, rowReply, same, script, short, stateChanged } from './client.mjs';

const ADDRESS_IN_DOCUMENT = 'ws://localhost:8080/api/ws';
const LIVING_ROOM = { entity_id: 'light.living_room', state: 'on', attributes: { brightness: 100 } };

await script(60, {}, async ({ address, token }) => {
  const source = await readFile(new URL('document-000.js', import.meta.url), 'utf8');
  check(source.includes(ADDRESS_IN_DOCUMENT), 'document-000.js: the address to replace is not in it');
  const target = `ws://${address}/api/ws${token ? `?token=${encodeURIComponent(token)}` : ''}`;

  doing('opening the page');
  const browser = await launch();
  const page = await (await browser.newContext()).newPage();
  const printed = [];
  page.on('console', (message) => printed.push(message.text()));
  await page.goto(`http://${address}/`);

  const devtools = await page.context().newCDPSession(page);
  const enter = async (expression) => {
    const { result, exceptionDetails } = await devtools.send('Runtime.evaluate', { expression, returnByValue: true });
    check(!exceptionDetails, `the page threw ${short(exceptionDetails?.exception?.description)}`);
    return result.value;
  };

  // One evaluation, so that no frame can come before the listener that keeps them.
  await enter(`${source.replace(ADDRESS_IN_DOCUMENT, target)}
    globalThis.kept = [];
    ws.addEventListener('message', (event) => kept.push(event.data));`);
  await until('the connection to open', async () => (await enter('ws.readyState')) === 1);
  await enter('createState()');
  await until("the document's own code to report the state created", () =>
    printed.some((text) => text.startsWith('State created:')),
  );
  await enter('getState()');

  let frames = [];
  const about = (type) =>
    frames.filter((frame) => frame.type === type && (frame.data?.entity_id ?? '') === LIVING_ROOM.entity_id);
  const awaited = ['states:create:response', 'states:get:response', 'state_changed'];
  await until(`all of ${awaited.join(', ')}`, async () => {
    frames = JSON.parse(await enter('JSON.stringify(kept)')).map((text) => JSON.parse(text));
    return awaited.every((type) => about(type).length > 0);
  });

  same(awaited.map((type) => about(type).length), [1, 1, 1], `frames of each of ${awaited.join(', ')}`);
  const [created] = about('states:create:response');
  const [got] = about('states:get:response');
  rowReply(created, 'states:create', LIVING_ROOM, 'reply to createState()');
  rowReply(got, 'states:get', LIVING_ROOM, 'reply to getState()');
  same(got.data, created.data, 'the row read and the row created');
  const { entity_id, ...new_state } = LIVING_ROOM;
  stateChanged(about('state_changed')[0], { entity_id, new_state }, false, 'event');
  await browser.close();
  return "ok: the document's own client got its replies and the event";
});

/** Asks again, a little later each time, until `holds`; the script's deadline bounds it. */
async function until(what, holds) {
  doing(`waiting for ${what}`);
  for (let wait = 5; !(await holds()); wait = Math.min(wait * 2, 100)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
