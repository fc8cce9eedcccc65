// The protocol tester in Chromium, over a plain WebSocket and over Socket.IO: connects with a token, sends from
// templates, logs every frame, filters, pauses, clears, and saves what it logged without the token; says that it comes
// back after a break; keeps its settings over a reload, but no token; on a phone, shows the log when there is news.
//
//   node tester.mjs --address HOST:PORT --token T [--screenshot DIR]

import { readFile } from 'node:fs/promises';
import { SIZES, fits, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, same, script } from './client.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const KINDS = '.entry .kind';

await script(120, OPTIONS, async ({ address, token, screenshot }) => {
  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page, problems } = await open(context, `http://${address}/docs/WEBSOCKET_CLIENT_EXAMPLE.html`);
  await shows(page, '.tester h1', 'Protocol tester', 'the tester where document 001 has it');
  await shows(page, '.controls .choice [aria-pressed="true"]', 'Socket.IO', 'what document 001 is about');
  await page.goto(`http://${address}/websocket-test/`);
  await shows(page, '.tester h1', 'Protocol tester', 'the tester where document 002 has it');
  await shows(page, '.controls .choice [aria-pressed="true"]', 'WebSocket', 'what document 002 is about');

  await presets(page);
  await refused(page);
  await frames(page, token);
  if (screenshot) await pictures(page, screenshot, 'tester');
  await saved(page, token);
  await paused(page);
  await bounded(page);
  await socketIo(page, token);
  await reconnecting(page, context, token);
  await kept(page, token);
  await phone(page, token);
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await browser.close();
  return 'ok: the tester sends, logs and saves';
});

function button(page, name) {
  return page.getByRole('button', { name, exact: true });
}

function tokenField(page) {
  return page.getByLabel('Token', { exact: true });
}

/** It begins with what document 002 says, and offers the rest; with a place comes what is sent there first. */
async function presets(page) {
  const [endpoint, template] = [page.getByLabel('Endpoint'), page.getByLabel('Template')];
  const message = async () => JSON.parse(await page.getByRole('textbox', { name: 'Message' }).inputValue());
  const chosen = async () => [await endpoint.inputValue(), await template.locator('option:checked').textContent()];
  same(await chosen(), ['/ws/sensor-data/', 'sensor_data'], 'where it connects to at first, and what it sends');
  same(await message(), { type: 'sensor_data', sensor_id: 1, value: 25.5 }, 'the message at first');
  const expected = {
    'Sensors of one device': ['/ws/device/1/', 'sensor_data'],
    'One sensor': ['/ws/sensor/1/', 'sensor_data'],
    States: ['/api/ws', 'states:create'],
  };
  for (const [name, place] of Object.entries(expected)) {
    await page.getByLabel('Preset').selectOption({ label: name });
    same(await chosen(), place, name);
  }
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
  await tokenField(page).fill(token);
  same(await tokenField(page).getAttribute('type'), 'password', 'who stands behind does not read the token: its type');
  await button(page, 'Show what was typed as token').click();
  same(await tokenField(page).getAttribute('type'), 'text', 'the type of a token that is to be seen');
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
  await tokenField(page).fill('');
  await button(page, 'Connect').click();
  await until(page, 'the refusal is logged', () =>
    [...document.querySelectorAll('.entry.error')].some((entry) => entry.textContent.includes('authentication required')),
  );
  await shows(page, '.controls .condition', 'Not connected', 'the connection');
  for (const transports of ['polling,websocket', 'websocket', 'polling']) {
    doing(`connecting over ${transports}`);
    await button(page, 'Clear').click();
    await tokenField(page).fill(token);
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
    await packets(page, transports);
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

/** What Engine.IO sends is listed as it is written, also that of a change of transport; a packet's JSON can be read. */
async function packets(page, transports) {
  const wanted = { 'polling,websocket': ['↑2probe', '↓3probe', '↑5'], websocket: [], polling: [] }[transports];
  const found = await page.locator('.entry').evaluateAll((entries) => {
    const part = (entry, name) => entry.querySelector(name).textContent;
    const packets = entries.filter((entry) => part(entry, '.kind') === 'packet').map((entry) => part(entry, '.arrow') + part(entry, '.text'));
    return packets.filter((packet) => /^.(?:[23]probe|5)$/.test(packet));
  });
  same(found, wanted, `the packets of a change of transport, over ${transports}`);
  const emitted = '420["states:get",{"entity_id":"light.tester"}]';
  await page.locator('.entry.out', { hasText: emitted }).click();
  const pretty = JSON.stringify(JSON.parse(emitted.slice(3)), null, 2);
  await shows(page, '.whole pre', `420\n${pretty}`, 'a packet, whole');
  await button(page, 'Close').click();
}

/** Who lost a connection is told which try to come back it is. */
async function reconnecting(page, context, token) {
  doing('breaking the connection');
  await tokenField(page).fill(token);
  await button(page, 'Connect').click();
  await shows(page, '.controls .condition', 'Connected', 'the connection');
  await context.setOffline(true);
  await shows(page, '.controls .condition', 'Reconnecting, attempt 1', 'the connection after a break');
  await shows(page, '.controls .condition', 'Reconnecting, attempt 2', 'the connection after a second break');
  await button(page, 'Disconnect').waitFor();
  await context.setOffline(false);
  await shows(page, '.controls .condition', 'Connected', 'the connection that came back');
  await button(page, 'Disconnect').click();
}

/** Settings are there again after a reload; the token is not, nor anywhere in the browser. */
async function kept(page, token) {
  doing('loading the page again');
  await page.getByLabel('Namespace').fill('/states');
  await page.getByLabel('Auth, JSON').fill(JSON.stringify({ token }));
  const stored = await page.evaluate(() => JSON.stringify([{ ...sessionStorage }, { ...localStorage }]));
  check(stored.includes('/states') && !stored.includes(token), `what is kept: ${stored}`);
  await page.reload();
  await shows(page, '.controls .choice [aria-pressed="true"]', 'Socket.IO', 'the protocol that was chosen');
  const values = [page.getByLabel('Namespace'), page.getByLabel('Transport'), page.getByLabel('Auth, JSON'), tokenField(page)];
  same(await Promise.all(values.map((field) => field.inputValue())), ['/states', 'polling', '{}', ''], 'the fields');
}

/** Where there is room for one side only, what one did is answered on the screen. */
async function phone(page, token) {
  doing('connecting on a phone');
  await page.setViewportSize(SIZES.phone);
  await tokenField(page).fill(token);
  const seen = () => {
    const [entry, log] = ['.entry:last-child', '.entries'].map((name) => document.querySelector(name)?.getBoundingClientRect());
    return entry && entry.height > 0 && entry.bottom <= log.bottom + 1 && log.bottom <= innerHeight + 1;
  };
  await button(page, 'Connect').click();
  await shows(page, '.sides .condition', 'Connected', 'the connection');
  await until(page, 'the newest entry is in view', seen);
  const tops = await page.locator('.log .bar button').evaluateAll((buttons) => buttons.map((each) => each.offsetTop));
  same(new Set(tops).size, 1, `rows of buttons, at ${tops}`);
  await fits(page, 'the log on a phone');
  await button(page, 'Connection').click();
  await page.getByLabel('Template').selectOption({ label: 'states:get' });
  await button(page, 'Send').click();
  await until(page, 'the answer is in view', () => document.querySelector('.entries').textContent.includes('"success":true'));
  await until(page, 'the newest entry is in view again', seen);
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
