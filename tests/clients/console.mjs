// The console in Chromium: groups, search, the keyboard alone, an entity's page with its history, moments as states,
// names and states that look like markup, addresses without a page, tabs that stay, a phone's width and what fingers
// press, light and dark, and what its policy refuses.
//
//   node console.mjs --address HOST:PORT --token T [--screenshot DIR]
//
// The server has no other entities than those made here.

import { SIZES, fingers, fits, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { Connection, check, doing, same, script } from './client.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const MARKUP = '<img src=x onerror="document.body.dataset.injected=1">';
const POWER = { friendly_name: 'Power', unit_of_measurement: 'W' };
const STATES = [
  ...['120', '180.5', 'unavailable', '90'].map((state) => ['sensor.power', state, POWER]),
  ...['off', 'on', 'off'].map((state) => ['light.kitchen', state, { friendly_name: 'Kitchen light' }]),
  ['light.bath', 'on', {}],
  ['sensor.steady', '14', { ...POWER, friendly_name: 'Steady' }],
  ['sensor.sunrise', '2026-02-03T04:05:06.5+00:00', {}],
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
  await ranges(page);
  await fills(page);
  await moments(page);
  await markup(page);
  await places(page, url);
  await themes(page);
  await phone(page, url);
  await touched(browser, url);
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
  await texts(page, '.rows .entity .name', ['Bath', 'Kitchen light', 'Power', 'Steady', 'Sunrise', `A ${MARKUP}`], 'the names');
  await shows(page, '#count', '6 entities', 'the count');
  await page.keyboard.press('/');
  await page.keyboard.type('LIGHT kitchen');
  await texts(page, groups, ['Light'], 'the domain that has what was searched');
  await shows(page, '#count', '1 of 6 entities', 'the count of what was found');
  await page.keyboard.type('zzz');
  await until(page, 'it says that nothing matches', () => document.querySelector('#empty')?.textContent.includes('Nothing matches'));
  await page.keyboard.press('Escape');
  await shows(page, '#count', '6 entities', 'the count after Escape');
}

/** Everything that the mouse can do in the list. */
async function keyboard(page) {
  await page.keyboard.press('ArrowDown');
  await until(page, 'the list has the focus', () => document.activeElement.id === 'states');
  await page.keyboard.press('Home');
  await until(page, 'the first group is active', ACTIVE, 'light.');
  await page.keyboard.press('ArrowLeft');
  await texts(page, '.rows .entity .name', ['Power', 'Steady', 'Sunrise', `A ${MARKUP}`], 'the names without a group that is closed');
  await page.reload();
  await texts(page, '.rows .entity .name', ['Power', 'Steady', 'Sunrise', `A ${MARKUP}`], 'the names after loading the page again');
  await page.keyboard.press('/');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowRight');
  await texts(page, '.rows .entity .name', ['Bath', 'Kitchen light', 'Power', 'Steady', 'Sunrise', `A ${MARKUP}`], 'the names when it is open again');
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

/** A range that would show what a shorter one shows cannot be chosen; others load what they say. */
async function ranges(page) {
  await page.locator('[data-entity-id="sensor.power"]').click();
  await texts(page, '.ranges [aria-pressed="true"]', ['1 h'], 'the shortest range that shows all');
  await texts(page, '.ranges :disabled', ['24 h', '7 d', '10 d'], 'ranges that show no more');
  await until(page, 'it says since when it knows', () => /^Known since .*: this is all$/.test(document.querySelector('.known')?.textContent));

  doing('looking at an entity of which more is known');
  const older = { entity_id: 'sensor.power', state: '100', attributes: {}, last_updated: '2026-01-01T00:00:00Z' };
  await page.route(/\/history\?to=/, (route) => route.fulfill({ json: { items: [older], next: null } }));
  await page.locator('[data-entity-id="sensor.steady"]').click();
  await shows(page, '#entity-name', 'Steady', 'another entity');
  await page.locator('[data-entity-id="sensor.power"]').click();
  await texts(page, '.ranges [aria-pressed="true"]', ['24 h'], 'the range at first');
  for (const range of ['the last hour', 'the last 7 days', 'the last 10 days']) {
    await page.getByRole('button', { name: range, exact: true }).click();
    await until(page, `${range} is loaded`, () => document.querySelector('.plot [role="img"]')?.ariaLabel.startsWith('Plot of 6 values'));
    same(await page.locator('.known').count(), 0, `words about what is known, of ${range}`);
  }
  await page.unroute(/\/history\?to=/);
}

/** Below a line is a colour only if the axis begins at 0: else it would be read as a quantity. */
async function fills(page) {
  for (const [id, has] of [['sensor.power', true], ['sensor.steady', false]]) {
    await page.locator('[data-entity-id="light.bath"]').click();
    await page.locator(`[data-entity-id="${id}"]`).click();
    const isFilled = (has) => {
      const canvas = document.querySelector('.plot .canvas.line canvas');
      if (!canvas) return false;
      const [x, height] = [canvas.width - 60, canvas.height];
      const column = canvas.getContext('2d').getImageData(x, Math.round(height * 0.1), 1, Math.round(height * 0.7)).data;
      const drawn = column.filter((_, at) => at % 4 === 3).filter((alpha) => alpha > 0).length;
      return drawn > 0 && drawn > height * 0.2 === has;
    };
    await until(page, `${id} is drawn ${has ? 'with' : 'without'} a colour below`, isFilled, has);
  }
}

/** A state that is a moment reads like the times beside it, in full when one asks. */
async function moments(page) {
  const row = '[data-entity-id="sensor.sunrise"]';
  const whole = await page.locator(`${row} .state`).getAttribute('title');
  check(whole.endsWith('(2026-02-03T04:05:06.5+00:00)'), whole);
  const time = await page.evaluate(async () => (await import('/console/frame/times.js')).recent(Date.parse('2026-02-03T04:05:06Z')));
  await page.locator(row).click();
  await shows(page, '#entity-name', 'Sunrise', 'the page of the moment');
  await texts(page, `${row} .state, .now .state, .changes .state, .plot .key`, [time, time, time, time], 'the moment wherever it stands');
}

/** An address without a page says so; tabs stay where they are. */
async function places(page, url) {
  const tabs = () => page.locator('nav a').evaluateAll((links) => links.map((link) => link.getBoundingClientRect().x));
  await page.goto(`${url}#/`);
  await shows(page, 'nav [aria-current]', 'States', 'the tab');
  const before = await tabs();
  await page.goto(`${url}#/nonsense`);
  await shows(page, '#not-found h2', 'There is no such page', 'a page that is not there');
  await shows(page, '#not-found code', '#/nonsense', 'where it should be');
  same(await tabs(), before, 'where the tabs are');
  await page.getByRole('link', { name: 'All states' }).click();
  await until(page, 'the states are shown', () => document.querySelector('.states'));
  await page.getByRole('link', { name: 'Protocol tester' }).click();
  await shows(page, '.tester h1', 'Protocol tester', 'the other page');
  same(await tabs(), before, 'where the tabs are on another page');
  await page.goto(url);
  await until(page, 'the states are shown again', () => document.querySelector('.states'));
}

/** What fingers press is 40 px high and wide at least, and names break where their words end. */
async function touched(browser, url) {
  const context = await browser.newContext({ viewport: SIZES.phone, hasTouch: true, isMobile: true });
  const { page } = await open(context, `${url}#/entity/sensor.power`);
  await shows(page, '#entity-name', 'Power', 'the entity on a phone');
  same(await page.locator('.attributes th').first().evaluate((name) => name.querySelectorAll('wbr').length), 2, 'where friendly_name may break');
  const { origin } = new URL(url);
  for (const place of [`${url}#/entity/sensor.power`, url, `${url}#/sign-in`, `${origin}/websocket-test/`]) {
    await page.goto(place);
    await until(page, `${place} is shown`, () => document.querySelector('.states, .ranges, .sign-in, .tester'));
    await fingers(page, place);
  }
  await context.close();
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
