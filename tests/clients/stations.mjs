// The console's pages of battery stations in Chromium, as a person and an admin use them at once, each in a browser of
// their own: the admin makes a station and gives it batteries; the person books, collects and cancels; the admin marks
// ready, collects, cancels, takes the station offline and deletes it; and what one does is in the other's page. With what
// the server refuses, an answer that is lost, a thousand stations, a clock that is wrong, and a server that restarts, where
// what is held then ends soon. On a phone; by keys alone; and what guests, staff and tokens of nobody are offered.
//
//   node stations.mjs --address HOST:PORT --token T [--screenshot DIR]
//
// The server is a demo, T a token of an admin there. It prints `ready-for-restart`, and expects the server to be started
// again on the same address with `stations.hold` of HOLD_S, and the line `restarted` on its standard input.

import { createInterface } from 'node:readline';
import { SHOWN_MS, SIZES, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, requests, same, script, short } from './client.mjs';
import { PASSWORD, asks, badge, battery, booked, button, comes, confirms, counts, goTo, isAt, isLive, says } from './stations_page.mjs';
import { many, nobody, phone, staff } from './stations_steps.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const MARKUP = '<img src=x onerror="document.body.dataset.injected=1">';
/** How long the page may take to notice that its network is gone or back. */
const RECONNECTED_MS = 45_000;
/** How long a battery is held after the restart, in s. */
const HOLD_S = 8;
/** What a user may have booked at once. */
const BOOKINGS_MAX = 20;
/** How much later than a second begins it may be shown, in ms, and by how much a clock is wrong. */
const [LATE_MS, WRONG_MS] = [400, 150_000];

await script(145, OPTIONS, async ({ address, token, screenshot }) => {
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const send = requests({ address, token });
  const browser = await launch();
  await guests(browser, address);
  const people = await makes(send);
  const anna = await comes(browser, address, people.anna, { timezoneId: 'Asia/Kolkata' });
  const adam = await comes(browser, address, people.adam);
  const station = await begins(adam, anna, send);
  await fills(adam, anna, station);
  await books(anna, adam, send, station);
  await counts_down(anna, browser, { address, send, station });
  await picks(anna, adam, station);
  await isReady(anna, adam, station, screenshot);
  await collects(anna, adam, station);
  await cancels(anna, adam, station);
  await goesOn(anna, send, station);
  await clicks(anna, send, station);
  await tooMany(anna, send, station, screenshot);
  await closes(anna, adam, station, screenshot);
  await mine(anna, station, screenshot);
  await notified(anna, station, screenshot);
  await looksAfter(adam, anna, send, station);
  await keys(anna, station);
  await staff(browser, { address, send, people, anna }, station);
  await nobody(browser, { address, send }, station);
  await many(anna, { address, send }, screenshot);
  await comesBack(anna, send, station);
  await phone(browser, address, people, station);
  await restarted(anna, adam, send, lines);
  await expires(anna, station);
  await ends(anna, adam, send, station);
  for (const { page, name, problems } of [anna, adam]) {
    check(problems.length === 0, `the page of ${name}: ${problems.join('; ')}`);
    const made = await page.evaluate(() => [document.querySelectorAll('img').length, document.body.dataset.injected ?? 'no']);
    same(made, [0, 'no'], 'elements that markup became');
  }
  await browser.close();
  return 'ok: batteries are booked, collected and looked after';
});

