// The console's page of areas in Chromium, as a person uses it: makes areas with entities that are completed, changes
// them, also while somebody else does, enables and deletes them; lets screens in by their codes, gives them areas,
// looks at what they were sent, and sends them away. With the keyboard alone; with names that look like markup; for
// nobody but admins; and nothing on the page that is secret.
//
//   node areas.mjs --address HOST:PORT --token T --password P [--screenshot DIR]
//
// T is a token of an admin, P the password of `admin`. The server has no areas, clients and entities but those made here.

import WebSocket from 'ws';
import { SIZES, fingers, fits, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, requests, same, script, short, writes } from './client.mjs';

const OPTIONS = { password: { type: 'string', required: true }, screenshot: { type: 'string' } };
const MARKUP = '<img src=x onerror="document.body.dataset.injected=1">';
const STATES = {
  'light.kitchen': { state: 'on', attributes: { friendly_name: 'Kitchen light' } },
  'sensor.kitchen_temperature': { state: '21.4', attributes: { friendly_name: 'Kitchen temperature', unit_of_measurement: '°C' } },
  'light.hall': { state: 'off' },
  'text.markup': { state: 'x', attributes: { friendly_name: MARKUP } },
};
const NAMES = '.areas .area .name';
/** How long the page may take to notice that its network is gone or back. */
const RECONNECTED_MS = 45_000;

/** Has the page come back with a cursor of another life of the database, once it is told to. */
const STALE = () => {
  window.WebSocket = class extends WebSocket {
    constructor(url) {
      super(window.isStale ? url.replace(/since=[^&]*/, 'since=0000000000000000.5') : url);
    }
  };
};

await script(180, OPTIONS, async ({ address, token, password, screenshot }) => {
  const send = requests({ address, token });
  await writes(send, STATES);
  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop, colorScheme: 'light' });
  await context.addInitScript(STALE);
  const url = `http://${address}/?token=${encodeURIComponent(token)}#/areas`;
  const { page, problems } = await open(context, url);
  await until(page, 'it is live', () => document.body.dataset.connection === 'live');

  await knows(page);
  await makes(page, send);
  await changes(page, send);
  await isToldOfOthers(page, send);
  await conflicts(page, send);
  await deletes(page, send);
  const secrets = [token, ...(await pairs(page, { address, send, screenshot }))];
  await assigns(page, { address, send, secrets, screenshot });
  await comesBack(page, context, send);
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await secret(page, secrets);
  await revokes(page, send);
  await phone(browser, url, address);
  await others(browser, { address, send, password });
  await browser.close();
  return 'ok: areas, clients and pairings are looked after';
});

function button(page, name) {
  return page.getByRole('button', { name, exact: true });
}

async function areaIn(send, name) {
  const { body } = await send('GET', '/api/areas');
  return body.items.find((each) => each.name === name);
}

/** A listing holds but for what is told while it comes in: it may be older than that. */
async function knows(page) {
  doing('listing while something is told');
  const known = await page.evaluate(async () => {
    const { Areas } = await import('/console/live/areas.js');
    const areas = new Areas();
    const told = (userCode, status) => areas.hear({ type: 'pairing_changed', userCode, status });
    for (const code of ['OVER', 'DENIED', 'LISTED']) told(code, 'pending');
    await areas.listPairings(async () => {
      told('DENIED', 'denied');
      told('NEW', 'pending');
      return { items: [{ userCode: 'DENIED' }, { userCode: 'LISTED' }], next: null };
    });
    return [...areas.pairings.all.keys()];
  });
  same(known, ['LISTED', 'NEW'], 'the pairings that wait');
}

