// The console's pages of chat, houseworkers and notifications in Chromium, as people use them, each in a browser of their
// own: who is online and who is writing, messages both ways, read and unread, far back, and when the network is gone or
// the server refuses one; groups that are made, grow, shrink and are deleted, whose addresses follow; comments and ratings
// that are told. With messages that look like markup; on a phone; and what guests are asked.
//
//   node chat.mjs --address HOST:PORT --token T [--screenshot DIR]
//
// The server is a demo, T a token of an admin there.

import WebSocket from 'ws';
import { SHOWN_MS, SIZES, fingers, fits, launch, open, pictures, shows, texts, until } from './browser.mjs';
import { check, doing, requests, same, script, short } from './client.mjs';

const OPTIONS = { screenshot: { type: 'string' } };
const MARKUP = '<img src=x onerror="document.body.dataset.injected=1">';
const PASSWORD = 'correct horse battery';
/** More than are shown at once. */
const PAST = 340;
const [PAGE_LEN, SHOWN_MAX] = [50, 300];
/** How long somebody counts as writing, and is online, without a sign. */
const [TYPING_MS, AWAY_MS] = [10_000, 30_000];
/** How long the page may take to notice that its network is gone or back. */
const RECONNECTED_MS = 45_000;

await script(300, OPTIONS, async ({ address, token, screenshot }) => {
  const send = requests({ address, token });
  const browser = await launch();
  await guests(browser, address);
  const people = await makes(send);
  const [anna, bela] = [await comes(browser, address, people.anna), await comes(browser, address, people.bela)];
  const room = await meets(anna, bela);
  await talks(anna, bela, room, screenshot);
  await types(anna, bela);
  await refused(anna, bela);
  await markup(anna, bela);
  await tabs(anna, bela, room);
  await keys(anna, room);
  await farBack(anna, { address, room, from: people.bela });
  await comesBack(anna, bela);
  const cleo = await comes(browser, address, people.cleo);
  const group = await makesGroup(anna, bela, cleo, screenshot);
  await grows(anna, bela, people.dora, group);
  await shrinks({ anna, bela, cleo }, people);
  await deletes(anna, bela);
  await rates(bela, cleo, screenshot);
  await notified(cleo, screenshot);
  await goes(anna, bela, room);
  for (const { page, name, problems } of [anna, cleo]) {
    check(problems.length === 0, `the page of ${name}: ${problems.join('; ')}`);
    const made = await page.evaluate(() => [document.querySelectorAll('img').length, document.body.dataset.injected ?? 'no']);
    same(made, [0, 'no'], 'elements that markup became');
  }
  await phone(browser, address, people.anna, room, screenshot);
  await browser.close();
  return 'ok: people write to one another, in private and in groups, and rate';
});

function button(page, name) {
  return page.getByRole('button', { name, exact: true });
}

/** Goes to a place inside the console. */
function goTo({ page }, place) {
  return page.evaluate((place) => (location.hash = place), place);
}

/** Waits until the page is at a place. */
function isAt({ page, name }, place) {
  return until(page, `${name} is at ${place}`, (place) => location.hash === `#${place}`, place);
}

/** The label of a room with these. */
function labelOf(...people) {
  return people.map(({ id }) => id).sort((a, b) => a - b).join(':');
}

/** Writes and sends. */
async function writes({ page }, text) {
  await page.getByLabel('Message', { exact: true }).fill(text);
  await page.keyboard.press('Enter');
}

/** Waits until the last message is this, and there as the server has it. */
async function isLast({ page, name }, text) {
  const isIt = (text) => {
    const last = [...document.querySelectorAll('.message')].at(-1);
    return last?.classList.contains('sent') && last.querySelector('.text').textContent === text;
  };
  await until(page, `the last message of ${name} is ${short(text)}`, isIt, text);
}

/** The numbers on the menu. */
function badge({ page, name }, menu, count) {
  const has = ([menu, count]) => (document.querySelector(`nav [data-name="${menu}"] .badge`)?.firstChild.textContent ?? '0') === count;
  return until(page, `${name} has ${count} on ${menu}`, has, [menu, String(count)]);
}

