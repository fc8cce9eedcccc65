// The console at `/` of a server that lets no guests in, in Chromium: asks who one is, says what is wrong,
// shows the states of whoever signed in, keeps the session over a reload, and forgets all when it ends.
//
//   node sign_in.mjs --address HOST:PORT --token T --password P [--screenshot DIR]
//
// T is a token to write with, P the password of `admin`. The certificate of https pages is not looked at.

import { SHOWN_MS, SIZES, launch, open, pictures } from './browser.mjs';
import { Connection, check, doing, rowReply, script } from './client.mjs';

const OPTIONS = { password: { type: 'string' }, screenshot: { type: 'string' } };
const ENTITY = 'light.sign_in';

await script(120, OPTIONS, async ({ address, token, password, screenshot }) => {
  const writer = await Connection.open('writer', { address, token });
  const state = { entity_id: ENTITY, state: 'on', attributes: {} };
  rowReply(await writer.ask({ type: 'states:create', ...state }), 'states:create', state, 'states:create');

  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page, problems } = await open(context, `http://${address}/`);
  const form = page.locator('#enter');
  const row = page.locator(`[data-entity-id="${ENTITY}"] .state`);
  const [username, secret] = [form.getByLabel('Username'), form.getByLabel('Password')];

  doing('waiting to be asked who one is');
  await form.waitFor({ timeout: SHOWN_MS });
  check((await row.count()) === 0, 'states are shown to nobody');
  if (screenshot) await pictures(page, screenshot, 'asked');

  doing('signing in with a wrong password');
  await username.fill('admin');
  await secret.fill('not the password');
  await form.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'wrong username or password' }).waitFor({ timeout: SHOWN_MS });
  if (screenshot) await pictures(page, screenshot, 'wrong');

  doing('signing in');
  await secret.fill(password);
  await secret.press('Enter');
  await row.filter({ hasText: 'on' }).waitFor({ timeout: SHOWN_MS });
  check(!(await form.isVisible()), 'the form stays');
  const cookies = await context.cookies();
  check(cookies.length === 1 && cookies[0].httpOnly && cookies[0].sameSite === 'Lax', JSON.stringify(cookies));
  check((await page.evaluate(() => document.cookie)) === '', 'a script can read the cookie');
  const leave = page.getByRole('button', { name: 'Sign out' });
  await leave.waitFor({ timeout: SHOWN_MS });
  if (screenshot) await pictures(page, screenshot, 'in');

  doing('reloading');
  await page.reload();
  await row.filter({ hasText: 'on' }).waitFor({ timeout: SHOWN_MS });

  doing('signing out');
  await leave.click();
  await form.waitFor({ timeout: SHOWN_MS });
  check((await row.count()) === 0, 'states are still shown');
  check((await context.cookies()).length === 0, 'the cookie stays');
  await page.reload();
  await form.waitFor({ timeout: SHOWN_MS });

  doing('coming with a token that is no good');
  await page.goto(`http://${address}/?token=bad`);
  await page.getByRole('alert').filter({ hasText: 'token in the address is no good' }).waitFor({ timeout: SHOWN_MS });
  await username.fill('admin');
  await secret.fill(password);
  await secret.press('Enter');
  await row.filter({ hasText: 'on' }).waitFor({ timeout: SHOWN_MS });
  check(!page.url().includes('bad'), page.url());

  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  writer.cut();
  await browser.close();
  return 'ok: the page signs in and out';
});
