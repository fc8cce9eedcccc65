// The page at `/` in Chromium: shows an entity and its state, follows changes made elsewhere, and comes
// back by itself after the server was restarted, with what changed meanwhile.
//
//   node page.mjs --address HOST:PORT [--token T] [--entity ID] [--screenshot DIR]
//
// It prints `ready-for-restart`, expects the server to be stopped and started again on the same address
// and the line `restarted` on its standard input. What it reads from the page is part of the page's
// contract: a row `[data-entity-id="ID"]` holds `.state`, whose text is the state, and `data-connection`
// on `body` is `live`, `offline` or `connecting`. With --token the page is opened as `/?token=T`.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { launch } from './browser.mjs';
import { Connection, Difference, check, doing, rowReply, script } from './client.mjs';

const OPTIONS = {
  entity: { type: 'string', default: 'light.kitchen' },
  screenshot: { type: 'string' },
};

/** How long the page may take to show a change, and to notice that the server is gone or back. */
const SHOWN_MS = 10_000;
const RECONNECTED_MS = 45_000;

const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

await script(180, OPTIONS, async ({ address, token, entity, screenshot }) => {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  let writer = await Connection.open('writer', { address, token });
  await create(writer, entity, 'off');

  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`http://${address}/${token ? `?token=${encodeURIComponent(token)}` : ''}`);
  await shows(page, entity, 'off', SHOWN_MS, 'the state at the time of opening');
  await connection(page, (value) => value === 'live', SHOWN_MS, 'become live');

  await create(writer, entity, 'on');
  await shows(page, entity, 'on', SHOWN_MS, 'a change made by another client');
  if (screenshot) await pictures(page, screenshot);

  // Without a network the page cannot come back before the change below is made.
  await context.setOffline(true);
  writer.cut();
  doing('waiting for the line "restarted"');
  console.log('ready-for-restart');
  const { value: line } = await lines.next();
  check(line === 'restarted', `standard input: expected "restarted", got ${JSON.stringify(line)}`);
  await connection(page, (value) => value !== 'live', RECONNECTED_MS, 'notice that the server is gone');

  writer = await Connection.open('writer after the restart', { address, token });
  await create(writer, entity, 'changed meanwhile');
  await context.setOffline(false);
  await shows(page, entity, 'changed meanwhile', RECONNECTED_MS, 'the change made while it was away');
  await connection(page, (value) => value === 'live', RECONNECTED_MS, 'become live again');
  await create(writer, entity, 'off');
  await shows(page, entity, 'off', SHOWN_MS, 'a change made after it came back');

  check(errors.length === 0, `the page threw: ${errors.join('; ')}`);
  writer.cut();
  await browser.close();
  return 'ok: the page shows, follows and comes back';
});

/** Writes a state as another client. */
async function create(writer, entity_id, state) {
  const attributes = { friendly_name: 'Kitchen' };
  const reply = await writer.ask({ type: 'states:create', entity_id, state, attributes });
  rowReply(reply, 'states:create', { entity_id, state, attributes }, 'states:create');
}

/** Waits until the row of `entity` shows `state`. */
async function shows(page, entity, state, limitMs, what) {
  const selector = `[data-entity-id="${entity}"] .state`;
  doing(`waiting for the page to show ${what}`);
  await page
    .waitForFunction(
      ([selector, state]) => document.querySelector(selector)?.textContent.trim() === state,
      [selector, state],
      { timeout: limitMs },
    )
    .catch(async () => {
      const texts = await page.locator(selector).allTextContents();
      throw new Difference(`the page does not show ${what}: ${selector} is ${JSON.stringify(texts)}, not "${state}"`);
    });
}

/** Waits until `data-connection` of the page's body satisfies `wanted`. */
async function connection(page, wanted, limitMs, what) {
  const read = () => page.evaluate(() => document.body.dataset.connection);
  const deadline = Date.now() + limitMs;
  doing(`waiting for the page to ${what}`);
  while (!wanted(await read())) {
    check(Date.now() < deadline, `the page did not ${what}: data-connection is ${JSON.stringify(await read())}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const value = await read();
  check(['live', 'offline', 'connecting'].includes(value), `data-connection is ${JSON.stringify(value)}`);
}

/** Writes SIZE-SCHEME.png for each size and colour scheme, then leaves the page as it was. */
async function pictures(page, folder) {
  doing('taking pictures');
  await mkdir(folder, { recursive: true });
  for (const [name, size] of Object.entries(SIZES)) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
    }
  }
  await page.setViewportSize(SIZES.desktop);
  await page.emulateMedia({ colorScheme: null });
}