/** A guest may look at states, but is asked who they are; in a demo it offers its people. */
async function guests(browser, address) {
  doing('coming as a guest');
  const context = await browser.newContext({ viewport: SIZES.desktop });
  const { page } = await open(context, `http://${address}/#/chat`);
  await page.locator('#enter').waitFor({ timeout: SHOWN_MS });
  for (const place of ['/notifications', '/houseworkers', '/chat']) {
    await goTo({ page }, place);
    await page.locator('#enter p').filter({ hasText: /users|name/ }).first().waitFor({ timeout: SHOWN_MS });
  }
  await button(page, 'jane').click();
  await page.locator('.rooms h1').waitFor({ timeout: SHOWN_MS });
  await until(page, 'it is live', () => document.body.dataset.connection === 'live');
  await button(page, 'Sign out').click();
  await page.locator('#enter').waitFor({ timeout: SHOWN_MS });
  same(await page.locator('.rooms, .message').count(), 0, 'what is still shown');
  await context.close();
}

/** People that only this script knows. */
async function makes(send) {
  const people = {};
  for (const [name, kind] of [['Anna', 'client'], ['Bela', null], ['Cleo', 'houseworker'], ['Dora', 'client']]) {
    const login = name.toLowerCase();
    const { status, body } = await send('POST', '/api/users', { username: name, login, password: PASSWORD, ...(kind && { kind }) });
    same(status, 201, short(body));
    people[login] = { id: body.userId, login, name };
  }
  return people;
}

/** Signs in at the chat. */
async function comes(browser, address, person) {
  doing(`signing in as ${person.name}`);
  const context = await browser.newContext({ viewport: SIZES.desktop, colorScheme: 'light' });
  const { page, problems } = await open(context, `http://${address}/#/chat`);
  await page.getByLabel('Username').fill(person.login);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.locator('.rooms h1').waitFor({ timeout: SHOWN_MS });
  await until(page, 'it is live', () => document.body.dataset.connection === 'live');
  return { ...person, page, context, problems };
}

/** One finds the other among those who are online, and begins. */
async function meets(anna, bela) {
  doing('beginning a conversation');
  await shows(anna.page, '#empty h2', 'No conversations yet', 'a chat without rooms');
  await anna.page.locator('.rooms header').getByRole('button', { name: 'New chat' }).click();
  await until(anna.page, 'a name is asked for', () => document.activeElement.type === 'search');
  await anna.page.keyboard.type('bela');
  await anna.page.locator(`dialog [data-user-id="${bela.id}"] .condition.live`).waitFor({ timeout: SHOWN_MS });
  await anna.page.keyboard.press('Enter');
  const room = labelOf(anna, bela);
  await isAt(anna, `/chat/${room}`);
  await shows(anna.page, '.conversation h2', 'Bela', 'whom it is with');
  await shows(anna.page, '.who-is-there', 'Online', 'whether they are there');
  await until(anna.page, 'one can write', () => document.activeElement.matches('.composer textarea'));
  return room;
}

/** What one says is with the other, who has read it or not. */
async function talks(anna, bela, room, screenshot) {
  doing('talking');
  const row = `[data-room-id="${room}"]`;
  await writes(anna, '   ');
  same(await anna.page.locator('.message').count(), 0, 'messages with nothing in them');
  await writes(anna, 'Hello Bela');
  await isLast(anna, 'Hello Bela');
  await shows(bela.page, `${row} .last`, 'Hello Bela', 'the room of the other');
  await badge(bela, 'Chat', 1);
  same(await bela.page.title(), '(1) Chat · Bellwire', 'the title');
  await goTo(bela, '/sensors');
  await badge(bela, 'Chat', 1);
  await goTo(bela, `/chat/${room}`);
  await isLast(bela, 'Hello Bela');
  await badge(bela, 'Chat', 0);
  await texts(bela.page, '.first-unread', ['New'], 'where what is new begins');
  await bela.page.getByLabel('Message', { exact: true }).fill('Hello');
  await bela.page.keyboard.press('Shift+Enter');
  await bela.page.keyboard.type('Anna');
  await bela.page.keyboard.press('Enter');
  await isLast(bela, 'Hello\nAnna');
  await isLast(anna, 'Hello\nAnna');
  await badge(anna, 'Chat', 0);
  await writes(anna, 'How are you?');
  await isLast(bela, 'How are you?');
  await texts(anna.page, '.message.mine .text', ['Hello Bela', 'How are you?'], 'what one said oneself');
  await texts(anna.page, '.day', ['Today'], 'the days');
  const sides = await anna.page.locator('.message').evaluateAll((all) => all.map((each) => Math.round(each.getBoundingClientRect().x)));
  check(sides[0] > sides[1] && sides[2] > sides[1], `where messages begin: ${sides}`);
  if (screenshot) await pictures(anna.page, screenshot, 'chat');
}

