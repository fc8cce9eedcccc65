// The console's pages of sensors in Chromium, as a person uses them: makes devices and sensors, hears readings and alarms,
// looks at hours and at years of one sensor, closer and back, gives a board its token, and deletes. A million readings do
// not hold up the page. With names that look like markup; without forms for those who may only read; on a phone.
//
//   node sensors.mjs --address HOST:PORT --token T [--screenshot DIR]
//
// T is a token of an admin. The server has no devices but those made here.

import { SIZES, fingers, fits, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, requests, same, script, short } from './client.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const MARKUP = '<img src=x onerror="document.body.dataset.injected=1">';
const [MINUTE_MS, HOUR_MS] = [60_000, 3_600_000];
/** Readings of a sensor with a past: one each minute, and a spike at noon of its time. */
const PAST = 3_000;
const SPIKE = { at: 600, value: 48.5 };
/** Readings that one request may bear. */
const BATCH = 500;
/** What is not taken at once is sent again, after so long, so many times. */
const [AGAIN_MS, TRIES] = [500, 20];
/** What a chart asks for at most. */
const POINTS_MAX = 1_000;
/** Nothing may hold up the page for so long, in ms; a machine may be busy with something else: so many times it is tried. */
const [TASK_MS_MAX, ATTEMPTS] = [200, 3];
/** How long the page may take to notice that its network is gone or back. */
const RECONNECTED_MS = 45_000;

await script(240, OPTIONS, async ({ address, token, screenshot }) => {
  const send = requests({ address, token });
  const browser = await launch();
  const context = await browser.newContext({ viewport: SIZES.desktop, colorScheme: 'light' });
  const url = `http://${address}/?token=${encodeURIComponent(token)}#/sensors`;
  const { page, problems } = await open(context, url);

  const device = await makes(page, send);
  const sensor = await adds(page, send, device);
  await hears(page, send, sensor);
  await alarms(page, send, sensor);
  await isActive(page, send, { device, sensor });
  await changes(page, send, { device, sensor });
  await isAState(page, sensor);
  const past = await isGivenAPast(send, device);
  await ranges(page, past, screenshot);
  await zooms(page, past);
  await gives_up(page, past);
  await pagesOfReadings(page, past);
  await millions(page, past);
  await token_(page, { address, device, sensor });
  await comesBack(page, context, send, sensor);
  await many(page, send, { url, screenshot });
  await tooMany(context, url);
  await finds(page);
  check(problems.length === 0, `the page: ${problems.join('; ')}`);
  await phone(browser, url, { device, past });
  await readers(browser, send, { address, device, sensor });
  await deletes(page, send, { device, sensor });
  await browser.close();
  return 'ok: sensors are looked at and looked after';
});

function button(page, name) {
  return page.getByRole('button', { name, exact: true });
}

/** Goes to a place inside the console. */
function goTo(page, place) {
  return page.evaluate((place) => (location.hash = place), place);
}

/** A reading, as a board posts it. */
async function post(send, id, value, timestamp) {
  const { status, body } = await sends(send, `/api/sensors/${id}/readings`, { value, timestamp });
  same(status, 201, short(body));
}