/** With the keyboard alone, and what the server refuses is said. */
async function makes(page, send) {
  doing('making an area');
  await button(page, 'New area').focus();
  await page.keyboard.press('Enter');
  await until(page, 'its name is asked for', () => document.activeElement.name === 'name');
  await page.keyboard.type('   ');
  await page.keyboard.press('Enter');
  await until(page, 'it says what is wrong', () => document.querySelector('.area-form .wrong')?.textContent.length > 8);
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('Kitchen');
  await page.keyboard.press('Tab');
  await page.keyboard.type('KITCHEN');
  const offered = '.offers [role="option"] > :first-child';
  await texts(page, offered, ['Kitchen light', 'Kitchen temperature'], 'what fits');
  await page.keyboard.press('ArrowDown');
  await until(page, 'the second is active', () => {
    const active = document.getElementById(document.activeElement.getAttribute('aria-activedescendant'));
    return active?.ariaSelected === 'true' && active.textContent.startsWith('Kitchen temperature');
  });
  await page.keyboard.press('Enter');
  await page.keyboard.type('light.h');
  await texts(page, offered, ['Hall', 'light.h'], 'what has such an id, or may have it');
  await page.keyboard.press('Enter');
  await page.keyboard.type('fan.attic');
  await texts(page, '.offers .entity-id', ['not there yet'], 'an id that nothing has');
  await page.keyboard.press('Enter');
  await page.keyboard.type('zzz');
  await shows(page, '.picker .hint', 'Nothing like that is known. An entity id looks like light.porch.', 'of what does not fit');
  for (let at = 0; at < 3; at += 1) await page.keyboard.press('Backspace');
  const chosen = '.area-form .chips li';
  await texts(page, chosen, ['Kitchen temperature', 'Hall', 'Attic'], 'what is chosen');
  await page.keyboard.press('Backspace');
  await texts(page, chosen, ['Kitchen temperature', 'Hall'], 'what is chosen after Backspace');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await texts(page, NAMES, ['Kitchen'], 'the areas');
  await until(page, 'the button has the focus again', () => document.activeElement.textContent === 'New area');
  const { entityIds, isEnabled } = await areaIn(send, 'Kitchen');
  same([entityIds, isEnabled], [['sensor.kitchen_temperature', 'light.hall'], true], 'the area at the server');
}

/** Its name, what is in it, and whether it is enabled. */
async function changes(page, send) {
  doing('changing an area');
  await button(page, 'Edit Kitchen').click();
  await page.locator('.area-form').getByLabel('Name').fill(`Kitchen ${MARKUP}`);
  await button(page, 'Remove Hall').click();
  await page.getByRole('combobox').fill('img');
  await page.getByRole('option').first().click();
  await button(page, 'Save').click();
  await texts(page, NAMES, [`Kitchen ${MARKUP}`], 'the areas');
  await texts(page, '.areas .chips li', ['Kitchen temperature', MARKUP], 'what is in it');
  await until(page, 'Edit has the focus again', () => document.activeElement.textContent === 'Edit');
  await button(page, `Edit Kitchen ${MARKUP}`).click();
  await page.locator('.area-form').getByLabel('Name').fill('Kitchen');
  await page.keyboard.press('Enter');
  await texts(page, NAMES, ['Kitchen'], 'the areas');
  await page.getByRole('switch', { name: 'Kitchen is enabled' }).press('Space');
  await texts(page, '.areas [role="switch"]', ['Disabled'], 'whether it is enabled');
  // The page shows what is asked for before the server has done it.
  for (let tries = 0; tries < 100 && (await areaIn(send, 'Kitchen')).isEnabled; tries += 1) await page.waitForTimeout(100);
  same((await areaIn(send, 'Kitchen')).isEnabled, false, 'whether it is enabled at the server');
  await page.getByRole('switch', { name: 'Kitchen is enabled' }).click();
  await texts(page, '.areas [role="switch"]', ['Enabled'], 'whether it is enabled again');
}

/** What somebody else does is here at once. */
async function isToldOfOthers(page, send) {
  doing('changing areas from elsewhere');
  const { body } = await send('POST', '/api/areas', { name: 'Bath', entityIds: ['light.hall'] });
  await texts(page, NAMES, ['Bath', 'Kitchen'], 'the areas');
  await send('PATCH', `/api/areas/${body.id}/toggle`, { isEnabled: false });
  await texts(page, '.areas [role="switch"]', ['Disabled', 'Enabled'], 'which are enabled');
  await send('PATCH', `/api/areas/${body.id}`, { name: 'Wash', entityIds: [] });
  await texts(page, NAMES, ['Kitchen', 'Wash'], 'the areas, by their names');
  same((await send('DELETE', `/api/areas/${body.id}`)).status, 204, 'deleting it');
  await texts(page, NAMES, ['Kitchen'], 'the areas, one less');
}

