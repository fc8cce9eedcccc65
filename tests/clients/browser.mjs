// Chromium for the scripts that need a page.

import { chromium } from 'playwright-core';

/**
 * Starts Chromium: the one that `BELLWIRE_TEST_CHROMIUM` names, else `/usr/bin/chromium`. It ends with this process.
 * Its own sandbox is off: it does not work for root, and tests often run as root; only pages of the server under
 * test are opened.
 */
export function launch() {
  return chromium.launch({
    executablePath: process.env.BELLWIRE_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
}
