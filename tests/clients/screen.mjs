// A tablet on a wall in Chromium, which nobody touches: it shows a code and a QR code of where an admin answers, goes
// live when the admin has, follows states, areas and what is taken from it, says when it is offline and comes back with
// what it missed, and asks to be paired again when its access ends. A code whose time is over is replaced; who is denied
// may try again.
//
//   node screen.mjs --address HOST:PORT --token T [--screenshot DIR]
//
// T is a token of an admin. The server has no areas, clients and entities but those made here.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SIZES, TABLET, fits, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, requests, same, script, writes } from './client.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const EVERY_SIZE = { ...SIZES, ...TABLET };
const MARKUP = '<img src=x onerror="document.body.dataset.injected=1">';
const STATES = {
  'light.kitchen': { state: 'on', attributes: { friendly_name: 'Worktop' } },
  'sensor.kitchen_temperature': { state: '21.4', attributes: { friendly_name: 'Temperature', unit_of_measurement: '°C' } },
  'text.markup': { state: MARKUP, attributes: { friendly_name: MARKUP } },
  'light.hall': { state: 'off', attributes: { friendly_name: 'Ceiling' } },
  'lock.front_door': { state: 'locked', attributes: {} },
};
/** How long a screen may take to notice that its network is gone or back. */
const RECONNECTED_MS = 45_000;
const VALUES = '.tile .value .state';
/** In the manner of RFC 8628: eight letters without vowels. */
const CODE = /^[A-Z]{4}-[A-Z]{4}$/;

await script(240, OPTIONS, async ({ address, token, screenshot }) => {
  const send = requests({ address, token });
  await writes(send, STATES);
  const kitchen = await make(send, 'Kitchen', ['light.kitchen', 'sensor.kitchen_temperature', 'text.markup']);
  const hall = await make(send, 'Hall', ['light.hall']);

  const browser = await launch();
  // The screen and whoever answers it know nothing of each other.
  const context = await browser.newContext({ viewport: TABLET.tablet, colorScheme: 'light' });
  const { page, problems } = await open(context, `http://${address}/screen`);
  const admin = await (await browser.newContext({ viewport: SIZES.phone })).newPage();
  const answerAt = (uri) => admin.goto(`${uri}&token=${encodeURIComponent(token)}`);

  const uri = await invites(page, { browser, address, screenshot });
  await isNamed(page);
  await isDenied(page, admin, answerAt);
  await runsOut(browser, address);
  await isPaired(page, admin, { answerAt, uri, screenshot });
  const { token: secret } = await kept(page);
  await follows(page, send, kitchen);
  await losesAreas(page, send, { kitchen, hall });
  await comesBack(page, context, send);
  await isKept(page, secret);
  await isRevoked(page, send, screenshot);
  await isRefused(page);
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await browser.close();
  return 'ok: the screen is paired, follows and is sent away';
});

async function make(send, name, entityIds) {
  const { status, body } = await send('POST', '/api/areas', { name, entityIds });
  same(status, 201, name);
  return body.id;
}

/** What the browser keeps of it. */
function kept(page) {
  return page.evaluate(() => ({ token: localStorage.getItem('client_token'), name: localStorage.getItem('bellwire.screen') }));
}

async function codeOn(page, before = '') {
  const other = (before) => {
    const code = document.querySelector('.invitation .code')?.textContent ?? '';
    return code !== before && code;
  };
  return until(page, 'it shows another code', other, before);
}

/** A code, and the same for a camera. Gives where it leads. */
async function invites(page, { browser, address, screenshot }) {
  const code = await codeOn(page);
  check(CODE.test(code), code);
  await until(page, 'it waits', () => document.body.dataset.connection === 'waiting');
  await shows(page, '.invitation .address', `${address}/pair`, 'where to go');
  await until(page, 'it says for how long', () => /^Another code comes in (10:00|9:5\d)$/.test(document.querySelector('.left').textContent));
  same(await page.locator('header, nav').count(), 0, 'frames and menus');
  if (screenshot) await pictures(page, screenshot, 'screen-code', EVERY_SIZE);
  for (const [name, size] of Object.entries(EVERY_SIZE)) {
    await page.setViewportSize(size);
    await fits(page, `the code on a ${name}`);
    const { bottom } = await page.locator('.invitation').evaluate((each) => each.getBoundingClientRect());
    check(bottom <= size.height, `the code is not in view on a ${name}: it ends at ${bottom}`);
  }
  await page.setViewportSize(TABLET.tablet);
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    same(await read(browser, await page.locator('.qr').screenshot()), `http://${address}/pair?code=${code}`, `what a camera reads, ${colorScheme}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  return `http://${address}/pair?code=${code}`;
}

/** The text of a QR code in a picture, as another program reads it. */
async function read(browser, picture) {
  const page = await browser.newPage();
  await page.addScriptTag({ content: await readFile(fileURLToPath(import.meta.resolve('jsqr')), 'utf8') });
  const text = await page.evaluate(async (picture) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const { width, height } = Object.assign(document.createElement('canvas'), { width: image.width, height: image.height });
    const context = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
    context.drawImage(image, 0, 0);
    return window.jsQR(context.getImageData(0, 0, width, height).data, width, height)?.data;
  }, picture.toString('base64'));
  await page.close();
  return text;
}

