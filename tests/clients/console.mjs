// The console in Chromium: groups, search, the keyboard alone, an entity's page with its history, names and
// states that look like markup, a phone's width, light and dark, and what its policy refuses.
//
//   node console.mjs --address HOST:PORT --token T [--screenshot DIR]
//
// The server has no other entities than those made here.

import { SIZES, fits, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { Connection, check, doing, script } from './client.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const MARKUP = '<img src=x onerror="document.body.dataset.injected=1">';
const POWER = { friendly_name: 'Power', unit_of_measurement: 'W' };
const STATES = [
  ...['120', '180.5', 'unavailable', '90'].map((state) => ['sensor.power', state, POWER]),
  ...['off', 'on', 'off'].map((state) => ['light.kitchen', state, { friendly_name: 'Kitchen light' }]),
  ['light.bath', 'on', {}],
  ['text.markup', MARKUP, { friendly_name: `A ${MARKUP}`, nested: { html: MARKUP } }],
];
const ACTIVE = (key) => document.activeElement.getAttribute('aria-activedescendant') === `row-${key}`;

await script(120, OPTIONS, async ({ address, token, screenshot }) => {
  const writer = await Connection.open('writer', { address, token });
  for (const [entity_id, state, attributes] of STATES) await create(writer, entity_id, state, attributes);

  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop, colorScheme: 'light' });
  const url = `http://${address}/?token=${encodeURIComponent(token)}`;
  const { page, problems } = await open(context, url);
  await search(page);
  await keyboard(page);
  await history(page, writer, screenshot);
  await markup(page);
  await themes(page);
  await phone(page, url);
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await policy(page, problems);
  writer.cut();
  await browser.close();
  return 'ok: the console is as it should be';
});

async function create(writer, entity_id, state, attributes) {
  const reply = await writer.ask({ type: 'states:create', entity_id, state, attributes });
  check(reply.success, JSON.stringify(reply));
}

/** Entities stand under their domains, and are found by name and id. */
async function search(page) {
  const groups = '.rows .group .name';
  await texts(page, groups, ['Light', 'Sensor', 'Text'], 'the domains');
  await texts(page, '.rows .entity .name', ['Bath', 'Kitchen light', 'Power', `A ${MARKUP}`], 'the names');
  await shows(page, '#count', '4 entities', 'the count');
  await page.keyboard.press('/');
  await page.keyboard.type('LIGHT kitchen');
  await texts(page, groups, ['Light'], 'the domain that has what was searched');
  await shows(page, '#count', '1 of 4 entities', 'the count of what was found');
  await page.keyboard.type('zzz');
  await until(page, 'it says that nothing matches', () => document.querySelector('#empty')?.textContent.includes('Nothing matches'));
  await page.keyboard.press('Escape');
  await shows(page, '#count', '4 entities', 'the count after Escape');
}