/** A guest watches, and comes back to the station after signing in. */
async function guests(browser, address) {
  doing('coming as a guest');
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page, problems } = await open(context, `http://${address}/#/stations`);
  await shows(page, '[data-station-id="1"] .name', 'Downtown Station', 'the first station');
  await texts(page, '[data-station-id="1"] .counted', ['15', '3', '18'], 'its counters');
  await page.locator('[data-station-id="1"]').click();
  await shows(page, '#entity-name', 'Downtown Station', 'its page');
  await until(page, 'its batteries are there', () => document.querySelectorAll('.battery').length === 18);
  same(await page.locator('.station-page button:not(.close), .mine, .to-mine, form').count(), 0, 'what a guest could do');
  await page.getByRole('link', { name: 'Sign in to book a battery' }).click();
  await page.getByLabel('Username').fill('jane');
  await page.getByLabel('Password').fill('demo');
  await page.keyboard.press('Enter');
  await isAt({ page, name: 'the guest' }, '/stations/1');
  await shows(page, '.bookings-here .until p', 'no time limit', 'a sample that does not end');
  same(problems, [], 'what was wrong');
  await context.close();
}

/** People that only this script knows. */
async function makes(send) {
  const people = {};
  for (const [name, more] of [['Anna', {}], ['Adam', { role: 'admin' }], ['Stella', { scopes: ['stations:staff'] }], ['Paul', {}]]) {
    const login = name.toLowerCase();
    const { status, body } = await send('POST', '/api/users', { username: name, login, password: PASSWORD, email: `${login}@example.com`, ...more });
    same(status, 201, short(body));
    people[login] = { id: body.userId, login, name };
  }
  return people;
}

/** The admin makes a station; the person sees it come, and goes to it. */
async function begins(adam, anna, send) {
  doing('making a station');
  await adam.page.getByRole('link', { name: 'New station' }).click();
  await until(adam.page, 'its name is asked for', () => document.activeElement.matches('.station-page input'));
  await adam.page.keyboard.type('   ');
  await adam.page.keyboard.press('Enter');
  await until(adam.page, 'it says what is wrong', () => document.querySelector('.station-page .wrong')?.textContent.length > 8);
  await adam.page.locator('.station-page').getByLabel('Name').fill(`Harbour ${MARKUP}`);
  await adam.page.keyboard.press('Enter');
  await shows(adam.page, '#entity-name', `Harbour ${MARKUP}`, 'the page of the station');
  await texts(anna.page, '.row .name', ['Airport Station', 'Downtown Station', `Harbour ${MARKUP}`], 'the stations');
  doing('renaming it');
  await adam.page.locator('.station-page').getByLabel('Name').fill('Harbour');
  await button(adam, 'Rename').click();
  await shows(adam.page, '#entity-name', 'Harbour', 'its name');
  await texts(anna.page, '.row .name', ['Airport Station', 'Downtown Station', 'Harbour'], 'the stations');
  const { items } = (await send('GET', '/api/stations')).body;
  const { id } = items.find(({ name }) => name === 'Harbour');
  await anna.page.locator(`[data-station-id="${id}"]`).click();
  await shows(anna.page, '#entity-name', 'Harbour', 'its page');
  await counts(anna, 0, 0);
  same(await button(anna, 'Book a battery').getAttribute('aria-disabled'), 'true', 'whether nothing can be booked');
  same(await anna.page.title(), 'Harbour · Bellwire', 'the title');
  return { id, first: 9_000 };
}

/** Batteries by their numbers, and the next free one; a number that is there already is refused. */
async function fills(adam, anna, { first }) {
  doing('adding batteries');
  await button(adam, 'Add a battery').click();
  const form = adam.page.locator('.add-battery');
  await until(adam.page, 'its name is asked for', () => document.activeElement.name === 'name');
  await form.getByLabel('Name').fill('Volt');
  await form.getByLabel('Model').fill('V2');
  for (let at = 0; at < 3; at += 1) {
    await form.getByLabel('Number').fill(String(first + at));
    await adam.page.keyboard.press('Enter');
    await counts(adam, at + 1, 0);
  }
  await form.getByLabel('Number').fill(String(first));
  await adam.page.keyboard.press('Enter');
  await says(adam, `Battery ${first} is at a station already.`);
  await form.getByLabel('Number').fill('');
  await button(adam, 'Add it').click();
  for (const each of [adam, anna]) {
    await counts(each, 4, 0);
    await until(each.page, `${each.name} sees all four`, () => document.querySelectorAll('.battery').length === 4);
  }
  await adam.page.keyboard.press('Escape');
  await until(adam.page, 'the form is gone', () => !document.querySelector('.add-battery'));
  await until(adam.page, 'what showed it has the focus', () => document.activeElement.textContent === 'Add a battery');
}

