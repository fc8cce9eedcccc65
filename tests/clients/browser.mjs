// Chromium for the scripts that need a page.

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { Difference, check, doing, same } from './client.mjs';

/** Windows that pages are looked at in. */
export const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** And those that a tablet on a wall has. */
export const TABLET = { tablet: { width: 1024, height: 768 } };

/** How long a page may take to show what is known. */
export const SHOWN_MS = 20_000;

const CHROMIUM = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];

/** How often it is looked whether it does. Not with each frame: to look then has each drawn. */
const POLLING_MS = 25;

/**
 * Starts Chromium: the one that `BELLWIRE_TEST_CHROMIUM` names, else one of Debian's. It ends with this process.
 * Its own sandbox is off: it does not work for root, and tests often run as root; only pages of the server under
 * test are opened. Each context that is made here asks its pages to keep still, unless it is told otherwise: to draw what
 * moves takes more of the processor than all else.
 */
export async function launch() {
  const browser = await chromium.launch({
    executablePath: process.env.BELLWIRE_TEST_CHROMIUM ?? CHROMIUM.find(existsSync),
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  const newContext = browser.newContext.bind(browser);
  browser.newContext = (how) => newContext({ reducedMotion: 'reduce', ...how });
  return browser;
}

/**
 * A page of a context that was made for it. What it throws, and what its policy refuses, is collected in
 * `problems`.
 */
export async function open(context, url) {
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (error) => problems.push(`it threw ${error.message}`));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}

/** Waits until `find`, run in the page with `given`, gives something that holds; gives that. */
export async function until(page, what, find, given, limitMs = SHOWN_MS) {
  doing(`waiting until ${what}`);
  try {
    const found = await page.waitForFunction(find, given, { timeout: limitMs, polling: POLLING_MS });
    return await found.jsonValue();
  } catch (error) {
    if (error.name !== 'TimeoutError') throw error;
    const text = (await page.locator('body').innerText()).replaceAll(/\s+/g, ' ').slice(0, 600);
    throw new Difference(`it did not come to be that ${what}; the page: ${text}`);
  }
}

/** Waits until the texts of what `selector` finds are these. */
export async function texts(page, selector, expected, what) {
  const same = ([selector, expected]) =>
    JSON.stringify([...document.querySelectorAll(selector)].map((each) => each.textContent.trim())) === expected;
  await until(page, `${what}: ${selector} is ${JSON.stringify(expected)}`, same, [selector, JSON.stringify(expected)]);
}

/** Waits until what `selector` finds first has this text. */
export async function shows(page, selector, text, what, limitMs = SHOWN_MS) {
  const same = ([selector, text]) => document.querySelector(selector)?.textContent.trim() === text;
  await until(page, `${what}: ${selector} is ${JSON.stringify(text)}`, same, [selector, text], limitMs);
}

/** Nothing is wider than the window. */
export async function fits(page, what) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  check(over <= 0, `${what}: ${over} px more than the window is wide`);
}

/** What fingers press is 40 px high and wide at least. The page is one of a context that has touch. */
export async function fingers(page, what) {
  const pressed = 'button, .button, input:not([type="checkbox"]), label.tick, select, summary, nav a, .row.group';
  const small = await page.locator(pressed).evaluateAll((all) =>
    all
      .map((each) => [each.ariaLabel ?? each.textContent, each.getBoundingClientRect()])
      .filter(([, { width, height }]) => height > 0 && (height < 40 || width < 40))
      .map(([name, { width, height }]) => `${name.trim()} ${width} x ${height}`),
  );
  same(small, [], `what is too small for fingers at ${what}`);
}

/** Writes NAME-SIZE-SCHEME.png for each size and colour scheme, then leaves the page as it was. */
export async function pictures(page, folder, name, sizes = SIZES) {
  doing('taking pictures');
  await mkdir(folder, { recursive: true });
  const before = page.viewportSize();
  for (const [sizeName, size] of Object.entries(sizes)) {
    await page.setViewportSize(size);
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: join(folder, `${name}-${sizeName}-${colorScheme}.png`) });
    }
  }
  await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: null });
}