/** What was undone, as the machine was busy (503), or is more than may come in a second (429), is sent again. */
async function sends(send, path, body) {
  for (let tries = 1; ; tries += 1) {
    const answer = await send('POST', path, body);
    if (![429, 503].includes(answer.status) || tries === TRIES) return answer;
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** A device, by its name alone; what the server refuses is said. */
async function makes(page, send) {
  doing('making a device');
  await shows(page, '#empty h2', 'No devices yet', 'a server without devices');
  await page.locator('#empty').getByRole('link', { name: 'New device' }).click();
  await page.getByLabel('Name').fill('   ');
  await page.keyboard.press('Enter');
  await until(page, 'it says what is wrong', () => document.querySelector('.device-page .wrong')?.textContent.length > 8);
  await page.getByLabel('Name').fill(`Tank ${MARKUP}`);
  await page.keyboard.press('Enter');
  await shows(page, '#entity-name', `Tank ${MARKUP}`, 'the page of the device');
  await texts(page, '.rows .device .name', [`Tank ${MARKUP}`], 'the devices');
  doing('renaming it');
  await page.locator('.device-page').getByLabel('Name').fill('Tank 9');
  await button(page, 'Rename').click();
  await shows(page, '#entity-name', 'Tank 9', 'its name');
  const { items } = (await send('GET', '/api/devices')).body;
  same(items.map(({ name }) => name), ['Tank 9'], 'the devices at the server');
  return items[0].id;
}

/** A sensor with an alarm. */
async function adds(page, send, device) {
  doing('adding a sensor');
  await button(page, 'Add a sensor').click();
  const form = page.locator('.sensor-form');
  await until(page, 'its type is asked for', () => document.activeElement.name === 'type');
  await page.keyboard.type('temperature');
  await form.getByLabel('Unit').fill('x'.repeat(1_000));
  await page.keyboard.press('Enter');
  await until(page, 'it says what is wrong', () => document.querySelector('.sensor-form .wrong')?.textContent.length > 8);
  await form.getByLabel('Unit').fill('celsius');
  await form.getByLabel('Alarm').check();
  await form.getByLabel('Above').fill('30');
  await form.getByLabel('Hysteresis').fill('0.5');
  await form.getByLabel('Hold-off, in s').fill('0');
  await button(page, 'Add it').click();
  await texts(page, '.members .name', ['Temperature'], 'its sensors');
  await shows(page, '.members .value', 'no reading', 'what it measured');
  const { items } = (await send('GET', `/api/sensors?device_id=${device}`)).body;
  const [{ id, sensor_type, unit, alarm }] = items;
  same([sensor_type, unit, alarm], ['temperature', 'celsius', { above: 30, below: null, hysteresis: 0.5, hold_off_s: 0 }], 'the sensor at the server');
  return id;
}

/** Readings are there at once, in the list, on its page, in the chart and one by one. */
async function hears(page, send, sensor) {
  await page.locator('.members a').click();
  await shows(page, '#entity-name', 'Temperature', 'the page of the sensor');
  await until(page, 'it says that there is nothing', () => document.querySelector('.nothing')?.textContent.includes('There are no readings yet'));
  doing('posting readings');
  await post(send, sensor, 21.5);
  await shows(page, '.now .value', '21.5 °C', 'the value');
  await shows(page, `.row[data-sensor-id="${sensor}"] .value`, '21.5 °C', 'the value in the list');
  await isActiveIn(page, 'Active');
  await until(page, 'it is drawn', () => document.querySelector('.chart figure').dataset.points === '1');
  await texts(page, '.readings td.number', ['21.5 °C'], 'the readings');
  await post(send, sensor, 22, new Date(Date.now() + 2_000).toISOString());
  await texts(page, '.readings td.number', ['22 °C', '21.5 °C'], 'the readings, one more');
  await until(page, 'both are drawn', () => document.querySelector('.chart figure').dataset.points === '2');
  await shows(page, '.readout', '2 readings, lowest 21.5 °C, highest 22 °C.', 'what they come to');
}

/** An alarm that is raised stands at the top, with when and by what, until it is over. */
async function alarms(page, send, sensor) {
  doing('raising an alarm');
  same(await page.locator('.row.alarm').count(), 0, 'alarms');
  await post(send, sensor, 31.2, new Date(Date.now() + 4_000).toISOString());
  await texts(page, '.row.alarm .name', ['Temperature Tank 9'], 'what is raised');
  await texts(page, '.row.alarm .by', ['above 30 °C'], 'by what');
  check(/^since /.test(await page.locator('.row.alarm .since').textContent()), 'it does not say since when');
  same(await page.locator('.row').first().evaluate((row) => row.classList.contains('alarms')), true, 'whether it is at the top');
  await shows(page, '.now .alarm strong', 'above 30 °C', 'on its page');
  await post(send, sensor, 29.8, new Date(Date.now() + 5_000).toISOString());
  await shows(page, '.now .value', '29.8 °C', 'the value, within the hysteresis');
  same(await page.locator('.row.alarm').count(), 1, 'alarms within the hysteresis');
  await post(send, sensor, 25, new Date(Date.now() + 6_000).toISOString());
  await until(page, 'it is over', () => !document.querySelector('.row.alarm') && document.querySelector('.now .alarm').textContent.startsWith('none; raised above 30'));
}

/** A status that is set, and that a reading changes. */
async function isActive(page, send, { device, sensor }) {
  doing('setting a status');
  await goTo(page, `/sensors/device/${device}`);
  await isActiveIn(page, 'Active');
  await button(page, 'Inactive').click();
  await isActiveIn(page, 'Inactive');
  await post(send, sensor, 24, new Date(Date.now() + 8_000).toISOString());
  await isActiveIn(page, 'Active');
}

/** What the list says of the device. */
async function isActiveIn(page, status) {
  await until(page, `the device is ${status}`, (status) => document.querySelector('.row.device .condition')?.textContent.trim().startsWith(status), status);
}

/** Settings, by the form on its page; what others change is here when it is heard of. */
async function changes(page, send, { device, sensor }) {
  doing('changing a sensor');
  await goTo(page, `/sensors/${sensor}`);
  await page.locator('.settings').getByRole('button', { name: 'Change' }).click();
  const form = page.locator('.sensor-form');
  same(await form.getByLabel('Above').inputValue(), '30', 'the threshold');
  await form.getByLabel('Below').fill('10');
  await form.getByLabel('Each reading').fill('30');
  await button(page, 'Save').click();
  await until(page, 'the form is gone', () => !document.querySelector('.sensor-form'));
  const { body } = await send('GET', `/api/sensors/${sensor}`);
  same([body.alarm.below, body.retention.raw_days], [10, 30], 'the sensor at the server');
  doing('changing from elsewhere');
  same((await send('PATCH', `/api/devices/${device}`, { name: 'Tank 10' })).status, 200, 'renaming');
  await post(send, sensor, 24.5, new Date(Date.now() + 9_000).toISOString());
  await texts(page, '.rows .device .name', ['Tank 10'], 'the devices');
  const { body: made } = await send('POST', '/api/sensors', { device_id: device, sensor_type: 'humidity', unit: 'percent' });
  await post(send, made.id, 40);
  await texts(page, '.rows .sensor .name', ['Humidity', 'Temperature'], 'its sensors');
  await until(page, 'both have their last hour', () => document.querySelectorAll('.row.sensor .last-hour').length === 2);
}

/** It is a state, too, and each leads to the other. */
async function isAState(page, sensor) {
  doing('going to it among the states');
  await goTo(page, `/sensors/${sensor}`);
  await page.locator('.settings .facts a').click();
  await shows(page, '.now .value', '24.5 °C', 'its state');
  await page.getByRole('link', { name: 'All readings of this sensor' }).click();
  await shows(page, '#entity-name', 'Temperature', 'the page of the sensor again');
}

/** A sensor with a reading each minute of the last fifty hours. */
async function isGivenAPast(send, device) {
  doing('posting a past');
  const { body } = await send('POST', '/api/sensors', { device_id: device, sensor_type: 'pressure', unit: 'hPa', silence_s: 600 });
  const began = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - (PAST - 1) * MINUTE_MS;
  const all = Array.from({ length: PAST }, (_, at) => ({
    value: at === PAST - SPIKE.at ? SPIKE.value : 20 + (at % 60) / 10,
    timestamp: new Date(began + at * MINUTE_MS).toISOString(),
  }));
  for (let at = 0; at < PAST; at += BATCH) {
    const { status, body: said } = await sends(send, `/api/sensors/${body.id}/readings`, all.slice(at, at + BATCH));
    same([status, said.stored], [201, BATCH], short(said));
  }
  return { id: body.id, spikeAt: began + (PAST - SPIKE.at) * MINUTE_MS };
}

/** Collects what the chart asks for, from now on. */
function asked(page, id) {
  const found = [];
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === `/api/sensors/${id}/readings` && searchParams.has('from')) found.push(Object.fromEntries(searchParams));
  });
  return found;
}