/** Any battery; who clicks twice books once. */
async function books(anna, adam, send, { id }) {
  doing('booking');
  await button(anna, 'Book a battery').dblclick();
  const [one] = await until(anna.page, 'a booking is there', () => {
    const found = [...document.querySelectorAll('.booking')].map(({ dataset }) => Number(dataset.batteryId));
    return found.length > 0 && found;
  });
  await counts(anna, 3, 1);
  await counts(adam, 3, 1);
  await battery(anna, one, 'Booked by you');
  await battery(adam, one, 'Booked');
  await booked(adam, [one]);
  await shows(adam.page, '.booking .who-booked', 'Anna', 'who booked it');
  await shows(adam.page, '#bookings-here', 'Bookings here 1', 'the bookings, to staff');
  await shows(anna.page, '#bookings-here', 'Your bookings here 1', 'the bookings, to their owner');
  await badge(anna, 1);
  same((await send('GET', `/api/bookings?station_id=${id}`)).body.items.length, 1, 'bookings at the server');
  await shows(anna.page, '.mine .badge', '1', 'what is said above the list');
}

/** What is left is exact to the second, wherever one is and whatever one's clock says. */
async function counts_down(anna, browser, { address, send, station }) {
  doing('counting down');
  const [{ expires_at: until_ }] = (await send('GET', `/api/bookings?station_id=${station.id}`)).body.items;
  const ends = Date.parse(`${until_}Z`);
  const watch = async () => {
    const [seen, end] = [[], performance.now() + 2_300];
    for (let last = ''; performance.now() < end; await new Promise(requestAnimationFrame)) {
      const text = document.querySelector('.booking .left').textContent;
      if (text !== last) seen.push([text, Date.now()]);
      last = text;
    }
    return seen;
  };
  const isExact = (seen, offMs, lateMs) => {
    check(seen.length >= 2, `it does not count: ${short(seen)}`);
    for (const [text, at] of seen.slice(1)) {
      const [, minutes, seconds] = /^(\d+):(\d\d) left$/.exec(text);
      const late = ends - (Number(minutes) * 60 + Number(seconds)) * 1_000 - (at - offMs);
      check(Math.abs(late) <= lateMs, `${text} is shown ${-late} ms too late: ${short(seen)}`);
    }
  };
  isExact(await anna.page.evaluate(watch), 0, LATE_MS);
  const context = await browser.newContext({ viewport: SIZES.desktop, storageState: await anna.context.storageState() });
  await context.addInitScript((wrongMs) => {
    const now = Date.now;
    Date.now = () => now() + wrongMs;
  }, WRONG_MS);
  const { page } = await open(context, `http://${address}/#/stations/${station.id}`);
  await until(page, 'the booking is there', () => document.querySelector('.booking .left'));
  isExact(await page.evaluate(watch), WRONG_MS, 1_000 + LATE_MS);
  await context.close();
}

/** A given battery. */
async function picks(anna, adam, { first }) {
  doing('booking a given battery');
  const wanted = first + 2;
  const asked = asks(adam, '/batteries?');
  await button(anna, `Book battery ${wanted}`).click();
  await battery(anna, wanted, 'Booked by you');
  await battery(adam, wanted, 'Booked');
  for (const each of [anna, adam]) await counts(each, 2, 2);
  await until(anna.page, 'it is among the bookings', (id) => document.querySelector(`.booking[data-battery-id="${id}"]`), wanted);
  await badge(anna, 2);
  same(asked, [], 'what was asked for, though it was told');
}