/** That one is writing is shown to the other, until nothing is left, or for a while. */
async function types(anna, bela) {
  doing('writing');
  const field = bela.page.getByLabel('Message', { exact: true });
  await field.pressSequentially('I am');
  await shows(anna.page, '.typing', 'Bela is writing', 'who is writing');
  same(await bela.page.locator('.typing').textContent(), '', 'what one is told of oneself');
  await field.fill('');
  await shows(anna.page, '.typing', '', 'when nothing is left');
  await field.pressSequentially('Fine');
  await shows(anna.page, '.typing', 'Bela is writing', 'who is writing again');
  await bela.page.keyboard.press('Enter');
  await isLast(anna, 'Fine');
  await shows(anna.page, '.typing', '', 'when it is sent');
  await field.pressSequentially('And');
  await shows(anna.page, '.typing', 'Bela is writing', 'who is writing once more');
  await shows(anna.page, '.typing', '', 'when nothing comes', TYPING_MS + SHOWN_MS);
  await field.fill('');
}

/** What the server refuses can be sent again, or not at all. */
async function refused(anna, bela) {
  doing('being refused');
  await anna.page.evaluate(() => {
    const { send } = WebSocket.prototype;
    window.refusals = 2;
    WebSocket.prototype.send = function (text) {
      const { type, id } = JSON.parse(text);
      if (type !== 'message' || window.refusals === 0) return send.call(this, text);
      window.refusals -= 1;
      const data = JSON.stringify({ type: 'error', error: 'it is too late', code: 'INVALID', id });
      setTimeout(() => this.onmessage({ data }));
    };
  });
  await writes(anna, 'Are you there?');
  await until(anna.page, 'it says why', () => document.querySelector('.message.failed .wrong')?.textContent.includes('Not sent: it is too late.'));
  await writes(anna, 'Never mind');
  await until(anna.page, 'both wait', () => document.querySelectorAll('.message.failed').length === 2);
  await anna.page.locator('.message.failed').last().getByRole('button', { name: 'Discard' }).click();
  await texts(anna.page, '.message.failed .text', ['Are you there?'], 'what is still not sent');
  await anna.page.locator('.message.failed').getByRole('button', { name: 'Try again' }).click();
  await isLast(anna, 'Are you there?');
  await isLast(bela, 'Are you there?');
  same(await anna.page.locator('.message.failed').count(), 0, 'messages that are not sent');
}

/** Markup is text, long words stay inside, and what is too long is not sent. */
async function markup(anna, bela) {
  doing('sending markup');
  await writes(anna, MARKUP);
  await isLast(bela, MARKUP);
  await writes(anna, 'w'.repeat(2_000));
  await isLast(bela, 'w'.repeat(2_000));
  const isInside = await bela.page.locator('.messages').evaluate((log) => log.scrollWidth <= log.clientWidth);
  check(isInside, 'a long word is wider than the conversation');
  await writes(anna, 'ä'.repeat(2_049));
  await until(anna.page, 'it says that it is too long', () => document.querySelector('.composer .wrong')?.textContent === 'Too long by 2 bytes');
  await anna.page.getByLabel('Message', { exact: true }).fill('');
}