/** How long it is between two times, in ms. */
function spanOf({ from, to }) {
  return Date.parse(to) - Date.parse(from);
}

/** What the chart shows, once it is loaded. */
async function drawn(page, what) {
  const { every, points } = await until(page, `${what} is drawn`, () => {
    const figure = document.querySelector('.chart figure');
    return figure && !figure.classList.contains('loading') && figure.dataset.points !== undefined && { ...figure.dataset };
  });
  return { every: Number(every), points: Number(points) };
}

/** Each range asks for as much as there are pixels, and shows lowest and highest. */
async function ranges(page, { id, spikeAt }, screenshot) {
  const found = asked(page, id);
  await goTo(page, `/sensors/${id}`);
  await shows(page, '#entity-name', 'Pressure', 'the page of the sensor with a past');
  const day = await drawn(page, 'a day');
  check(day.every > 0 && day.points > 200 && day.points <= POINTS_MAX, `a day is ${short(day)}`);
  await until(page, 'it says what was the highest', () => document.querySelector('.readout').textContent.endsWith('lowest 20 hPa, highest 48.5 hPa.'));
  await spans(page, spikeAt);
  const expected = { 'the last 7 days': 168, 'the last 30 days': 720, 'the last year': 8_760, 'the last 6 hours': 6, 'the last hour': 1 };
  for (const [name, hours] of Object.entries(expected)) {
    found.length = 0;
    await button(page, name).click();
    await texts(page, '.ranges [aria-pressed="true"]', [{ 168: '7 d', 720: '30 d', 8760: '1 y', 6: '6 h', 1: '1 h' }[hours]], 'the range');
    await until(page, 'it is asked for', () => document.querySelector('.chart figure.loading') || true);
    const { every, points } = await drawn(page, name);
    check(points <= POINTS_MAX, `${name}: ${points} points`);
    const [first] = found;
    same([first.agg, Number(first.limit) <= POINTS_MAX], ['minmax', true], `what is asked for ${name}`);
    check(Math.abs(spanOf(first) - hours * HOUR_MS) < 10_000, `${name} asks for ${short(first)}`);
    if (hours === 1) check(every === 0 && points >= 59 && points <= 61, `an hour is ${points} points of ${every} ms`);
    if (hours === 720) check(every > 0 && points > 10, `a month is ${points} points of ${every} ms`);
  }
  if (!screenshot) return;
  await button(page, 'the last 24 hours').click();
  await drawn(page, 'a day');
  await pictures(page, screenshot, 'sensor');
}