/** Staff marks one as ready: its owner is told, and sees it first wherever stations are shown. */
async function isReady(anna, adam, { first }, screenshot) {
  doing('marking one as ready');
  const ready = first + 2;
  same(await anna.page.getByRole('button', { name: /as ready/ }).count(), 0, 'what is for staff alone');
  if (screenshot) await pictures(adam.page, screenshot, 'station-staff');
  await button(adam, `Mark battery ${ready} as ready`).click();
  for (const each of [adam, anna]) await shows(each.page, `.booking[data-battery-id="${ready}"] .booking-status`, 'Ready to collect', `what ${each.name} sees`);
  same(await button(adam, `Mark battery ${ready} as ready`).count(), 0, 'what was done already');
  await badge(anna, 3);
  await goTo(anna, '/stations');
  await shows(anna.page, '.mine .where', 'Harbour', 'where it is ready');
  await shows(anna.page, '.mine .booking-status', 'Ready to collect', 'that it is');
  if (screenshot) await pictures(anna.page, screenshot, 'stations');
  await anna.page.locator('.mine').click();
  await isAt(anna, '/stations/bookings');
  await anna.page.locator(`.booking[data-battery-id="${ready}"]`).getByRole('link', { name: 'Harbour' }).click();
  await shows(anna.page, '#entity-name', 'Harbour', 'the page of the station');
  if (screenshot) await pictures(anna.page, screenshot, 'station');
}

/** The owner collects one. */
async function collects(anna, adam, { first }) {
  doing('collecting');
  const gone = first + 2;
  const asked = asks(adam, '/batteries?');
  await button(anna, `Collect battery ${gone}`).click();
  for (const each of [anna, adam]) {
    await counts(each, 2, 1);
    await until(each.page, `battery ${gone} is gone for ${each.name}`, (id) => !document.querySelector(`[data-battery-id="${id}"]`), gone);
  }
  same(asked, [], 'what was asked for, though it was told');
  await until(anna.page, 'the focus is not lost', () => document.activeElement !== document.body);
  doing('bringing it back');
  await button(adam, 'Add a battery').click();
  await button(adam, 'One that comes back').click();
  await adam.page.locator('.add-battery').getByLabel('Number').fill(String(gone));
  await adam.page.keyboard.press('Enter');
  for (const each of [anna, adam]) {
    await counts(each, 3, 1);
    await shows(each.page, `.battery[data-battery-id="${gone}"] .name`, 'Volt V2', `the battery that ${each.name} sees`);
  }
  await button(adam, 'Done').click();
}

/** The owner cancels one, once it is confirmed; staff another. */
async function cancels(anna, adam, { first }) {
  doing('cancelling');
  const [one] = await anna.page.locator('.booking').evaluateAll((all) => all.map(({ dataset }) => Number(dataset.batteryId)));
  await button(anna, `Cancel the booking of battery ${one}`).click();
  await button(anna, 'Keep it').click();
  await booked(anna, [one]);
  await button(anna, `Cancel the booking of battery ${one}`).click();
  await confirms(anna, 'Cancel the booking?', 'Cancel it');
  await booked(anna, []);
  await booked(adam, []);
  await battery(adam, one, 'Available');
  for (const each of [anna, adam]) await counts(each, 4, 0);
  await badge(anna, 4);
  await button(anna, `Book battery ${first}`).click();
  await booked(adam, [first]);
  await button(adam, `Cancel the booking of battery ${first}`).click();
  await confirms(adam, 'Cancel the booking?', 'Cancel it');
  await booked(anna, []);
  await battery(anna, first, 'Available');
  await badge(anna, 6);
}