/** What one says in one tab is in the other, once. */
async function tabs(anna, bela, room) {
  doing('opening a second tab');
  const { page } = await open(anna.context, `http://${new URL(anna.page.url()).host}/#/chat/${room}`);
  const second = { ...anna, name: 'Anna, in a second tab,', page };
  await isLast(second, 'w'.repeat(2_000));
  await writes(second, 'Twice');
  await isLast(anna, 'Twice');
  await writes(second, 'Twice');
  await isLast(bela, 'Twice');
  for (const each of [anna, bela, second]) {
    const count = (count) => [...document.querySelectorAll('.message .text')].filter(({ textContent }) => textContent === 'Twice').length === count;
    await until(each.page, `${each.name} sees both`, count, 2);
  }
  await page.close();
  await shows(bela.page, '.who-is-there', 'Online', 'whether one with another tab is there');
}

/** Escape closes what is nearest, and the focus goes back. */
async function keys(anna, room) {
  doing('using the keyboard');
  const focused = (what, selector) => until(anna.page, `${what} has the focus`, (selector) => document.activeElement.matches(selector), selector);
  await button(anna.page, 'People').click();
  await focused('the heading', '.members-drawer h3');
  await button(anna.page, 'Add somebody').click();
  await focused('the search', 'dialog input[type="search"]');
  await anna.page.keyboard.press('Escape');
  await until(anna.page, 'the dialog is gone', () => !document.querySelector('dialog'));
  await anna.page.keyboard.press('Escape');
  await until(anna.page, 'the people are gone', () => !document.querySelector('.members-drawer'));
  await focused('what showed them', '.show-people');
  await anna.page.keyboard.press('Escape');
  await isAt(anna, '/chat');
  await anna.page.locator(`[data-room-id="${room}"]`).focus();
  await anna.page.keyboard.press('Enter');
  await isLast(anna, 'Twice');
}

/** Sends many over one connection. */
async function says({ address, room, from }, count) {
  const { body } = await requests({ address })('POST', '/api/auth/login', { username: from.login, password: PASSWORD });
  const socket = new WebSocket(`ws://${address}/ws/chat/`, { headers: { Authorization: `Bearer ${body.token}` } });
  await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
  for (let at = 1; at <= count; at += 1) {
    socket.send(JSON.stringify({ type: 'message', data: { message: `Number ${at}`, roomID: room }, id: at }));
    const reply = await new Promise((resolve) => {
      socket.on('message', function hear(text) {
        const frame = JSON.parse(text);
        if (frame.id !== at) return;
        socket.off('message', hear);
        resolve(frame);
      });
    });
    same(reply.success, true, short(reply));
  }
  socket.close(1000);
}

/** Older messages come in above, and what one looks at stays where it is; and so on to the beginning and back. */
async function farBack(anna, { address, room, from }) {
  doing('saying much');
  await says({ address, room, from }, PAST);
  await isLast(anna, `Number ${PAST}`);
  doing('going far back');
  await anna.page.reload();
  await isLast(anna, `Number ${PAST}`);
  same(await anna.page.locator('.message').count(), PAGE_LEN, 'messages at first');
  const jumped = await anna.page.evaluate(async ([length, limitMs]) => {
    const log = document.querySelector('.messages');
    const row = document.querySelectorAll('.message')[3];
    log.scrollTop = row.offsetTop - 20;
    await new Promise(requestAnimationFrame);
    const before = row.getBoundingClientRect().top;
    const end = performance.now() + limitMs;
    while (document.querySelectorAll('.message').length <= length && performance.now() < end) await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    return [document.querySelectorAll('.message').length, Math.abs(row.getBoundingClientRect().top - before)];
  }, [PAGE_LEN, SHOWN_MS]);
  check(jumped[0] >= 2 * PAGE_LEN && jumped[1] <= 2, `messages, and px that it jumped: ${jumped}`);
  const toTop = () => {
    document.querySelector('.messages').scrollTop = 0;
    return document.querySelector('.messages .older')?.textContent === 'The conversation begins here';
  };
  await until(anna.page, 'it is the beginning', toTop, undefined, 3 * SHOWN_MS);
  const count = await anna.page.locator('.message').count();
  check(count <= SHOWN_MAX, `${count} messages at once`);
  await shows(anna.page, '.message .text', 'Hello Bela', 'the first message');
  const toBottom = (text) => {
    const log = document.querySelector('.messages');
    log.scrollTop = log.scrollHeight;
    return [...document.querySelectorAll('.message .text')].at(-1)?.textContent === text;
  };
  await until(anna.page, 'it is the end', toBottom, `Number ${PAST}`, 3 * SHOWN_MS);
  await until(anna.page, 'it is the beginning', toTop, undefined, 3 * SHOWN_MS);
  await says({ address, room, from }, 1);
  await anna.page.getByRole('button', { name: /^\d+ new$/ }).click();
  await isLast(anna, 'Number 1');
}

