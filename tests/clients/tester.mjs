// The protocol tester in Chromium, over a plain WebSocket and over Socket.IO: connects with a token, sends from
// templates, logs every frame, filters, pauses, clears, and saves what it logged without the token.
//
//   node tester.mjs --address HOST:PORT --token T [--screenshot DIR]

import { readFile } from 'node:fs/promises';
import { SIZES, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, same, script } from './client.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const KINDS = '.entry .kind';

await script(120, OPTIONS, async ({ address, token, screenshot }) => {
  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page, problems } = await open(context, `http://${address}/docs/WEBSOCKET_CLIENT_EXAMPLE.html`);
  await shows(page, '.tester h1', 'Protocol tester', 'the tester where document 001 has it');
  await shows(page, '.choice [aria-pressed="true"]', 'Socket.IO', 'what document 001 is about');
  await page.goto(`http://${address}/websocket-test/`);
  await shows(page, '.tester h1', 'Protocol tester', 'the tester where document 002 has it');
  await shows(page, '.choice [aria-pressed="true"]', 'WebSocket', 'what document 002 is about');

  await refused(page);
  await frames(page, token);
  if (screenshot) await pictures(page, screenshot, 'tester');
  await saved(page, token);
  await paused(page);
  await bounded(page);
  await socketIo(page, token);
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await browser.close();
  return 'ok: the tester sends, logs and saves';
});

function button(page, name) {
  return page.getByRole('button', { name, exact: true });
}

/** Who shows nothing is told so, and the connection is closed. */
async function refused(page) {
  await button(page, 'Connect').click();
  await texts(page, KINDS, ['connect', 'open', 'text', 'close'], 'what is logged of a refusal');
  await texts(page, '.entry:last-child .text', ['4401 unauthenticated'], 'how it was closed');
  await shows(page, '.controls .condition', 'Not connected', 'the connection');
  check(await button(page, 'Send').isDisabled(), 'one can send without a connection');
  await page.getByRole('link', { name: 'Sign in' }).waitFor();
  await button(page, 'Clear').click();
}

/** A message of a template, one that was edited, and what came back. */
async function frames(page, token) {
  await page.getByLabel('Token').fill(token);
  await button(page, 'Connect').click();
  await shows(page, '.controls .condition', 'Connected', 'the connection');
  await texts(page, KINDS, ['connect', 'open', 'text'], 'what is logged of a connection');
  await button(page, 'Send').click();
  await texts(page, KINDS, ['connect', 'open', 'text', 'text', 'text', 'text'], 'a state is made, told, and the reply');
  await page.getByLabel('Template').selectOption({ label: 'states:get' });
  await page.getByRole('textbox', { name: 'Message' }).fill('{"type": "states:get",\n "entity_id": "light.nobody_has"}');
  await page.getByRole('textbox', { name: 'Message' }).press('Control+Enter');
  await shows(page, '.log .count', '8 entries', 'the count');
  const lines = await page.locator('.entry').allInnerTexts();
  check(lines.every((line) => /^\d\d:\d\d:\d\d\.\d{3}\s/.test(line)), lines.join('\n'));

  doing('filtering');
  await page.getByLabel('Filter the log').fill('STATES:GET');
  await shows(page, '.log .count', '2 of 8 entries', 'the count of what the filter lets through');
  await texts(page, '.entry .arrow', ['↑', '↓'], 'their directions');
  const sent = '{"type":"states:get","entity_id":"light.nobody_has"}';
  await shows(page, '.entry .text', sent, 'what was edited, as it was sent');
  await shows(page, '.entry .size', `${sent.length} B`, 'its size');
  await page.locator('.entry').first().click();
  await shows(page, '.whole pre', JSON.stringify(JSON.parse(sent), null, 2), 'the whole of it');
}