/** Of which no answer came, is asked for again, and done once. */
async function goesOn(anna, send, { id }) {
  doing('losing an answer');
  const asked = [];
  await anna.page.route(`**/api/stations/${id}/bookings`, async (route) => {
    asked.push(route.request().headers()['idempotency-key']);
    if (asked.length > 2) return route.continue();
    await route.fetch();
    // A proxy may have a page of its own.
    return asked.length > 1 ? route.fulfill({ status: 504, body: 'Gateway Timeout' }) : route.abort();
  });
  await button(anna, 'Book a battery').click();
  await says(anna, 'The server cannot be reached.');
  await counts(anna, 3, 1);
  await button(anna, 'Book a battery').click();
  await says(anna, 'The server answered 504.');
  await button(anna, 'Book a battery').click();
  await until(anna.page, 'it is booked', () => [...document.querySelectorAll('.book button')].some(({ textContent }) => textContent.trim() === 'Booked'));
  await anna.page.locator('.book button').click();
  await counts(anna, 3, 1);
  same([asked.length, asked[0].length > 15, new Set(asked).size], [3, true, 1], 'what was asked with');
  await anna.page.unroute(`**/api/stations/${id}/bookings`);
  await until(anna.page, 'the next may be booked', () => document.querySelector('.book button').textContent.trim() === 'Book a battery');
  doing('waiting for an answer');
  let answer = () => undefined;
  const held = new Promise((resolve) => (answer = resolve));
  await anna.page.route(`**/api/stations/${id}/bookings`, async (route) => (await held, route.continue()), { times: 1 });
  await button(anna, 'Book a battery').click();
  await until(anna.page, 'it is at work', () => document.querySelector('.book button').ariaBusy === 'true');
  await button(anna, 'Book a battery').click({ force: true });
  answer();
  await counts(anna, 2, 2);
  await until(anna.page, 'it is at work no more', () => document.querySelector('.book button').ariaBusy === 'false');
  same((await send('GET', `/api/bookings?station_id=${id}&status=confirmed`)).body.items.length, 2, 'bookings at the server');
}

/** The second click of a slow double click is on what has come under the pointer: it does nothing. */
async function clicks(anna, send, { id }) {
  doing('clicking twice, slowly');
  const [one, other] = await anna.page.locator('.booking').evaluateAll((all) => all.map(({ dataset }) => Number(dataset.batteryId)));
  const box = await button(anna, `Collect battery ${one}`).boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await anna.page.mouse.click(x, y);
  await booked(anna, [other]);
  const under = ([x, y]) => document.elementFromPoint(x, y)?.closest('button')?.ariaLabel;
  same(await anna.page.evaluate(under, [x, y]), `Collect battery ${other}`, 'what is under the pointer');
  await anna.page.mouse.down({ clickCount: 2 });
  await anna.page.mouse.up({ clickCount: 2 });
  same((await send('POST', `/api/stations/${id}/batteries`, { id: one })).status, 201, 'bringing it back');
  await counts(anna, 3, 1);
  await booked(anna, [other]);
  await button(anna, 'Book a battery').click();
  await counts(anna, 2, 2);
}

/** What the server refuses is said in its words. */
async function tooMany(anna, send, { id }) {
  doing('booking too many');
  const more = await anna.page.evaluate(async (count) => {
    let made = 0;
    while (made < count && (await fetch(`/api/stations/${made < 10 ? 1 : 2}/bookings`, { method: 'POST' })).status === 201) made += 1;
    return made;
  }, BOOKINGS_MAX - 2);
  same(more, BOOKINGS_MAX - 2, 'what was booked elsewhere');
  await shows(anna.page, '.mine .badge', String(BOOKINGS_MAX), 'what is said above the list');
  await button(anna, 'Book a battery').click();
  await says(anna, `You have ${BOOKINGS_MAX} bookings: collect or cancel one first.`);
  await counts(anna, 2, 2);
  const { items } = (await send('GET', `/api/bookings?user_id=${anna.id}&status=confirmed`)).body;
  const elsewhere = items.filter(({ station_id: at }) => at !== id);
  for (const { id: booking } of elsewhere) same((await send('DELETE', `/api/bookings/${booking}`)).status, 204, 'giving back');
  await shows(anna.page, '.mine .badge', '2', 'what is left');
}

