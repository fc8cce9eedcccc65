// Runs the sample client of document 001, "WebSocket Events System", which stands word for word in
// document-001/client.js, in Node or in Chromium. Around it is what its application has: its page, `localStorage`,
// `alert`, `window.location`, and the two functions that change what is shown. Only the address is replaced, and in Node
// the name of the library.
//
//   node document_client.mjs --address HOST:PORT --token ADMIN [--screen TOKEN] [--secure HOST:PORT] [--in node|chromium]
//
// `--screen` is the token of a demo's screen; without it one is paired. With `--secure` the client comes over TLS.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { cast, REVOKED } from './admin.mjs';
import { launch } from './browser.mjs';
import { check, doing, same, script } from './client.mjs';

const ADDRESS_IN_DOCUMENT = "'https://backend-url'";
const LIBRARY_IN_DOCUMENT = "'socket.io-client'";
const OPTIONS = { screen: { type: 'string' }, secure: { type: 'string' }, in: { type: 'string', default: 'node' } };

/** What the document's client does not handle, so that it is seen too. */
const BESIDES = `
socket.on('area_disabled', (data) => console.log('area_disabled:', data.areaId));
socket.on('disconnect', (reason) => console.log('disconnect:', reason));
`;

/** What an application shows and does: each as a line. */
class Lines {
  #lines = [];
  #wake = () => {};

  add(line) {
    this.#lines.push(line);
    this.#wake();
  }

  /** Throws unless exactly these come next. */
  async are(...expected) {
    for (const line of expected) {
      doing(`waiting for the line "${line}"`);
      while (this.#lines.length === 0) await new Promise((resolve) => (this.#wake = resolve));
      same(this.#lines.shift(), line, 'what the client does next');
    }
  }
}

await script(60, OPTIONS, async (values) => {
  const { admin, area, clientId, screen } = await cast(values);
  const source = await readFile(new URL('document-001/client.js', import.meta.url), 'utf8');
  check(source.includes(ADDRESS_IN_DOCUMENT), 'document-001/client.js: the address to replace is not in it');
  const url = values.secure ? `https://${values.secure}` : `http://${values.address}`;
  const lines = new Lines();
  const start = { node: inNode, chromium: inChromium }[values.in];
  check(start, `--in ${values.in}: neither node nor chromium`);
  const app = await start(source.replace(ADDRESS_IN_DOCUMENT, JSON.stringify(url)) + BESIDES, screen, lines);

  await lines.are(`Connected as: ${clientId}`);
  await admin.changes(area.id, { name: 'Kitchen (Updated)' });
  await lines.are('Area updated: Kitchen (Updated)', 'refreshAreas()');
  await admin.toggles(area.id);
  await lines.are(`area_disabled: ${area.id}`);
  await admin.toggles(area.id);
  await lines.are('Area enabled: Kitchen (Updated)', `enableAreaInUI(${area.id})`);
  // One request that enables it and more: both are told.
  await admin.toggles(area.id);
  await lines.are(`area_disabled: ${area.id}`);
  await admin.changes(area.id, { name: area.name, isEnabled: true });
  await lines.are(`Area updated: ${area.name}`, 'refreshAreas()');
  await lines.are(`Area enabled: ${area.name}`, `enableAreaInUI(${area.id})`);
  same(await app.token(), screen, 'the token that is kept');
  await admin.revokes(clientId);
  await lines.are(`alert(${REVOKED.message})`);
  await app.isSentAway();
  same(await app.token(), null, 'the token that is kept');
  return `ok: the document's own client in ${app.name} heard of its area, and of its end`;
});

/** As a module of Node. */
async function inNode(source, screen, lines) {
  check(source.includes(LIBRARY_IN_DOCUMENT), 'document-001/client.js: the library to replace is not in it');
  const library = JSON.stringify(import.meta.resolve('socket.io-client-4.8'));
  const kept = new Map([['client_token', screen]]);
  const localStorage = {
    getItem: (key) => kept.get(key) ?? null,
    removeItem: (key) => kept.delete(key),
  };
  const window = { location: { href: '/areas' } };
  const alert = (text) => lines.add(`alert(${text})`);
  const refreshAreas = () => lines.add('refreshAreas()');
  const enableAreaInUI = (id) => lines.add(`enableAreaInUI(${id})`);
  for (const [name, value] of Object.entries({ localStorage, window, alert, refreshAreas, enableAreaInUI })) {
    Object.defineProperty(globalThis, name, { value, configurable: true });
  }
  const { log } = console;
  console.log = (...args) => lines.add(args.join(' '));
  await import(`data:text/javascript,${encodeURIComponent(source.replace(LIBRARY_IN_DOCUMENT, library))}`);
  return {
    name: 'Node',
    token: () => localStorage.getItem('client_token'),
    isSentAway: async () => {
      // The library takes it as final: nobody comes back with a token that has ended.
      await lines.are('disconnect: io server disconnect');
      same(window.location.href, '/pairing', 'where it was sent');
      console.log = log;
    },
  };
}

/** On a page of an origin that is not the server's, with the library that the console has. */
async function inChromium(source, screen, lines) {
  const files = {
    '/start': ['text/html', '<!doctype html><title>Another application</title>'],
    '/areas': [
      'text/html',
      `<!doctype html><title>Areas</title>
      <script type="importmap">{"imports":{"socket.io-client":"/socket.io.js"}}</script>
      <script>
        const refreshAreas = () => console.log('refreshAreas()');
        const enableAreaInUI = (id) => console.log(\`enableAreaInUI(\${id})\`);
      </script>
      <script type="module">${source}</script>`,
    ],
    '/socket.io.js': [
      'text/javascript',
      await readFile(new URL('../../console/vendor/socket.io.js', import.meta.url), 'utf8'),
    ],
    '/pairing': ['text/html', '<!doctype html><title>Pairing</title>'],
    // Browsers ask for it when they like, and complain on the page that is open then if there is none.
    '/favicon.ico': ['image/svg+xml', '<svg xmlns="http://www.w3.org/2000/svg"/>'],
  };
  const server = createServer(({ url }, response) => {
    const [type, text] = files[url] ?? [];
    if (!type) return response.writeHead(404).end();
    return response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8` }).end(text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await launch();
  // Whether the certificate is trusted is seen elsewhere: Chromium has a store of its own.
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  page.on('pageerror', (error) => lines.add(`threw ${error.message}`));
  page.on('dialog', async (dialog) => {
    lines.add(`${dialog.type()}(${dialog.message()})`);
    await dialog.accept();
  });
  await page.goto(`${origin}/start`);
  await page.evaluate((token) => localStorage.setItem('client_token', token), screen);
  page.on('console', (message) => lines.add(message.text()));
  await page.goto(`${origin}/areas`);
  return {
    name: 'Chromium',
    token: () => page.evaluate(() => localStorage.getItem('client_token')),
    isSentAway: async () => {
      doing('waiting for the page of pairing');
      await page.waitForURL(`${origin}/pairing`);
    },
  };
}
