// Runs the sample client for browsers of document 002, "WebSocket Documentation", in Chromium, as it stands in
// document-002/browser.js: only the address is replaced. The code is entered on the server's own page, as if it were
// pasted into the console of the developer tools.
//
// Its last statement sends at once, which throws: no browser sends while it still connects. All that stands before it
// has its effect. Entered again once the connection is there, that statement does what it says.
//
//   node document_sensors.mjs --address HOST:PORT [--token ADMIN]
//
// Without a token it is a demo, which has the document's sensor.

import { readFile } from 'node:fs/promises';
import { launch } from './browser.mjs';
import { check, doing, requests, same, script, short } from './client.mjs';
import { Devtools } from './devtools.mjs';

const ADDRESS_IN_DOCUMENT = 'ws://127.0.0.1:8000/ws/sensor-data/';
const LAST_STATEMENT = /^socket\.send\([^]*\);$/m;
/** As nothing in a demo is. */
const VALUE = -271.5;
const DEVICE = { name: 'Hydroponic System 1' };
const SENSOR = { device_id: 1, sensor_type: 'temperature', unit: 'celsius' };

await script(60, {}, async ({ address, token }) => {
  const source = await readFile(new URL('document-002/browser.js', import.meta.url), 'utf8');
  check(source.includes(ADDRESS_IN_DOCUMENT), 'document-002/browser.js: the address to replace is not in it');
  const send = requests({ address, token });
  if (token) {
    for (const [path, made] of [['/api/devices', DEVICE], ['/api/sensors', SENSOR]]) {
      const { status, body } = await send('POST', path, made);
      same([status, body.id], [201, 1], `POST ${path}`);
    }
  }

  doing('opening the page');
  const browser = await launch();
  const page = await (await browser.newContext()).newPage();
  const devtools = await Devtools.of(page);
  await page.goto(`http://${address}/`);

  const query = token ? `?token=${encodeURIComponent(token)}` : '';
  const thrown = await devtools.enters(source.replace(ADDRESS_IN_DOCUMENT, `ws://${address}/ws/sensor-data/${query}`));
  check(/InvalidStateError.*CONNECTING/s.test(thrown), `the last statement throws ${short(thrown)}`);
  await devtools.line('WebSocket connected');

  // Somebody else's reading, as REST answers it to them.
  const posted = await send('POST', '/api/readings', { sensor_id: 1, value: VALUE });
  same(posted.status, 201, 'POST /api/readings');
  const received = await devtools.prints('Received:', (frame) => frame.value === VALUE);
  const update = { type: 'sensor_data_update', ...posted.body };
  same(JSON.stringify(received), JSON.stringify(update), 'what was received, its keys in their order');
  const shape = {
    type: 'sensor_data_update',
    sensor_id: 1,
    sensor_type: 'temperature',
    device_id: 1,
    device_name: 'Hydroponic System 1',
    value: VALUE,
    unit: 'celsius',
    timestamp: received.timestamp,
  };
  same(JSON.stringify(received), JSON.stringify(shape), 'what was received, as the document has it');
  check(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(received.timestamp), `its time is ${short(received.timestamp)}`);
  if (token) {
    const status = await devtools.prints('Received:', (frame) => frame.type === 'device_status');
    const { timestamp, ...rest } = status;
    const shape = { type: 'device_status', device_id: 1, device_name: DEVICE.name, status: 'active' };
    same(JSON.stringify(rest), JSON.stringify(shape), 'what became of the device');
  }

  const [lastStatement] = LAST_STATEMENT.exec(source) ?? [];
  check(lastStatement, 'document-002/browser.js: its last statement sends');
  devtools.forget();
  same(await devtools.enters(lastStatement), undefined, 'what the last statement throws, once the connection is there');
  await devtools.prints('Received:', (frame) => frame.sensor_id === 1 && frame.value === 25.5);

  same(await devtools.enters('socket.close()'), undefined, 'what closing throws');
  await devtools.line('WebSocket disconnected');
  await browser.close();
  return "ok: the document's own client in a browser received and sent readings";
});