/** The file has all entries, and not the token. */
async function saved(page, token) {
  doing('saving the log');
  const [download] = await Promise.all([page.waitForEvent('download'), button(page, 'Save').click()]);
  check(/^bellwire-log-[-\dT]+\.json$/.test(download.suggestedFilename()), download.suggestedFilename());
  const text = await readFile(await download.path(), 'utf8');
  check(!text.includes(token), 'the token is in the file');
  const { dropped, entries } = JSON.parse(text);
  same([dropped, entries.length], [0, 8], 'dropped and kept');
  same(entries.map(({ direction }) => direction), ['note', 'note', 'out', 'out', ...['in', 'in'], 'out', 'in'], 'directions');
  for (const { time } of entries) check(Math.abs(Date.parse(time) - Date.now()) < 120_000, `time ${time}`);
  await page.getByLabel('Filter the log').fill('');
}

/** What comes while the log is paused is kept for later; a log that was cleared is empty; who disconnects is told. */
async function paused(page) {
  await button(page, 'Pause').click();
  await button(page, 'Send').click();
  await shows(page, '.log .count', '8 entries; paused, 2 wait', 'the count while paused');
  await button(page, 'Go on').click();
  await shows(page, '.log .count', '10 entries', 'the count afterwards');
  await button(page, 'Clear').click();
  await shows(page, '.log .count', '0 entries', 'the count of nothing');
  await button(page, 'Disconnect').click();
  await texts(page, KINDS, ['close'], 'what is logged of the end');
  await shows(page, '.controls .condition', 'Not connected', 'the connection');
}

/** Who is refused is not connected; an event and its acknowledgement; the packets below, without the token. */
async function socketIo(page, token) {
  await button(page, 'Clear').click();
  await button(page, 'Socket.IO').click();
  await page.getByLabel('Token').fill('');
  await button(page, 'Connect').click();
  await until(page, 'the refusal is logged', () =>
    [...document.querySelectorAll('.entry.error')].some((entry) => entry.textContent.includes('authentication required')),
  );
  await shows(page, '.controls .condition', 'Not connected', 'the connection');
  for (const transports of ['polling,websocket', 'websocket', 'polling']) {
    doing(`connecting over ${transports}`);
    await button(page, 'Clear').click();
    await page.getByLabel('Token').fill(token);
    await page.getByLabel('Transport').selectOption(transports);
    await button(page, 'Connect').click();
    await shows(page, '.controls .condition', 'Connected', 'the connection');
    const last = transports.split(',').at(-1);
    await until(page, `it is over ${last}`, (last) => document.querySelector('.entries').textContent.includes(`over ${last}`), last);
    await page.getByLabel('Template').selectOption({ label: 'states:get' });
    await button(page, 'Send').click();
    await until(page, 'it is acknowledged', () =>
      [...document.querySelectorAll('.entry.in')].some(
        (entry) => entry.querySelector('.kind').textContent.startsWith('ack ') && entry.textContent.includes('"success":true'),
      ),
    );
    await button(page, 'Disconnect').click();
    await shows(page, '.controls .condition', 'Not connected', 'the connection');
    await until(page, 'the end is logged', () => document.querySelector('.entries').textContent.includes('io client disconnect'));
    await page.getByLabel('Packets').uncheck();
    await until(page, 'no packets are listed', () => ![...document.querySelectorAll('.entry .kind')].some((kind) => kind.textContent === 'packet'));
    await page.getByLabel('Packets').check();
    const log = await page.locator('.entries').innerText();
    check(log.includes('0{"token":"..."}') && !log.includes(token), 'a packet shows the token, or is not there');
  }
}

/** The log keeps so many entries, and says how many it dropped. */
async function bounded(page) {
  doing('filling a log');
  const counts = await page.evaluate(async () => {
    const { ENTRIES_MAX, Log } = await import('/console/tester/log.js');
    const log = new Log();
    const counts = [];
    for (let number = 1; number <= ENTRIES_MAX + 1; number += 1) {
      log.add('in', 'text', String(number));
      if (number >= ENTRIES_MAX) counts.push([ENTRIES_MAX, log.entries.length, log.dropped, log.entries[0].text]);
    }
    return counts;
  });
  same(counts, [[5_000, 5_000, 0, '1'], [5_000, 4_501, 500, '501']], 'limit, kept, dropped, the oldest');
}