/** Its name is remembered; a code is for a name. */
async function isNamed(page) {
  doing('naming the screen');
  const code = await codeOn(page);
  await page.getByLabel('Name of this screen').fill(`Kitchen ${MARKUP}`);
  await page.getByRole('button', { name: 'Use this name' }).click();
  await codeOn(page, code);
  await shows(page, '.invitation h1', `Pair “Kitchen ${MARKUP}”`, 'what is paired');
  await page.reload();
  await shows(page, '.invitation h1', `Pair “Kitchen ${MARKUP}”`, 'what is paired after loading the page again');
  await page.getByLabel('Name of this screen').fill('Kitchen wall');
  await page.keyboard.press('Enter');
  await shows(page, '.invitation h1', 'Pair “Kitchen wall”', 'what is paired');
}

/** It says so, and another code is there for the asking. */
async function isDenied(page, admin, answerAt) {
  doing('denying the screen');
  const uri = await uriOn(page);
  await answerAt(uri);
  await admin.getByRole('button', { name: 'Deny Kitchen wall' }).click();
  await shows(page, '.denied h1', 'It was denied', 'what the screen says');
  await page.getByRole('button', { name: 'Try again' }).click();
  const code = await codeOn(page);
  check(!uri.endsWith(code), 'it is the same code');
}

/** Where its QR code leads. */
async function uriOn(page) {
  await codeOn(page);
  return (await page.locator('.qr').getAttribute('aria-label')).replace('QR code of ', '');
}

/** Nobody has to do anything about a code whose time is over. */
async function runsOut(browser, address) {
  doing('waiting for the end of a code');
  const context = await browser.newContext();
  await context.clock.install();
  const { page } = await open(context, `http://${address}/pairing`);
  const code = await codeOn(page);
  await context.clock.fastForward(10 * 60_000);
  await codeOn(page, code);
  await context.close();
}

/** The admin answers, and the screen is live. */
async function isPaired(page, admin, { answerAt, screenshot }) {
  doing('approving the screen');
  await answerAt(await uriOn(page));
  const terms = admin.locator('.terms');
  same(await terms.getByLabel('Name').inputValue(), 'Kitchen wall', 'the name that it gave itself');
  if (screenshot) await pictures(admin, screenshot, 'pair');
  await terms.getByLabel('Kitchen').check();
  await terms.getByLabel('Hall').check();
  await admin.getByRole('button', { name: 'Pair it' }).click();
  await shows(admin, '.pair h1', 'Kitchen wall is paired', 'what the admin is told');
  await texts(page, '.screen-area h1', ['Hall', 'Kitchen'], 'the areas of the screen');
  await texts(page, VALUES, ['off', 'on', '21.4', MARKUP], 'the states of what is in them');
  await texts(page, '.tile .name', ['Ceiling', 'Worktop', 'Temperature', MARKUP], 'their names');
  await until(page, 'it is live', () => document.body.dataset.connection === 'live');
  if (screenshot) await pictures(page, screenshot, 'screen', EVERY_SIZE);
  for (const [name, size] of Object.entries(EVERY_SIZE)) {
    await page.setViewportSize(size);
    await fits(page, `the areas on a ${name}`);
  }
  await page.setViewportSize(TABLET.tablet);
  const { size } = await page.locator('.tile .value').first().evaluate((each) => ({ size: parseFloat(getComputedStyle(each).fontSize) }));
  check(size >= 28, `states are ${size} px high: who stands across the room does not read them`);
}