/** Two at once: neither loses anything without being told. */
async function conflicts(page, send) {
  const { id } = await areaIn(send, 'Kitchen');
  const form = page.locator('.area-form');
  const sides = '.sides-by-side > div > p';

  doing('editing what somebody else changes');
  await button(page, 'Edit Kitchen').click();
  await form.getByLabel('Name').fill('Mine');
  await send('PATCH', `/api/areas/${id}`, { name: 'Theirs', entityIds: ['light.hall'] });
  await texts(page, sides, ['Theirs', 'Mine'], 'both');
  check(await button(page, 'Save').isDisabled(), 'it can be saved over what somebody else did');
  await button(page, 'Go on with mine').click();
  await texts(page, '.area-form .chips li', ['Hall'], 'of what was not touched, theirs');
  await button(page, 'Save').click();
  await texts(page, NAMES, ['Mine'], 'the areas');
  same((await areaIn(send, 'Mine')).entityIds, ['light.hall'], 'their entities');

  doing('saving what somebody else has just changed');
  await button(page, 'Edit Mine').click();
  await form.getByLabel('Name').fill('Late');
  const isPatch = (request) => request.method() === 'PATCH';
  await page.route(`**/api/areas/${id}`, async (route) => {
    if (isPatch(route.request())) await send('PATCH', `/api/areas/${id}`, { name: 'First' });
    await route.continue();
  }, { times: 1 });
  const [answer] = await Promise.all([page.waitForResponse((response) => isPatch(response.request())), button(page, 'Save').click()]);
  check([409, 412].includes(answer.status()), `the server answered ${answer.status()}`);
  await texts(page, sides, ['First', 'Late'], 'both, by the refusal');
  await button(page, 'Take theirs').click();
  same(await form.getByLabel('Name').inputValue(), 'First', 'the name that was taken');
  await button(page, 'Save').click();
  await texts(page, NAMES, ['First'], 'the areas');

  doing('editing what somebody else disables');
  await button(page, 'Edit First').click();
  await form.getByLabel('Name').fill('Kitchen');
  await send('PATCH', `/api/areas/${id}/toggle`, { isEnabled: false });
  await send('PATCH', `/api/areas/${id}/toggle`, { isEnabled: true });
  await button(page, 'Save').click();
  await texts(page, NAMES, ['Kitchen'], 'the areas: that is no conflict');

  doing('editing what somebody else deletes');
  const { body: gone } = await send('POST', '/api/areas', { name: 'Gone', entityIds: ['light.hall'] });
  await button(page, 'Edit Gone').click();
  await form.getByLabel('Name').fill('Kept');
  await send('DELETE', `/api/areas/${gone.id}`);
  await page.getByRole('alert').filter({ hasText: 'Somebody else deleted this area meanwhile' }).waitFor();
  await form.getByRole('button', { name: 'Create' }).click();
  await texts(page, NAMES, ['Kept', 'Kitchen'], 'the areas: what was typed is kept');
}

/** Once more is asked; who thinks better of it changes nothing. */
async function deletes(page, send) {
  doing('deleting an area');
  await button(page, 'Delete Kept').click();
  await shows(page, 'dialog h2', 'Delete Kept?', 'the question');
  await page.keyboard.press('Escape');
  await until(page, 'it is not asked any more', () => !document.querySelector('dialog'));
  await until(page, 'the button has the focus again', () => document.activeElement.ariaLabel === 'Delete Kept');
  await page.keyboard.press('Enter');
  await page.locator('dialog').getByRole('button', { name: 'Delete' }).click();
  await texts(page, NAMES, ['Kitchen'], 'the areas');
  await until(page, 'the heading has the focus', () => document.activeElement.id === 'areas');
  same(await areaIn(send, 'Kept'), undefined, 'the area at the server');
}