/** A station that leaves online gives back what is booked there, which is asked for once more. */
async function closes(anna, adam, { first }, screenshot) {
  doing('taking it offline');
  await button(adam, 'Offline').click();
  if (screenshot) await pictures(adam.page, screenshot, 'station-asked');
  await adam.page.keyboard.press('Escape');
  await counts(adam, 2, 2);
  await shows(adam.page, '#entity-name', 'Harbour', 'the page that Escape leaves open');
  await button(adam, 'Offline').click();
  await confirms(adam, 'Set Harbour offline?', 'Set offline');
  for (const each of [anna, adam]) {
    await counts(each, 4, 0);
    await booked(each, []);
    await shows(each.page, '.titles .condition', 'Offline', `what ${each.name} sees`);
  }
  await shows(anna.page, '.book', 'It takes no bookings: it is offline.', 'what is said of booking');
  same(await anna.page.getByRole('button', { name: /^Book/ }).count(), 0, 'what could be booked');
  await battery(anna, first, 'Available');
  await button(adam, 'Maintenance').click();
  await shows(anna.page, '.book', 'It takes no bookings: it is under maintenance.', 'what is said of booking');
  await button(adam, 'Online').click();
  await button(anna, 'Book a battery').waitFor({ timeout: SHOWN_MS });
  same(await adam.page.locator('dialog').count(), 0, 'what is asked when nothing is booked');
}

/** What one booked, also what has ended, is one click away. */
async function mine(anna, { first }, screenshot) {
  doing("looking at one's bookings");
  await button(anna, `Book battery ${first + 1}`).click();
  await booked(anna, [first + 1]);
  await anna.page.locator('.mine').click();
  await isAt(anna, '/stations/bookings');
  await booked(anna, [first + 1]);
  await shows(anna.page, '.booking .of', `Volt - V2Number ${first + 1}`, 'what is booked');
  const ended = ([words, count]) => [...document.querySelectorAll('.past .booking-status')].filter(({ textContent }) => textContent === words).length === count;
  await until(anna.page, 'what was collected is there', ended, ['Collected', 2]);
  await until(anna.page, 'what was cancelled is there', ended, ['Cancelled', BOOKINGS_MAX - 2 + 4]);
  if (screenshot) await pictures(anna.page, screenshot, 'bookings');
  await button(anna, `Collect battery ${first + 1}`).click();
  await booked(anna, []);
  await until(anna.page, 'it is among those that have ended', () => document.querySelector('.past .booking-status')?.textContent === 'Collected');
  await shows(anna.page, '.mine .next', 'none now', 'what is said above the list');
}

/** What became of bookings is in the inbox, each with a way to the station. */
async function notified(anna, { id }, screenshot) {
  doing('reading notifications');
  await goTo(anna, '/notifications');
  const told = ['Booking confirmed', 'Battery booked successfully at Harbour', 'Success', 'Volt - V2', 'Harbour'];
  const reads = () => ['h2', '.text', '.level', '.battery-info', 'a'].map((part) => {
    const found = document.querySelector(`.notification ${part}`);
    return (part === 'h2' ? found?.firstChild : found)?.textContent.trim();
  });
  await until(anna.page, 'they are there', () => document.querySelector('.notification a'));
  same(await anna.page.evaluate(reads), told, 'the newest');
  const closed = anna.page.locator('.notification').filter({ hasText: 'Your booking at Harbour was cancelled: Station is now offline' });
  same(await closed.count(), 2, 'bookings that a station cancelled');
  await shows(anna.page, '.notification.warning .level', 'Warning', 'how much that matters');
  if (screenshot) await pictures(anna.page, screenshot, 'notifications');
  await button(anna, 'Mark all as read').click();
  await badge(anna, 0);
  await closed.first().getByRole('link', { name: 'Harbour' }).click();
  await isAt(anna, `/stations/${id}`);
  await shows(anna.page, '#entity-name', 'Harbour', 'where it leads');
  await anna.page.goBack();
  await until(anna.page, 'back is where one was', () => document.querySelector('.notification'));
  await anna.page.goForward();
  await goTo(anna, '/stations/booking/9007199254740991');
  await shows(anna.page, '#entity-name', 'There is no such booking', 'a booking that is not there');
  await goTo(anna, `/stations/${id}`);
}