/** States, and what an area is called and has in it. */
async function follows(page, send, kitchen) {
  doing('changing what the screen shows');
  await send('POST', '/api/states/light.kitchen', { ...STATES['light.kitchen'], state: 'off' });
  await texts(page, VALUES, ['off', 'off', '21.4', MARKUP], 'the states after a change');
  await send('PATCH', `/api/areas/${kitchen}`, { name: `Kitchen ${MARKUP}` });
  await texts(page, '.screen-area h1', ['Hall', `Kitchen ${MARKUP}`], 'the areas after a change');
  await send('PATCH', `/api/areas/${kitchen}`, { name: 'Kitchen', entityIds: ['lock.front_door', 'light.kitchen', 'fan.none'] });
  await texts(page, '.tile .name', ['Ceiling', 'Front door', 'Worktop', 'None'], 'what is in them by now');
  await texts(page, VALUES, ['off', 'locked', 'off', 'no state'], 'their states');
  await send('POST', '/api/states/fan.none', { state: 'on', attributes: {} });
  await texts(page, VALUES, ['off', 'locked', 'off', 'on'], 'one that came to be');
  await send('DELETE', '/api/states/fan.none');
  await texts(page, VALUES, ['off', 'locked', 'off', 'no state'], 'one that is gone');
  const made = await page.evaluate(() => [document.querySelectorAll('img').length, document.body.dataset.injected ?? 'no']);
  same(made, [0, 'no'], 'elements that markup became');
}

/** Areas that are disabled, taken away, given again. */
async function losesAreas(page, send, { kitchen, hall }) {
  doing('taking areas from the screen');
  await send('PATCH', `/api/areas/${kitchen}/toggle`, { isEnabled: false });
  await texts(page, '.screen-area h1', ['Hall', 'Kitchen switched off'], 'an area that is disabled');
  await texts(page, VALUES, ['off'], 'the states that are left');
  await send('POST', '/api/states/lock.front_door', { state: 'unlocked' });
  await send('PATCH', `/api/areas/${kitchen}/toggle`, { isEnabled: true });
  await texts(page, VALUES, ['off', 'unlocked', 'off', 'no state'], 'the states when it is enabled again');
  const { id } = (await send('GET', '/api/clients')).body.items[0];
  await send('DELETE', `/api/clients/${id}/areas/${hall}`);
  await texts(page, '.screen-area h1', ['Kitchen'], 'the areas when one was taken away');
  await send('PUT', `/api/clients/${id}/areas`, { areaIds: [] });
  await shows(page, '.notice h1', 'No area yet', 'a screen without areas');
  await send('PUT', `/api/clients/${id}/areas`, { areaIds: [kitchen, hall] });
  await texts(page, VALUES, ['off', 'unlocked', 'off', 'no state'], 'the states when they are given again');
  await send('DELETE', `/api/areas/${hall}`);
  await texts(page, '.screen-area h1', ['Kitchen'], 'the areas when one was deleted');
}

/** Without a network it says so, and shows what it knew; then, what happened meanwhile. */
async function comesBack(page, context, send) {
  doing('taking the network away');
  await context.setOffline(true);
  await until(page, 'it says so', () => document.body.dataset.connection === 'offline', null, RECONNECTED_MS);
  await shows(page, '.trouble', 'Offline. What you see may be out of date.', 'what is said');
  await send('POST', '/api/states/light.kitchen', { ...STATES['light.kitchen'], state: 'on' });
  await texts(page, VALUES, ['unlocked', 'off', 'no state'], 'what was known');
  await context.setOffline(false);
  await until(page, 'it is live', () => document.body.dataset.connection === 'live', null, RECONNECTED_MS);
  await texts(page, VALUES, ['unlocked', 'on', 'no state'], 'what happened meanwhile');
}

/** It is the same screen after loading the page again; its token is kept, and is nowhere to be seen. */
async function isKept(page, secret) {
  doing('loading the page again');
  await page.reload();
  await texts(page, VALUES, ['unlocked', 'on', 'no state'], 'the states after loading the page again');
  check(secret?.length > 20 && (await kept(page)).token === secret, 'the token is not kept');
  check(!(await page.content()).includes(secret), 'the token is on the page');
}

/** Its access ends while it looks on. */
async function isRevoked(page, send, screenshot) {
  doing('revoking the screen');
  const { id } = (await send('GET', '/api/clients')).body.items[0];
  same((await send('POST', `/api/clients/${id}/revoke`)).status, 200, 'revoking');
  await shows(page, '.note', 'This screen is not paired any more. Your access has been revoked by admin.', 'what the screen says');
  await codeOn(page);
  same(await kept(page), { token: null, name: 'Kitchen wall' }, 'what is kept');
  same(await page.locator('.tile').count(), 0, 'what it shows still');
  if (screenshot) await pictures(page, screenshot, 'screen-revoked', EVERY_SIZE);
}

/** A token that is no good leads to another pairing. */
async function isRefused(page) {
  doing('coming with a token that is no good');
  await page.evaluate(() => localStorage.setItem('client_token', 'x.y.z'));
  await page.reload();
  await codeOn(page);
  await until(page, 'it says why', () => document.querySelector('.note')?.textContent.startsWith('This screen is not paired any more.'));
  same((await kept(page)).token, null, 'the token that is kept');
}