/** At the time of the spike the band reaches from low to high; beside it, it does not. */
async function spans(page, at) {
  const heightAt = (px) => {
    const [canvas, over] = [document.querySelector('.chart canvas'), document.querySelector('.chart .u-over')];
    const scale = canvas.width / canvas.getBoundingClientRect().width;
    const [box, place] = [over.getBoundingClientRect(), canvas.getBoundingClientRect()];
    const [x, top] = [box.left - place.left + px, box.top - place.top];
    const data = canvas.getContext('2d').getImageData(Math.round(x * scale) - 2, Math.round(top * scale), 5, Math.round(box.height * scale)).data;
    const [red, , blue] = getComputedStyle(document.documentElement).getPropertyValue('--plot').match(/[\da-f]{2}/gi).map((part) => parseInt(part, 16));
    // Of the colour of the plot, thin or thick: grid lines are grey.
    let rows = 0;
    for (let row = 0; row < data.length / 20; row += 1) {
      const has = [0, 1, 2, 3, 4].some((column) => {
        const [r, , b, a] = data.slice(row * 20 + column * 4, row * 20 + column * 4 + 4);
        return a > 20 && (r - b) * Math.sign(red - blue) > 20;
      });
      if (has) rows += 1;
    }
    return rows / (data.length / 20);
  };
  const width = await page.locator('.chart .u-over').evaluate((over) => over.clientWidth);
  const px = ((at - (Date.now() - 24 * HOUR_MS)) / (24 * HOUR_MS)) * width;
  const [spike, beside] = [await page.evaluate(heightAt, px), await page.evaluate(heightAt, px + 40)];
  check(spike > 0.4 && beside < 0.25, `the band is ${spike} of the height at the spike, ${beside} beside it`);
}