/** What was written without a network is sent once there is one, and once; and what others said meanwhile is there. */
async function comesBack(anna, bela) {
  doing('losing the network');
  await anna.context.setOffline(true);
  await until(anna.page, 'it is offline', () => document.body.dataset.connection === 'offline', null, RECONNECTED_MS);
  await writes(anna, 'Said offline');
  await texts(anna.page, '.message.pending .text', ['Said offline'], 'what waits');
  await writes(bela, 'Said meanwhile');
  await isLast(bela, 'Said meanwhile');
  await anna.context.setOffline(false);
  await until(anna.page, 'it is live', () => document.body.dataset.connection === 'live', null, RECONNECTED_MS);
  await isLast(bela, 'Said offline');
  await isLast(anna, 'Said offline');
  const count = (text) => (each) => each === text;
  for (const { page, name } of [anna, bela]) {
    const all = await page.locator('.message .text').allTextContents();
    same([all.filter(count('Said offline')).length, all.filter(count('Said meanwhile')).length], [1, 1], `how often ${name} sees them`);
  }
}

/** A third is added to two: they have a group, and the two their private chat. */
async function makesGroup(anna, bela, cleo, screenshot) {
  doing('making a group');
  await button(anna.page, 'People').click();
  await texts(anna.page, '.members-drawer .name', ['Anna (you)', 'Bela'], 'who is there');
  await button(anna.page, 'Add somebody').click();
  await anna.page.keyboard.type('cleo');
  await anna.page.locator('dialog').getByRole('radio').check();
  if (screenshot) await pictures(anna.page, screenshot, 'chat-add');
  await anna.page.locator('dialog').getByRole('button', { name: 'Make it' }).click();
  const label = labelOf(anna, bela, cleo);
  await isAt(anna, `/chat/${label}`);
  await shows(anna.page, '.who-is-there', '3 people, 2 others online', 'who is there');
  for (const each of [bela, cleo]) {
    await each.page.locator(`[data-room-id="${label}"]`).waitFor({ timeout: SHOWN_MS });
    await badge(each, 'Notifications', 1);
  }
  await cleo.page.locator(`[data-room-id="${label}"]`).click();
  await until(cleo.page, 'it is open', () => document.querySelector('.messages')?.getAttribute('aria-busy') === 'false');
  await writes(anna, 'Hello all');
  await isLast(cleo, 'Hello all');
  await texts(cleo.page, '.message .from', ['Anna'], 'who said it');
  await goTo(bela, `/chat/${label}`);
  await isLast(bela, 'Hello all');
  return label;
}

/** One more: all who have it open are at its new address. */
async function grows(anna, bela, dora, before) {
  doing('adding one more');
  await button(anna.page, 'People').click();
  await button(anna.page, 'Add somebody').click();
  await anna.page.keyboard.type(dora.id);
  await anna.page.locator(`dialog [data-user-id="${dora.id}"] input`).check();
  await anna.page.locator('dialog').getByRole('button', { name: 'Add' }).click();
  const label = before.split(':').concat(dora.id).sort((a, b) => a - b).join(':');
  for (const each of [anna, bela]) {
    await isAt(each, `/chat/${label}`);
    await texts(each.page, '.messages .note', ['Anna added Dora'], 'what it says of it');
    await isLast(each, 'Hello all');
  }
  await texts(anna.page, '.members-drawer > ul .name', ['Anna (you)', 'Bela', 'Cleo', 'Dora'], 'who is there now');
  await writes(bela, 'Hello Dora');
  await isLast(anna, 'Hello Dora');
}