/** Everything that the mouse can do in the list. */
async function keyboard(page) {
  await page.keyboard.press('ArrowDown');
  await until(page, 'the list has the focus', () => document.activeElement.id === 'states');
  await page.keyboard.press('Home');
  await until(page, 'the first group is active', ACTIVE, 'light.');
  await page.keyboard.press('ArrowLeft');
  await texts(page, '.rows .entity .name', ['Power', `A ${MARKUP}`], 'the names without a group that is closed');
  await page.reload();
  await texts(page, '.rows .entity .name', ['Power', `A ${MARKUP}`], 'the names after loading the page again');
  await page.keyboard.press('/');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await texts(page, '.rows .entity .name', ['Bath', 'Kitchen light', 'Power', `A ${MARKUP}`], 'the names when it is open again');
  for (const key of ['ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  await until(page, 'an entity is active', ACTIVE, 'light.kitchen');
  const ring = await page.evaluate(() => getComputedStyle(document.getElementById('row-light.kitchen')).outlineStyle);
  check(ring === 'solid', `the active row has no outline that is seen: ${ring}`);
  await page.keyboard.press('Enter');
  await shows(page, '#entity-name', 'Kitchen light', 'the page of the entity');
  await until(page, 'its name has the focus', () => document.activeElement.id === 'entity-name');
  await page.keyboard.press('Escape');
  await until(page, 'the list is back, with its row', ACTIVE, 'light.kitchen');
}

/** The page of an entity: its state, its history as a plot and in words, and both go on. */
async function history(page, writer, screenshot) {
  await page.locator('[data-entity-id="sensor.power"]').click();
  await shows(page, '.now .value', '90 W', 'the state');
  await until(page, 'values are drawn as a line', () =>
    document.querySelector('.plot [role="img"]')?.ariaLabel.startsWith('Plot of 4 values. Lowest 90 W, highest 180.5 W'),
  );
  await texts(page, '.changes .state', ['90', 'unavailable', '180.5', '120'], 'the latest changes');
  await texts(page, '.attributes td', ['Power', 'W'], 'the attributes');
  await until(page, 'something is drawn', () => {
    const canvas = document.querySelector('.plot canvas');
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    return pixels.some((value) => value > 0);
  });
  if (screenshot) await pictures(page, screenshot, 'entity');
  await create(writer, 'sensor.power', '300', POWER);
  await texts(page, '.changes .state', ['300', '90', 'unavailable', '180.5', '120'], 'the latest changes, one more');
  await until(page, 'the line goes on', () =>
    document.querySelector('.plot [role="img"]').ariaLabel.startsWith('Plot of 5 values. Lowest 90 W, highest 300 W'),
  );
  for (const range of ['the last hour', 'the last 7 days', 'the last 10 days']) {
    await page.getByRole('button', { name: range, exact: true }).click();
    await until(page, `${range} is loaded`, () => document.querySelector('.plot [role="img"]')?.ariaLabel.startsWith('Plot of 5 values'));
  }
  await page.locator('[data-entity-id="light.kitchen"]').click();
  await shows(page, '#entity-name', 'Kitchen light', 'the page of another entity');
  await until(page, 'states are drawn as a timeline', () =>
    document.querySelector('.plot [role="img"]')?.ariaLabel.startsWith('Timeline of off, on'),
  );
  await page.goto(`${page.url().split('#')[0]}#/entity/light.nobody_has`);
  await until(page, 'it says that there is no such entity', () =>
    document.querySelector('.entity-page .notice')?.textContent.includes('There is no such entity'),
  );
}

/** What looks like markup is text, wherever it stands. */
async function markup(page) {
  await page.locator('[data-entity-id="text.markup"]').click();
  await shows(page, '.now .state', MARKUP, 'a state');
  await shows(page, '#entity-name', `A ${MARKUP}`, 'a name');
  await shows(page, '[data-entity-id="text.markup"] .state', MARKUP, 'a state in the list');
  await until(page, 'it is in the timeline', () => document.querySelector('.plot .key')?.textContent.startsWith('<img'));
  await shows(page, '.attributes td pre', JSON.stringify({ html: MARKUP }, null, 2), 'an attribute');
  const made = await page.evaluate(() => [document.querySelectorAll('img').length, document.body.dataset.injected ?? 'no']);
  check(made.join() === '0,no', `markup became elements: ${made}`);
}

/** As the system prefers, else as was chosen, which is kept. */
async function themes(page) {
  const is = (theme) => document.documentElement.dataset.theme === theme;
  await until(page, 'it is light', is, 'light');
  await page.emulateMedia({ colorScheme: 'dark' });
  await until(page, 'it is dark as the system is', is, 'dark');
  await page.getByRole('button', { name: 'Colours: system' }).click();
  await until(page, 'it is light, as was chosen', is, 'light');
  await page.reload();
  await until(page, 'it is light, as was chosen before', is, 'light');
}

/** Nothing is wider than a phone, and an entity takes the place of the list. */
async function phone(page, url) {
  await page.setViewportSize({ width: 360, height: 740 });
  const { origin } = new URL(url);
  const places = [url, `${url}#/entity/sensor.power`, `${url}#/entity/text.markup`, `${url}#/sign-in`, `${origin}/websocket-test/`];
  for (const place of places) {
    await page.goto(place);
    await page.reload();
    await until(page, `${place} is shown`, () => document.querySelector('.states, .plot canvas, .sign-in, .tester'));
    await fits(page, place);
  }
  await page.goto(`${url}#/entity/sensor.power`);
  await page.getByRole('link', { name: 'Back to all states' }).click();
  await until(page, 'the list is back', () => document.querySelector('.states') && !document.querySelector('.entity-page'));
}

/** What somebody might get into the page anyhow does not run. */
async function policy(page, problems) {
  doing('putting a handler and a script into the page');
  await page.evaluate((markup) => {
    document.querySelector('main').insertAdjacentHTML('beforeend', markup);
    const script = document.createElement('script');
    script.textContent = 'document.body.dataset.injected = 2';
    document.body.append(script);
  }, MARKUP);
  await until(page, 'the policy has refused them', () => !document.body.dataset.injected);
  check(problems.length >= 2, `the policy refused ${problems.length} of 2`);
}