/** Drags from one part of the chart to another. */
async function drag(page, from, to) {
  const { x, y, width } = await page.locator('.chart .u-over').boundingBox();
  await page.mouse.move(x + width * from, y + 100);
  await page.mouse.down();
  await page.mouse.move(x + (width * (from + to)) / 2, y + 110, { steps: 3 });
  await page.mouse.move(x + width * to, y + 120, { steps: 3 });
  await page.mouse.up();
}

/** A closer look by dragging, by keys and by buttons, down to each reading; and back. */
async function zooms(page, { id }) {
  const found = asked(page, id);
  await button(page, 'the last 24 hours').click();
  const day = await drawn(page, 'a day');
  doing('dragging over a part of the chart');
  found.length = 0;
  await drag(page, 0.25, 0.5);
  await button(page, 'Back').waitFor();
  const part = await drawn(page, 'a quarter of a day');
  check(Math.abs(spanOf(found[0]) - 6 * HOUR_MS) < 10 * MINUTE_MS, `a quarter of a day asks for ${short(found[0])}`);
  check(part.every === 0 && Math.abs(part.points - 360) < 15, `a quarter of a day is ${short(part)}`);
  same(await page.locator('.ranges [aria-pressed="true"]').count(), 0, 'ranges that are chosen');
  await drag(page, 0.4, 0.5);
  await until(page, 'it is closer still', () => Number(document.querySelector('.chart figure').dataset.points) < 60);
  await button(page, 'Back').click();
  same(await drawn(page, 'the quarter again'), part, 'what is shown after going back');
  await button(page, 'Back').click();
  same((await drawn(page, 'the day again')).every, day.every, 'what is shown after going back again');
  await texts(page, '.ranges [aria-pressed="true"]', ['24 h'], 'the range after going back');

  doing('using the keys');
  await page.locator('.chart .canvas').focus();
  await page.keyboard.press('+');
  await button(page, 'Back').waitFor();
  await page.keyboard.press('ArrowLeft');
  await until(page, 'it is earlier', () => !document.querySelector('.span').textContent.endsWith('now'));
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('-');
  await until(page, 'it is wider', () => document.querySelector('.span').textContent.endsWith('now'));
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await until(page, 'there is nothing to go back to', () => ![...document.querySelectorAll('.range button')].some((each) => each.textContent === 'Back'));
  await shows(page, '#entity-name', 'Pressure', 'the page: Escape went back, and no further');
  await page.keyboard.press('Escape');
  await until(page, 'Escape leaves the page', () => !document.querySelector('.sensor-page'));
  await goTo(page, `/sensors/${id}`);
  await drawn(page, 'a day');
}

/** What is not wanted any more is not waited for. */
async function gives_up(page, { id }) {
  doing('choosing another range before one has come');
  const ended = [];
  page.on('requestfailed', (request) => ended.push(request.failure().errorText));
  let release = () => {};
  const held = new Promise((resolve) => (release = resolve));
  await page.route(`**/api/sensors/${id}/readings?*agg=minmax*`, async (route) => {
    await held;
    await route.continue().catch(() => undefined);
  }, { times: 1 });
  await button(page, 'the last year').click();
  await until(page, 'it is loading', () => document.querySelector('.chart figure.loading'));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await button(page, 'the last hour').click();
  const { every } = await drawn(page, 'an hour');
  same(every, 0, 'what a point spans');
  release();
  await until(page, 'it is still the hour', () => document.querySelector('.chart figure').dataset.every === '0');
  check(ended.some((words) => words.includes('ABORTED')), `requests that ended: ${ended}`);
  await page.unroute(`**/api/sensors/${id}/readings?*agg=minmax*`);
}