/** A battery is removed; what is done elsewhere is here, too. */
async function looksAfter(adam, anna, send, { id, first }) {
  doing('removing a battery');
  await button(adam, `Remove battery ${first}`).click();
  await confirms(adam, `Remove battery ${first}?`, 'Remove');
  for (const each of [adam, anna]) {
    await counts(each, 2, 0);
    await until(each.page, `${each.name} does not see it`, (id) => !document.querySelector(`.battery[data-battery-id="${id}"]`), first);
  }
  doing('changing from elsewhere');
  same((await send('PATCH', `/api/stations/${id}`, { name: 'Pier', status: 'maintenance' })).status, 200, 'changing');
  for (const each of [adam, anna]) {
    await shows(each.page, '#entity-name', 'Pier', `the name that ${each.name} sees`);
    await shows(each.page, '.titles .condition', 'Maintenance', `the status that ${each.name} sees`);
  }
  same(await adam.page.locator('.station-page form input').last().inputValue(), 'Pier', 'the name in its field');
  same((await send('PATCH', `/api/stations/${id}`, { status: 'online' })).status, 200, 'changing');
  const { status, body } = await send('POST', `/api/stations/${id}/batteries`, { id: first, name: 'Ampere', model: 'A1' });
  same(status, 201, short(body));
  for (const each of [adam, anna]) {
    await counts(each, 3, 0);
    await shows(each.page, `.battery[data-battery-id="${first}"] .name`, 'Ampere A1', `the battery that ${each.name} sees`);
  }
}

/** All of it by keys. */
async function keys(anna, { id }) {
  doing('using the keyboard');
  const { keyboard } = anna.page;
  const focused = (what, selector) => until(anna.page, `${what} has the focus`, (selector) => document.activeElement.matches(selector), selector);
  await keyboard.press('Escape');
  await isAt(anna, '/stations');
  await focused('the list', '#stations');
  await keyboard.press('/');
  await keyboard.type('ONLINE pier');
  await shows(anna.page, '#count', '1 of 3 stations', 'what is found');
  await keyboard.press('ArrowDown');
  await focused('the list', '#stations');
  await keyboard.press('Home');
  await keyboard.press('Enter');
  await isAt(anna, `/stations/${id}`);
  await focused('the heading', '#entity-name');
  for (let tab = 0; tab < 4 && !(await anna.page.evaluate(() => document.activeElement.matches('.book button'))); tab += 1) await keyboard.press('Tab');
  await focused('the way to book', '.book button');
  await keyboard.press('Enter');
  await counts(anna, 2, 1);
  await focused('the way to book, still,', '.book button');
  await keyboard.press('Tab');
  await focused('the way to collect', '.booking button');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await focused('what leaves all as it is', 'dialog button');
  await keyboard.press('Escape');
  await until(anna.page, 'the dialog is gone', () => !document.querySelector('dialog'));
  await isAt(anna, `/stations/${id}`);
  await focused('what asked', '.booking button');
  await keyboard.press('Enter');
  await keyboard.press('Tab');
  await keyboard.press('Enter');
  await booked(anna, []);
  await focused('a heading', 'h2, h3');
  await keyboard.press('/');
  await keyboard.press('Escape');
  await shows(anna.page, '#count', '3 stations', 'the count without a search');
}

