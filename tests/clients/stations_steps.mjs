// Steps of the script of stations: staff who are no admins, tokens of nobody, a thousand stations, and phones.

import { SHOWN_MS, SIZES, fingers, fits, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, same, short } from './client.mjs';
import { booked, button, comes, confirms, counts, goTo, isAt, sends } from './stations_page.mjs';

/** How many stations a list must bear, and how many batteries come meanwhile. */
const [MANY, COMING] = [1_000, 150];
/** Nothing may hold up the page for so long, in ms; a machine may be busy with something else: so many times it is tried. */
const [TASK_MS_MAX, ATTEMPTS] = [200, 3];

/** Who has the scope looks after all bookings, and cannot rename or delete. */
export async function staff(browser, { address, send, people, anna }, { id, first }) {
  const stella = await comes(browser, address, people.stella);
  await goTo(stella, `/stations/${id}`);
  await counts(stella, 3, 0);
  await button(anna, `Book battery ${first}`).click();
  await booked(stella, [first]);
  await shows(stella.page, '.booking .who-booked', 'anna@example.com', 'who booked it');
  await button(stella, `Mark battery ${first} as ready`).click();
  await shows(anna.page, '.booking .booking-status', 'Ready to collect', 'what the owner sees');
  same(await stella.page.getByRole('button', { name: /^(Rename|Delete)/ }).count(), 0, 'what is for admins alone');
  same(await stella.page.getByRole('link', { name: 'New station' }).count(), 0, 'what is for admins alone');
  await button(stella, `Collect battery ${first}`).click();
  await booked(anna, []);
  for (const each of [stella, anna]) await counts(each, 2, 0);
  same((await send('GET', `/api/bookings?station_id=${id}&status=collected&limit=1`)).body.items[0].battery_id, first, 'what was collected');
  check(stella.problems.length === 0, `the page of Stella: ${stella.problems.join('; ')}`);
  await stella.context.close();
}

/** A token that speaks for no user books nothing, and sees nobody's bookings. */
export async function nobody(browser, { address, send }, { id }) {
  doing('coming with a token of nobody');
  const { body } = await send('POST', '/api/tokens', { role: 'user', ttl: 3_600 });
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page } = await open(context, `http://${address}/?token=${encodeURIComponent(body.token)}#/stations/${id}`);
  await counts({ page, name: 'nobody' }, 2, 0);
  await until(page, 'its batteries are there', () => document.querySelectorAll('.battery').length === 2);
  same(await page.locator('.station-page button:not(.close), .mine, .add, form').count(), 0, 'what nobody could do');
  await goTo({ page }, '/stations/bookings');
  await until(page, 'it says so', () => document.querySelector('.mine-page')?.textContent.includes('speaks for no user'));
  await context.close();
}

/** Of a thousand stations only those in view are in the page, and events do not hold it up. */
export async function many(anna, { send }, screenshot) {
  doing('making many stations');
  const ids = [];
  for (let at = 0; at < MANY; at += 10) {
    const made = Array.from({ length: 10 }, (_, next) => sends(send, 'POST', '/api/stations', { name: `Gate ${at + next}`, status: at === 0 ? 'maintenance' : 'online' }));
    for (const { status, body } of await Promise.all(made)) {
      same(status, 201, short(body));
      ids.push(body.id);
    }
  }
  await goTo(anna, '/stations');
  await shows(anna.page, '#count', `${(MANY + 3).toLocaleString('en')} stations`, 'the count, of what was told', 3 * SHOWN_MS);
  await anna.page.reload();
  await shows(anna.page, '#count', `${(MANY + 3).toLocaleString('en')} stations`, 'the count, of what is listed');
  const rows = await anna.page.locator('.rows .row').count();
  check(rows > 10 && rows < 80, `${rows} rows are in the page`);
  await anna.page.keyboard.press('/');
  await anna.page.keyboard.type('gate maintenance');
  await shows(anna.page, '#count', `10 of ${(MANY + 3).toLocaleString('en')} stations`, 'what is found');
  await texts(anna.page, '.row .name', Array.from({ length: 10 }, (_, at) => `Gate ${at}`), 'in this order');
  await shows(anna.page, '[data-sum="total"] b', '0', 'what they come to');
  await anna.page.keyboard.press('Escape');
  const longest = [];
  for (let attempt = 1; attempt <= ATTEMPTS && !(longest.at(-1) <= TASK_MS_MAX); attempt += 1) longest.push(await longestTask(anna, send, ids, attempt));
  check(longest.at(-1) <= TASK_MS_MAX, `the page was held up for ${longest.join(', ')} ms, ${TASK_MS_MAX} are allowed`);
  if (screenshot) await pictures(anna.page, screenshot, 'stations-many');
  await anna.page.locator('#stations').focus();
  await anna.page.keyboard.press('End');
  await until(anna.page, 'the last row is active', () => document.querySelector('.row.active .name')?.textContent === 'Pier');
}

/** The longest task while batteries come, in ms. */
async function longestTask({ page }, send, ids, attempt) {
  await page.evaluate(() => {
    window.longest = 0;
    window.tasks = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    });
    window.tasks.observe({ type: 'longtask' });
  });
  const before = Number((await page.locator('[data-sum="total"] b').textContent()).replaceAll(',', ''));
  for (let at = 0; at < COMING; at += 5) {
    const added = Array.from({ length: 5 }, (_, next) => sends(send, 'POST', `/api/stations/${ids[at + next]}/batteries`, { name: 'Cell', model: `C${attempt}` }));
    for (const { status } of await Promise.all(added)) same(status, 201, 'adding');
  }
  await shows(page, '[data-sum="total"] b', (before + COMING).toLocaleString('en'), 'what they come to', 3 * SHOWN_MS);
  await shows(page, '.row .counted[data-count="available"]', '8', 'the first of the list');
  return page.evaluate(() => {
    window.tasks.disconnect();
    return Math.round(window.longest);
  });
}

/** Nothing is wider than a phone, or too small for fingers; one pane at a time. */
export async function phone(browser, address, people, { id, first }) {
  const paul = await comes(browser, address, people.paul, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  doing('on a phone');
  const { page } = paul;
  await until(page, 'the list is there', () => document.querySelectorAll('.rows .row').length > 5);
  await fits(page, 'the list on a phone');
  await fingers(page, 'the list');
  await page.getByLabel('Search by name, status or number').fill('quay');
  await page.locator(`[data-station-id="${id}"]`).tap();
  await until(page, 'its batteries are there', () => document.querySelectorAll('.battery').length === 3);
  same(await page.locator('.list').count(), 0, 'lists beside a station');
  await button(paul, `Book battery ${first}`).tap();
  await booked(paul, [first]);
  await fits(page, 'a station on a phone');
  await fingers(page, 'a station');
  await page.locator('.to-mine').tap();
  await isAt(paul, '/stations/bookings');
  await booked(paul, [first]);
  await fits(page, 'bookings on a phone');
  await fingers(page, 'bookings');
  await button(paul, `Cancel the booking of battery ${first}`).tap();
  await fits(page, 'a question on a phone');
  await fingers(page, 'a question');
  await confirms(paul, 'Cancel the booking?', 'Cancel it');
  await page.getByRole('link', { name: 'Back to all stations' }).tap();
  await page.locator('.mine').waitFor({ timeout: SHOWN_MS });
  await goTo(paul, '/notifications');
  await until(page, 'it is loaded', () => document.querySelectorAll('.notification').length === 2);
  await fits(page, 'notifications');
  await fingers(page, 'notifications');
  await paul.context.close();
}