/** Readings one by one, a page at a time. */
async function pagesOfReadings(page) {
  doing('reading one by one');
  const firstOf = () => page.locator('.readings td time').first().getAttribute('datetime');
  const newest = await firstOf();
  await button(page, 'Older').click();
  await shows(page, '#readings', 'Readings, page 2', 'the page');
  await until(page, 'it is there', (newest) => document.querySelector('.readings td time').dateTime < newest, newest);
  const count = await page.locator('.readings tbody tr').count();
  same((Date.parse(newest) - Date.parse(await firstOf())) / MINUTE_MS, count, 'how much older the second page is, in minutes');
  await button(page, 'Newer').click();
  await shows(page, '#readings', 'Latest readings', 'the page');
  await until(page, 'it is there again', (newest) => document.querySelector('.readings td time').dateTime === newest, newest);
}

/** A million readings, as the server sums them up: nothing holds up the page. */
async function millions(page, { id }) {
  await page.route(`**/api/sensors/${id}/readings?*agg=minmax*`, (route) => {
    const { searchParams } = new URL(route.request().url());
    const [from, limit] = [Date.parse(searchParams.get('from')), Number(searchParams.get('limit'))];
    const every = Math.ceil(spanOf(Object.fromEntries(searchParams)) / (limit - 1) / 1_000);
    const items = Array.from({ length: limit }, (_, at) => {
      const mid = 20 + 5 * Math.sin(at / 40);
      return { timestamp: new Date(from + at * every * 1_000).toISOString(), count: Math.ceil(1_100_000 / limit), min: mid - 3, max: mid + 3, avg: mid, last: mid };
    });
    return route.fulfill({ json: { items, next: null, every: `${every}s` } });
  });
  const longest = [];
  for (let attempt = 1; attempt <= ATTEMPTS && !(longest.at(-1) <= TASK_MS_MAX); attempt += 1) longest.push(await longestTask(page));
  check(longest.at(-1) <= TASK_MS_MAX, `the page was held up for ${longest.join(', ')} ms, ${TASK_MS_MAX} are allowed`);
  await page.unroute(`**/api/sensors/${id}/readings?*agg=minmax*`);
}

/** Goes through ranges and looks closer, and gives the longest task meanwhile, in ms. */
async function longestTask(page) {
  await page.evaluate(() => {
    window.longest = 0;
    window.tasks = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    });
    window.tasks.observe({ type: 'longtask' });
  });
  for (const name of ['the last year', 'the last 30 days', 'the last 7 days', 'the last year']) {
    await button(page, name).click();
    const { points } = await drawn(page, name);
    check(points > 200 && points <= POINTS_MAX, `${name}: ${points} points`);
  }
  check(Number((await page.locator('.readout').textContent()).split(' ')[0].replaceAll(',', '')) >= 1_000_000, 'it is not a million readings');
  for (let closer = 0; closer < 5; closer += 1) {
    await drag(page, 0.3, 0.7);
    await drawn(page, 'a part of it');
  }
  const { x, y, width } = await page.locator('.chart .u-over').boundingBox();
  await page.mouse.move(x, y + 50);
  await page.mouse.move(x + width, y + 150, { steps: 60 });
  return page.evaluate(() => {
    window.tasks.disconnect();
    return Math.round(window.longest);
  });
}

