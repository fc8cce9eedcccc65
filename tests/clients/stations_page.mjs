// What the scripts of the pages of stations share: people in browsers of their own, and what pages show.

import { SIZES, open, shows, until } from './browser.mjs';
import { doing } from './client.mjs';

/** Of all people. */
export const PASSWORD = 'correct horse battery';

export function button({ page }, name) {
  return page.getByRole('button', { name, exact: true });
}

/** Goes to a place inside the console. */
export function goTo({ page }, place) {
  return page.evaluate((place) => (location.hash = place), place);
}

/** Waits until the page is at a place. */
export function isAt({ page, name }, place) {
  return until(page, `${name} is at ${place}`, (place) => location.hash === `#${place}`, place);
}

export function isLive({ page }, limitMs) {
  return until(page, 'it is live', () => document.body.dataset.connection === 'live', null, limitMs);
}

/** The numbers on the page of a station, and in its row if the list is there. */
export async function counts({ page, name }, available, booked) {
  const are = (expected) => {
    const read = (within) => ['available', 'booked', 'total'].map((what) => within?.querySelector(`[data-count="${what}"]`)?.textContent).join();
    const [pane, row] = [document.querySelector('.station-page .counts'), document.querySelector('.row[aria-selected="true"]')];
    return read(pane) === expected && (!row || read(row) === expected);
  };
  await until(page, `${name} sees ${available} available and ${booked} booked`, are, [available, booked, available + booked].join());
}

/** The numbers of batteries whose live bookings the page shows, in its order. */
export async function booked({ page, name }, ids) {
  const are = (expected) => JSON.stringify([...document.querySelectorAll('.booking')].map(({ dataset }) => Number(dataset.batteryId))) === expected;
  await until(page, `the bookings that ${name} sees are those of ${ids}`, are, JSON.stringify(ids));
}

/** What the page says of a battery. */
export function battery({ page }, id, status) {
  return shows(page, `.battery[data-battery-id="${id}"] .battery-status`, status, `battery ${id}`);
}

/** Collects what the page asks for from now on, of what has this in its address. */
export function asks({ page }, part) {
  const found = [];
  page.on('request', (request) => request.url().includes(part) && found.push(request.url()));
  return found;
}

/** The number on the menu. */
export function badge({ page, name }, count) {
  const has = (count) => (document.querySelector('nav [data-name="Notifications"] .badge')?.firstChild.textContent ?? '0') === count;
  return until(page, `${name} has ${count} notifications`, has, String(count));
}

/** What was wrong, as the page says it. */
export function says({ page }, words) {
  return until(page, `it says: ${words}`, (words) => [...document.querySelectorAll('[role="alert"]')].some(({ textContent }) => textContent === words), words);
}

export async function confirms({ page }, title, verb) {
  await shows(page, 'dialog h2', title, 'what is asked');
  await page.locator('dialog').getByRole('button', { name: verb, exact: true }).click();
  await until(page, 'the dialog is gone', () => !document.querySelector('dialog'));
}

/** Signs in at the stations. */
export async function comes(browser, address, person, how = {}) {
  doing(`signing in as ${person.name}`);
  const context = await browser.newContext({ viewport: SIZES.desktop, colorScheme: 'light', ...how });
  const { page, problems } = await open(context, `http://${address}/#/sign-in/stations`);
  await page.getByLabel('Username').fill(person.login);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await isAt({ page, name: person.name }, '/stations');
  await isLive({ page });
  return { ...person, page, context, problems };
}

/** What was undone, as the machine was busy (503) or there was too much (429), is sent again. */
export async function sends(send, ...request) {
  for (let tries = 1; ; tries += 1) {
    const answer = await send(...request);
    if (![429, 503].includes(answer.status) || tries === 20) return answer;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
