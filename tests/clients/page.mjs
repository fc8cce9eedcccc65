// The console at `/` in Chromium: shows an entity and its state, follows changes made elsewhere, says when
// it has no connection, and comes back by itself after the server was restarted, with what changed meanwhile.
//
//   node page.mjs --address HOST:PORT [--token T] [--entity ID] [--screenshot DIR]
//
// It prints `ready-for-restart`, expects the server to be stopped and started again on the same address
// and the line `restarted` on its standard input. What it reads from the page is part of the page's
// contract: a row `[data-entity-id="ID"]` holds `.state`, whose text is the state (a moment reads like a time), and
// `data-connection` on `body` is `live`, `offline`, `connecting` or `catching-up`. With --token the page is opened as
// `/?token=T`.

import { createInterface } from 'node:readline';
import { SHOWN_MS, SIZES, fits, launch, open, pictures, shows, until } from './browser.mjs';
import { Connection, check, doing, rowReply, script } from './client.mjs';

const OPTIONS = {
  entity: { type: 'string', default: 'light.kitchen' },
  screenshot: { type: 'string' },
};

/** How long the page may take to notice that the server is gone or back. */
const RECONNECTED_MS = 45_000;

await script(180, OPTIONS, async ({ address, token, entity, screenshot }) => {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const state = `[data-entity-id="${entity}"] .state`;
  let writer = await Connection.open('writer', { address, token });
  await create(writer, entity, 'off');

  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const query = token ? `?token=${encodeURIComponent(token)}` : '';
  const { page, problems } = await open(context, `http://${address}/${query}`);
  const refusals = [];
  page.on('response', (response) => response.status() === 401 && refusals.push(response.url()));
  await page.reload();
  await connection(page, 'live');
  check(refusals.length === 0, `who is let in was refused at first: ${refusals}`);
  if (screenshot) await pictures(page, screenshot, 'states');
  // Of many entities only those in view are in the page.
  await page.locator('#filter').fill(entity);
  await shows(page, state, 'off', 'the state at the time of opening');
  await create(writer, entity, 'on');
  await shows(page, state, 'on', 'a change made by another client');

  // Without a network the page cannot come back before the change below is made.
  await context.setOffline(true);
  writer.cut();
  doing('waiting for the line "restarted"');
  console.log('ready-for-restart');
  const { value: line } = await lines.next();
  check(line === 'restarted', `standard input: expected "restarted", got ${JSON.stringify(line)}`);
  await connection(page, 'offline', RECONNECTED_MS);
  const trouble = page.locator('.trouble');
  await trouble.filter({ hasText: /What you see may be out of date.*Trying again/s }).waitFor({ timeout: SHOWN_MS });
  await shows(page, state, 'on', 'what was known last');
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page, 'offline at 360 px');
  await page.setViewportSize(SIZES.desktop);

  writer = await Connection.open('writer after the restart', { address, token });
  await create(writer, entity, 'changed meanwhile');
  await context.setOffline(false);
  const retry = page.getByRole('button', { name: 'Retry now' });
  // The browser tells the page that there is a network again, so the button may be gone already.
  if (await retry.isVisible()) await retry.click({ timeout: 1_000 }).catch(() => undefined);
  await shows(page, state, 'changed meanwhile', 'the change made while it was away', RECONNECTED_MS);
  await connection(page, 'live', RECONNECTED_MS);
  check(!(await trouble.isVisible()), 'the page still says that it is offline');
  await create(writer, entity, 'off');
  await shows(page, state, 'off', 'a change made after it came back');

  check(problems.length === 0, `the page: ${problems.join('; ')}`);
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

/** Waits until `data-connection` of the page's body is `wanted`. */
async function connection(page, wanted, limitMs = SHOWN_MS) {
  const is = (wanted) => document.body.dataset.connection === wanted;
  await until(page, `its connection is ${wanted}`, is, wanted, limitMs);
}