/** A token for the board: shown once, and it posts. */
async function token_(page, { address, device, sensor }) {
  doing('making a token for a board');
  await goTo(page, `/sensors/device/${device}`);
  await button(page, 'Make a token').click();
  const secret = await page.locator('.copied pre').first().textContent();
  const line = await page.locator('.copied pre').last().textContent();
  check(secret.length > 20 && line.includes(secret) && line.includes(`http://${address}/api/sensors/`), line);
  const board = requests({ address, token: secret });
  await post(board, sensor, 26, new Date(Date.now() + 11_000).toISOString());
  await button(page, 'Done').click();
  await until(page, 'it is gone', (secret) => !document.body.textContent.includes(secret), secret);
}

/** What happened while it was away is there when it is back. */
async function comesBack(page, context, send, sensor) {
  doing('being away');
  await goTo(page, `/sensors/${sensor}`);
  await shows(page, '.now .value', '26 °C', 'the value');
  await context.setOffline(true);
  await until(page, 'it says so', () => document.body.dataset.connection === 'offline', null, RECONNECTED_MS);
  await page.locator('.trouble').filter({ hasText: /What you see may be out of date/ }).waitFor();
  await post(send, sensor, 9.5, new Date(Date.now() + 12_000).toISOString());
  await context.setOffline(false);
  await until(page, 'it is live', () => document.body.dataset.connection === 'live', null, RECONNECTED_MS);
  await shows(page, '.now .value', '9.5 °C', 'the value when it is back');
  await texts(page, '.row.alarm .by', ['below 10 °C'], 'the alarm that was raised meanwhile');
}

/** Of hundreds of devices only those in view are in the page. */
async function many(page, send, { url, screenshot }) {
  doing('making many devices');
  for (let at = 0; at < 150; at += 1) {
    const { body } = await send('POST', '/api/devices', { name: `Board ${at}` });
    const { body: made } = await send('POST', '/api/sensors', { device_id: body.id, sensor_type: 'temperature', unit: 'celsius' });
    if (at % 3 === 0) await post(send, made.id, at / 10);
  }
  await page.goto(url);
  await page.reload();
  await shows(page, '#count', '151 devices, 153 sensors', 'the count');
  const rows = await page.locator('.rows .row').count();
  check(rows > 10 && rows < 80, `${rows} rows are in the page`);
  await texts(page, '.row.alarm .name', ['Temperature Tank 10'], 'what is raised, as the snapshot says');
  if (screenshot) await pictures(page, screenshot, 'sensors');
  await page.locator('#sensors').focus();
  await page.keyboard.press('End');
  await until(page, 'the last row is active', () => document.querySelector('.row.active .name')?.textContent === 'Temperature');
  await page.keyboard.press('ArrowLeft');
  await until(page, 'its device is active', () => document.querySelector('.row.active .name')?.textContent === 'Tank 10');
  await page.keyboard.press('ArrowLeft');
  await until(page, 'it is closed', () => document.querySelector('.row.active').ariaExpanded === 'false');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await shows(page, '#entity-name', 'Tank 10', 'the page of the device');
  await page.keyboard.press('Escape');
  await until(page, 'the list has the focus again', () => document.activeElement.id === 'sensors' && !document.querySelector('#entity-name'));
}

/** Where there are too many for a snapshot, all are listed. */
async function tooMany(context, url) {
  const page = await context.newPage();
  await page.routeWebSocket(/snapshot=1/, (socket) => {
    socket.send(JSON.stringify({ type: 'error', message: 'the snapshot is over 1 MiB', code: 'INVALID' }));
    socket.close({ code: 1008, reason: 'policy violation' });
  });
  await page.goto(url);
  await until(page, 'it is live without a snapshot', () => document.body.dataset.connection === 'live');
  await shows(page, '#count', '151 devices, 153 sensors', 'the count without a snapshot');
  await texts(page, '.row.alarm .by', ['below 10 °C'], 'what is raised, as the values say');
  await page.close();
}