/** What happened while it was away is there when it is back. */
async function comesBack(anna, send, { id, first }) {
  doing('being away');
  await goTo(anna, `/stations/${id}`);
  await counts(anna, 2, 0);
  await anna.context.setOffline(true);
  await until(anna.page, 'it says so', () => document.body.dataset.connection === 'offline', null, RECONNECTED_MS);
  await button(anna, 'Book a battery').click();
  await says(anna, 'The server cannot be reached.');
  same((await send('PATCH', `/api/stations/${id}`, { name: 'Quay' })).status, 200, 'renaming');
  same((await send('POST', `/api/stations/${id}/batteries`, { id: first })).status, 201, 'bringing one back');
  await anna.context.setOffline(false);
  await isLive(anna, RECONNECTED_MS);
  await counts(anna, 3, 0);
  await shows(anna.page, '#entity-name', 'Quay', 'its name');
  await until(anna.page, 'its batteries are there', () => document.querySelectorAll('.battery').length === 3);
}

/** Both go on from where they were: what happened meanwhile is told. */
async function restarted(anna, adam, send, lines) {
  const begun = [];
  const hears = (socket) =>
    socket.url().includes('/ws/stations/') && socket.on('framereceived', ({ payload }) => /"type":"(resumed|reset)"/.test(payload) && begun.push(JSON.parse(payload).type));
  for (const { page } of [anna, adam]) page.on('websocket', hears);
  const listed = [anna, adam].map((each) => asks(each, '/api/stations?'));
  console.log('ready-for-restart');
  same((await lines.next()).value, 'restarted', 'what is said on standard input');
  doing('coming back after a restart');
  const { items } = (await send('GET', '/api/stations?limit=3')).body;
  const { id } = items.find(({ name }) => name === 'Quay');
  same((await send('PATCH', `/api/stations/${id}`, { name: 'Dock' })).status, 200, 'renaming');
  for (const each of [anna, adam]) {
    await shows(each.page, '#entity-name', 'Dock', `the name that ${each.name} sees`, RECONNECTED_MS);
    await isLive(each, RECONNECTED_MS);
  }
  same(begun, ['resumed', 'resumed'], 'how their connections begin');
  same(listed, [[], []], 'what was listed anew');
}

/** A hold that ends: counted down to nothing, told, and free for the next. */
async function expires(anna, { first }) {
  doing('waiting for the end of a hold');
  await anna.page.reload();
  await isLive(anna);
  await badge(anna, 4);
  await button(anna, `Book battery ${first}`).click();
  await booked(anna, [first]);
  await badge(anna, 5);
  const left = await anna.page.locator('.booking .left').textContent();
  const [, seconds] = /^0:(\d\d) left$/.exec(left) ?? [];
  check(Number(seconds) > 0 && Number(seconds) <= HOLD_S, `what is left: ${left}`);
  await until(anna.page, 'it is over', () => document.querySelectorAll('.booking').length === 0, null, (HOLD_S + 4) * 1_000);
  await battery(anna, first, 'Available');
  await counts(anna, 3, 0);
  await badge(anna, 6);
  await goTo(anna, '/stations/bookings');
  await until(anna.page, 'it says so', () => document.querySelector('.past .booking-status')?.textContent === 'Expired');
}

/** An admin deletes the station; who looks at it is told. */
async function ends(anna, adam, send, { id, first }) {
  doing('deleting a station');
  await goTo(anna, `/stations/${id}`);
  await button(anna, `Book battery ${first}`).click();
  await booked(adam, [first]);
  await button(adam, 'Delete the station').click();
  await shows(adam.page, 'dialog p', 'Its 3 batteries go with it. 1 live booking is cancelled, and who made it is told so.', 'what goes with it');
  await confirms(adam, 'Delete Dock?', 'Delete');
  await isAt(adam, '/stations');
  await shows(anna.page, '#entity-name', 'There is no such station', 'what is shown of it');
  for (const { page } of [anna, adam]) await until(page, 'it is gone from the list', (id) => !document.querySelector(`[data-station-id="${id}"]`), id);
  same((await send('GET', `/api/stations/${id}`)).status, 404, 'the station at the server');
  await until(anna.page, 'nothing is booked any more', () => document.querySelector('.mine .next')?.textContent === 'none now');
}