/** A screen is let in by its code, another is not. Gives what must be seen nowhere. */
async function pairs(page, { address, send, screenshot }) {
  const screen = requests({ address });
  const asks = async (name) => (await screen('POST', '/api/pairing', { name })).body;
  doing('pairing a screen');
  const hall = await asks(`Hall ${MARKUP}`);
  const stranger = await asks('Stranger');
  await texts(page, '.pairing .code', [hall.userCode, stranger.userCode], 'the codes of those that ask');
  await texts(page, '.pairing .name', [`Hall ${MARKUP}`, 'Stranger'], 'their names');
  await until(page, 'it says how long they wait', () => /^Asked \d+ s ago, (10:00|9:5\d) left$/.test(document.querySelector('.who-asks .aside').textContent));

  const code = page.getByLabel('Code on the screen');
  await code.fill('bbbbbbbb');
  await code.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'No screen waits with the code BBBB-BBBB.' }).waitFor();
  await code.fill(hall.userCode.toLowerCase().replace('-', ' '));
  await code.press('Enter');
  const terms = page.locator('.terms');
  same(await terms.getByLabel('Name').inputValue(), `Hall ${MARKUP}`, 'the name that it gave itself');
  if (screenshot) await pictures(page, screenshot, 'areas-pairing');
  await terms.getByLabel('Name').fill('Hall tablet');
  await terms.getByLabel('Kitchen').check();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await texts(page, '.client .name', ['Hall tablet'], 'the clients');
  await texts(page, '.pairing .code', [stranger.userCode], 'the codes that are left');
  await button(page, 'Deny Stranger').click();
  await texts(page, '.pairing .code', [], 'the codes after that');

  const given = await screen('POST', '/api/pairing/token', { deviceCode: hall.deviceCode });
  check(given.status === 200, short(given));
  const refused = await screen('POST', '/api/pairing/token', { deviceCode: stranger.deviceCode });
  same([refused.status, refused.body.error], [400, 'access_denied'], 'what the stranger is told');
  const [{ areaIds, name }] = (await send('GET', '/api/clients')).body.items;
  same([areaIds, name], [[(await areaIn(send, 'Kitchen')).id], 'Hall tablet'], 'the client at the server');
  return [given.body.token, hall.deviceCode];
}

/** Whether a client is live, which areas it has, what it is called, and what it is sent. */
async function assigns(page, { address, send, secrets: [, token], screenshot }) {
  doing('looking after a client');
  const { body: study } = await send('POST', '/api/areas', { name: 'Study', entityIds: ['light.hall'] });
  await shows(page, '.client .condition', 'Never seen', 'whether it is there');
  await button(page, 'Hall tablet Never seen').click();
  const screen = new WebSocket(`ws://${address}/`, { headers: { Authorization: `Bearer ${token}` } });
  screen.on('error', () => undefined);
  await shows(page, '.client .condition', 'Live', 'whether it is there now');
  const details = page.locator('.client .details');
  await details.getByLabel('Study').check();
  await shows(page, '.client .shows', `Shows Kitchen, Study ${await clientId(send)}`, 'what it shows');
  await sent(page, 'area_added', 'Study');
  await page.getByRole('switch', { name: 'Study is enabled' }).click();
  await sent(page, 'area_disabled', 'Study');
  await details.getByLabel('Study').uncheck();
  await sent(page, 'area_removed', 'Study');
  same((await send('GET', `/api/clients/${await clientId(send)}`)).body.areaIds.includes(study.id), false, 'whether it has it still');

  doing('renaming a client');
  await details.getByLabel('Name').fill(`Hall ${MARKUP}`);
  await details.getByRole('button', { name: 'Rename' }).click();
  await shows(page, '.client .name', `Hall ${MARKUP}`, 'its name');
  await details.getByLabel('Name').fill('Hall tablet');
  await page.keyboard.press('Enter');
  await shows(page, '.client .name', 'Hall tablet', 'its name');

  doing('reading what it was sent');
  for (const event of await page.locator('.trace summary').all()) await event.click();
  await until(page, 'it is written out', () => document.querySelector('.trace pre')?.textContent.includes('"timestamp"'));
  if (screenshot) await pictures(page, screenshot, 'areas');
  screen.close();
  await until(page, 'it is away', () => /^Away, seen \d+ s ago$/.test(document.querySelector('.client .condition').textContent));
}

async function clientId(send) {
  return (await send('GET', '/api/clients')).body.items[0].id;
}

/** The newest that the client was sent. */
async function sent(page, event, about) {
  await shows(page, '.trace li .event', event, 'what it was sent last');
  await shows(page, '.trace li .about', about, 'what that was about');
}