/** By the names of devices, types and what is the matter. */
async function finds(page) {
  doing('searching');
  await page.keyboard.press('/');
  await page.keyboard.type('TANK press');
  await shows(page, '#count', '1 of 153 sensors', 'what is found');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('alarm');
  await texts(page, '.rows .name', ['Raised alarms', 'Temperature Tank 10', 'Tank 10', 'Temperature'], 'what is raised');
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.type('board inactive');
  await shows(page, '#count', '100 of 153 sensors', 'what is found');
  await page.keyboard.type('zzz');
  await until(page, 'it says that nothing matches', () => document.querySelector('#empty')?.textContent.includes('Nothing matches'));
  await page.keyboard.press('Escape');
  await shows(page, '#count', '151 devices, 153 sensors', 'the count after Escape');
  const made = await page.evaluate(() => [document.querySelectorAll('img').length, document.body.dataset.injected ?? 'no']);
  same(made, [0, 'no'], 'elements that markup became');
}

/** Nothing is wider than a phone, or too small for fingers, which look closer, too. */
async function phone(browser, url, { device, past }) {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const { page } = await open(context, url);
  await until(page, 'the list is there', () => document.querySelectorAll('.rows .row').length > 5);
  await fits(page, 'the list on a phone');
  await fingers(page, 'the list');
  await goTo(page, `/sensors/${past.id}`);
  const day = await drawn(page, 'a day on a phone');
  check(day.points > 100 && day.points <= 400, `a day on a phone is ${short(day)}`);
  await page.locator('.settings').getByRole('button', { name: 'Change' }).click();
  await fits(page, 'a sensor on a phone');
  await fingers(page, 'a sensor');
  await page.locator('.chart .u-over').evaluate((over) => {
    const { left, top, width } = over.getBoundingClientRect();
    for (const [type, part] of [['pointerdown', 0.2], ['pointermove', 0.3], ['pointerup', 0.4]]) {
      over.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerType: 'touch', isPrimary: true, clientX: left + width * part, clientY: top + 40 }));
    }
  });
  await button(page, 'Back').waitFor();
  await goTo(page, `/sensors/device/${device}`);
  await button(page, 'Make a token').click();
  await button(page, 'Done').waitFor();
  await button(page, 'Add a sensor').click();
  await fits(page, 'a device on a phone');
  await fingers(page, 'a device');
  await context.close();
}

/** Who may only read sees no forms. */
async function readers(browser, send, { address, device, sensor }) {
  doing('coming as a user');
  const { body } = await send('POST', '/api/tokens', { role: 'user', ttl: 3600 });
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page } = await open(context, `http://${address}/?token=${encodeURIComponent(body.token)}#/sensors/${sensor}`);
  await shows(page, '.now .value', '9.5 °C', 'the value');
  await drawn(page, 'the chart');
  await goTo(page, `/sensors/device/${device}`);
  await texts(page, '.members .name', ['Humidity', 'Pressure', 'Temperature'], 'the sensors of the device');
  const offered = () => page.locator('form, .add, .settings button, .device-page .buttons button, .status button').count();
  same(await offered(), 0, 'what a user could change');
  await goTo(page, '/sensors/new');
  await until(page, 'it says that it is not for them', () => document.querySelector('.device-page')?.textContent.includes('made by admins'));
  same(await offered(), 0, 'what a user could make');
  await context.close();
}

/** A sensor and a device go, once that is confirmed. */
async function deletes(page, send, { device, sensor }) {
  doing('deleting');
  await goTo(page, `/sensors/${sensor}`);
  const dialog = page.locator('dialog');
  await page.locator('.settings').getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await page.locator('.settings').getByRole('button', { name: 'Delete' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await texts(page, '.members .name', ['Humidity', 'Pressure'], 'the sensors that are left');
  same((await send('GET', `/api/sensors/${sensor}`)).status, 404, 'the sensor at the server');
  await button(page, 'Delete the device').click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await shows(page, '#count', '150 devices, 150 sensors', 'what is left');
  same((await send('GET', `/api/devices/${device}`)).status, 404, 'the device at the server');
}