/** One is removed, and one leaves: two are left, who are in private. */
async function shrinks({ anna, bela, cleo }, { dora }) {
  doing('removing one');
  await button(bela.page, 'People').click();
  await bela.page.locator('.members-drawer').waitFor();
  same(await bela.page.getByRole('button', { name: /Remove|Delete/ }).count(), 0, 'what one may not do in a group of others');
  await button(anna.page, 'Remove Cleo').click();
  await anna.page.locator('dialog').getByRole('button', { name: 'Remove' }).click();
  await shows(cleo.page, '.conversation .notice h2', "You've been removed from the group", 'what one is told');
  await shows(cleo.page, '.rooms #empty h2', 'No conversations yet', 'the rooms of who was removed');
  const three = labelOf(anna, bela, dora);
  for (const each of [anna, bela]) await isAt(each, `/chat/${three}`);
  await writes(anna, 'She is gone');
  await isLast(bela, 'She is gone');
  doing('leaving');
  await button(bela.page, 'Leave').click();
  await bela.page.locator('dialog').getByRole('button', { name: 'Leave' }).click();
  await isAt(bela, '/chat');
  await until(bela.page, 'it is not among the rooms', (label) => !document.querySelector(`[data-room-id="${label}"]`), three);
  await isAt(anna, `/chat/${labelOf(anna, dora)}`);
  await shows(anna.page, '.conversation h2', 'Dora', 'who is left');
  await writes(anna, 'Only we two');
  await isLast(anna, 'Only we two');
  doing('reading what was said in a group that is closed');
  await anna.page.locator('.former a').click();
  await shows(anna.page, '.closed', 'This group is closed. What was said in it can still be read.', 'whether one can write');
  await isLast(anna, 'She is gone');
}

/** A group of several at once, which is deleted while somebody looks at it. */
async function deletes(anna, bela) {
  doing('deleting a group');
  await anna.page.locator('.rooms header').getByRole('button', { name: 'New chat' }).click();
  for (const name of ['Bela', 'Dora']) {
    await anna.page.locator('dialog input[type="search"]').fill(name);
    await anna.page.locator('dialog li').filter({ hasText: name }).getByRole('checkbox').check();
  }
  await shows(anna.page, 'dialog .chosen', 'Bela, Dora', 'who is chosen');
  await anna.page.locator('dialog').getByRole('button', { name: 'Begin' }).click();
  await until(anna.page, 'the group is open', () => location.hash.split(':').length === 3);
  const place = await anna.page.evaluate(() => location.hash.slice(1));
  await bela.page.locator(`[data-room-id="${place.slice(6)}"]`).click();
  await isAt(bela, place);
  await button(anna.page, 'People').click();
  await button(anna.page, 'Delete').click();
  await anna.page.locator('dialog').getByRole('button', { name: 'Delete' }).click();
  await isAt(anna, '/chat');
  await shows(bela.page, '.conversation .notice h2', 'The room has been deleted by Anna', 'what others are told');
  for (const { page } of [anna, bela]) same(await page.locator(`[data-room-id="${place.slice(6)}"]`).count(), 0, 'rooms that are gone');
}