/** What happened while it was away is there when it is back, also if the server does not know what it missed. */
async function comesBack(page, context, send) {
  const names = { Study: 'Office', Office: 'Library' };
  for (const [before, after] of Object.entries(names)) {
    doing(`being away while ${before} becomes ${after}`);
    await context.setOffline(true);
    await until(page, 'it says so', () => document.body.dataset.connection === 'offline', null, RECONNECTED_MS);
    await page.locator('.trouble').filter({ hasText: /What you see may be out of date/ }).waitFor();
    await send('PATCH', `/api/areas/${(await areaIn(send, before)).id}`, { name: after });
    await context.setOffline(false);
    await until(page, 'it is live', () => document.body.dataset.connection === 'live', null, RECONNECTED_MS);
    await texts(page, NAMES, ['Kitchen', after], 'the areas when it is back');
    await page.evaluate(() => (window.isStale = true));
  }
}

/** Nothing that opens a door is anywhere on the page, and what looks like markup is text. */
async function secret(page, secrets) {
  doing('looking for secrets');
  const text = await page.evaluate(() => document.documentElement.outerHTML + [...document.querySelectorAll('input')].map(({ value }) => value));
  secrets.forEach((each, at) => check(!text.includes(each), `secret ${at} is on the page`));
  check(!/"?(token|deviceCode|ticket|password)"?:/i.test(text), 'a key of a secret is on the page');
  const made = await page.evaluate(() => [document.querySelectorAll('img').length, document.body.dataset.injected ?? 'no']);
  same(made, [0, 'no'], 'elements that markup became');
}

/** Its access ends, and it is forgotten. */
async function revokes(page, send) {
  doing('revoking a client');
  const [revoke, dialog] = [button(page, 'Revoke access'), page.locator('dialog')];
  await revoke.click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await revoke.click();
  await dialog.getByRole('button', { name: 'Revoke' }).click();
  await shows(page, '.client .condition', 'Revoked', 'whether it has access');
  same((await send('GET', `/api/clients/${await clientId(send)}`)).body.revoked, true, 'whether it is revoked');
  await page.locator('.client .details').getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await texts(page, '.client .name', [], 'the clients');
  await until(page, 'the heading has the focus', () => document.activeElement.id === 'clients');
}

/** Nothing is wider than a phone, or too small for fingers. */
async function phone(browser, url, address) {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const { page } = await open(context, url);
  const { body } = await requests({ address })('POST', '/api/pairing', { name: `Tablet with a name of ${'many'.repeat(20)} words` });
  await button(page, 'Edit Kitchen').click();
  await page.locator('.pairing').getByRole('button', { name: 'Approve' }).click();
  await fits(page, 'the areas on a phone');
  await fingers(page, 'the areas');
  await page.goto(url.replace('/?', `/pair?code=${body.userCode}&`).replace('#/areas', ''));
  await shows(page, '.pairing .code', body.userCode, 'the code');
  await fits(page, 'the answer on a phone');
  await fingers(page, 'the answer');
  await page.getByRole('button', { name: 'Deny' }).click();
  await shows(page, '.pair h1', `Tablet with a name of ${'many'.repeat(20)} words was denied`, 'the answer');
  await context.close();
}

/** Who is no admin is told so. Who is nobody is asked, and is where they wanted to be. */
async function others(browser, { address, send, password }) {
  doing('coming as a user');
  const { body } = await send('POST', '/api/tokens', { role: 'user', ttl: 3600 });
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page } = await open(context, `http://${address}/?token=${encodeURIComponent(body.token)}#/areas`);
  await shows(page, '#only-admins h2', 'Areas are for admins', 'what users are told');
  same(await page.locator('.area').count(), 0, 'areas that a user sees');

  doing('coming as nobody');
  const { body: asked } = await requests({ address })('POST', '/api/pairing', { name: 'Porch' });
  await page.goto(`http://${address}/pair?code=${asked.userCode.toLowerCase()}`);
  await page.getByLabel('Username').fill('admin');
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await shows(page, '.pairing .code', asked.userCode, 'the code, after signing in');
  await page.locator('.terms').getByLabel('Kitchen').check();
  await button(page, 'Pair it').click();
  await shows(page, '.pair h1', 'Porch is paired', 'the answer');
  await page.reload();
  await until(page, 'there is nothing to answer', () => document.querySelector('.pair')?.textContent.includes('No screen waits with the code'));
  await page.getByRole('link', { name: 'All areas and clients' }).click();
  await texts(page, '.client .name', ['Porch'], 'the clients');
  await button(page, 'Sign out').click();
  await page.locator('#enter').waitFor();
  same(await page.locator('.area, .client').count(), 0, 'what is still shown');
  await context.close();
}