/** A rating, another instead of it, and a comment. */
async function rates(bela, cleo, screenshot) {
  doing('rating');
  await goTo(bela, '/houseworkers');
  const row = bela.page.locator(`.worker[data-user-id="${cleo.id}"]`);
  await row.filter({ hasText: 'Not rated yet' }).click();
  await shows(bela.page, '#entity-name', 'Cleo', 'who it is');
  await button(bela.page, '4 of 5').click();
  await row.filter({ hasText: '4.0' }).waitFor({ timeout: SHOWN_MS });
  await badge(cleo, 'Notifications', 4);
  await button(bela.page, '5 of 5').click();
  await row.filter({ hasText: '5.0' }).waitFor({ timeout: SHOWN_MS });
  await shows(bela.page, '.summary .mean .count', '1 rating', 'how many rated');
  await bela.page.getByLabel('Your comment').fill(`Great service! ${MARKUP}`);
  await button(bela.page, 'Comment').click();
  await texts(bela.page, '.comments li .text', [`Great service! ${MARKUP}`], 'what is said');
  await row.filter({ hasText: '1 comment' }).waitFor({ timeout: SHOWN_MS });
  if (screenshot) await pictures(bela.page, screenshot, 'houseworker');
  await goTo(cleo, `/houseworkers/${cleo.id}`);
  await texts(cleo.page, '.comments li strong', ['Bela'], 'who said it');
  same(await cleo.page.locator('.houseworker form, .rate').count(), 0, 'what one may not do to oneself');
}

/** All that happened is in the inbox, until it is read. */
async function notified(cleo, screenshot) {
  doing('reading notifications');
  await badge(cleo, 'Notifications', 6);
  await goTo(cleo, '/notifications');
  const told = [
    ...["You've got comment from Bela", 'The user Bela has rated you with 5', 'The user Bela has rated you with 4'],
    ...["You've been removed from the group", 'Dora has been added to the group by Anna', 'The client Anna has added you to the chat'],
  ];
  await texts(cleo.page, '.notification .text', told, 'what happened');
  if (screenshot) await pictures(cleo.page, screenshot, 'notifications');
  await cleo.page.locator('.notification').first().getByRole('button', { name: 'Mark as read' }).click();
  await badge(cleo, 'Notifications', told.length - 1);
  await button(cleo.page, 'Mark all as read').click();
  await badge(cleo, 'Notifications', 0);
  await cleo.page.reload();
  await until(cleo.page, 'all is there and read', (count) => document.querySelectorAll('.notification:not(.unread)').length === count, told.length);
}

/** Who closes the page is away. */
async function goes(anna, bela, room) {
  doing('going');
  await goTo(anna, `/chat/${room}`);
  await shows(anna.page, '.who-is-there', 'Online', 'who is there');
  check(bela.problems.length === 0, `the page of Bela: ${bela.problems.join('; ')}`);
  await bela.context.close();
  await shows(anna.page, '.who-is-there', 'Away', 'who has gone', AWAY_MS);
}

/** Nothing is wider than a phone, or too small for fingers; one pane at a time. */
async function phone(browser, address, anna, room, screenshot) {
  doing('on a phone');
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const { page } = await open(context, `http://${address}/#/chat`);
  await page.getByLabel('Username').fill(anna.login);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.locator(`[data-room-id="${room}"]`).waitFor({ timeout: SHOWN_MS });
  await fits(page, 'the rooms on a phone');
  await fingers(page, 'the rooms');
  await page.locator(`[data-room-id="${room}"]`).tap();
  await isLast({ page, name: 'Anna' }, 'Said offline');
  same(await page.locator('.rooms').count(), 0, 'rooms beside a conversation');
  await fits(page, 'a conversation on a phone');
  await fingers(page, 'a conversation');
  if (screenshot) await page.screenshot({ path: `${screenshot}/chat-touch.png` });
  await button(page, 'People').tap();
  await fits(page, 'who is there on a phone');
  await fingers(page, 'who is there');
  await button(page, 'Close').tap();
  await page.getByRole('link', { name: 'All conversations' }).tap();
  await page.locator(`[data-room-id="${room}"]`).waitFor({ timeout: SHOWN_MS });
  for (const place of ['/houseworkers', '/notifications']) {
    await goTo({ page }, place);
    await until(page, 'it is loaded', () => document.querySelector('.worker, .notification, #empty'));
    await fits(page, place);
    await fingers(page, place);
  }
  await context.close();
}
