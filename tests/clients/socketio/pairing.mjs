// How programs come to a token without a keyboard: with socket.io-client they wait on a connection, with `fetch` alone
// they ask again and again, as RFC 8628 has it. Every step of the table below, in its order.
//
//   node pairing.mjs --transport polling|websocket|upgrade --address HOST:PORT --direct HOST:PORT --token ADMIN
//
// `--address` leads to the server through a proxy, `--direct` past it. It prints `please cut` and `please mend` and goes
// on at `done`: the proxy drops its connections and takes no new ones; takes them again.

import { Admin, areaEvent, greeting, refused } from '../admin.mjs';
import { check, doing, keys, same, script, short } from '../client.mjs';
import { Dialer, please } from './peer.mjs';

const text = { type: 'string', required: true };
const OPTIONS = { transport: text, direct: text };
const CLIENT = 'socket.io-client-4.8';

/** What a screen hears that comes with a device code to which nothing leads, or not any more. */
const UNKNOWN = 'the code is not known, or its time is over: begin anew';
const DENIED = 'an admin denied the pairing';

const STEPS = [
  ['what a screen is told to show', async ({ admin, direct }) => {
    const asked = await admin.asksToPair('Tablet');
    keys(asked, ['deviceCode', 'userCode', 'verificationUri', 'expiresIn', 'interval'], 'the pairing');
    const { deviceCode, userCode, ...rest } = asked;
    // 128 bits take 22 characters of base 64.
    check(typeof deviceCode === 'string' && deviceCode.length >= 22, `deviceCode is ${short(deviceCode)}`);
    check(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/.test(userCode), `userCode is ${short(userCode)}`);
    same(rest, { verificationUri: `http://${direct}/pair`, expiresIn: 600, interval: 5 }, 'the pairing');
  }],
  ...['/', '/areas'].map((namespace) => [`waits in ${namespace}, and goes on with the token`, async (test) => {
    const { admin, area, dial, address } = test;
    const { deviceCode, userCode } = await admin.asksToPair('Tablet');
    const peer = await dial.connect(address, { namespace, auth: { deviceCode } });
    await peer.settles();
    const { id } = await admin.approves(userCode, [area.id]);
    const { token } = completed(await peer.next(), { clientId: id, assignedAreas: [area.id] });
    // As its application would do it: the same socket, another credential.
    peer.socket.auth = { token };
    peer.socket.disconnect().connect();
    await peer.hears('disconnect', 'io client disconnect');
    await peer.hears('connect');
    await greeted(peer, id);
    await admin.changes(area.id, {});
    await hearsArea(peer, 'updated', area);
    peer.close();
  }]),
  ['comes back after the admin has decided', async ({ admin, area, dial, address }) => {
    const { deviceCode, userCode } = await admin.asksToPair('Tablet');
    const { id } = await admin.approves(userCode, [area.id]);
    const paired = { clientId: id, assignedAreas: [area.id] };
    // It is told again until the token is used.
    for (let time = 0; time < 2; time += 1) {
      const peer = await dial.connect(address, { auth: { deviceCode } });
      completed(await peer.next(), paired);
      peer.close();
    }
    const granted = await admin.polls(deviceCode);
    same(granted.status, 200, short(granted.body));
    const { token } = completed(['pairing_completed', granted.body], paired);
    const peer = await dial.connect(address, { auth: { token } });
    await greeted(peer, id);
    await pends(admin, deviceCode, 'expired_token');
    await comesInVain(dial, address, { deviceCode }, UNKNOWN);
    peer.close();
  }],
  ...['approved', 'denied'].map((verdict) => [`${verdict} while its connection is cut`, async (test) => {
    const { admin, area, dial, address } = test;
    const { deviceCode, userCode } = await admin.asksToPair('Tablet');
    const peer = await dial.connect(address, { auth: { deviceCode } });
    await peer.settles();
    await please('cut');
    await peer.loses();
    const id = verdict === 'approved' ? (await admin.approves(userCode, [area.id])).id : await admin.denies(userCode);
    await please('mend');
    if (verdict === 'denied') {
      await peer.hears('connect_error', DENIED);
      check(!peer.socket.active, 'the client takes it as final');
    } else {
      await peer.hears('connect');
      completed(await peer.next(), { clientId: id, assignedAreas: [area.id] });
    }
    peer.close();
  }]),
  ['denied while it waits', async ({ admin, dial, address }) => {
    for (const namespace of ['/', '/areas']) {
      const { deviceCode, userCode } = await admin.asksToPair('Tablet');
      const peer = await dial.connect(address, { namespace, auth: { deviceCode } });
      await admin.denies(userCode);
      await isPutOut(peer, 'ACCESS_DENIED');
      await comesInVain(dial, address, { namespace, deviceCode }, DENIED);
    }
  }],
  ['a code that nobody was given', async ({ dial, address }) => {
    for (const deviceCode of ['', 'x'.repeat(22)]) {
      await comesInVain(dial, address, { deviceCode }, UNKNOWN);
    }
  }],
  ['hears of nothing but itself while it waits', async ({ admin, area, dial, address }) => {
    const { deviceCode } = await admin.asksToPair('Tablet');
    for (const namespace of ['/', '/areas']) {
      const peer = await dial.connect(address, { namespace, auth: { deviceCode } });
      await admin.changes(area.id, {});
      await admin.sets('light.kitchen', 'on');
      await peer.settles();
      peer.close();
    }
  }],
  ['asks again and again', async ({ admin, area }) => {
    const { deviceCode, userCode } = await admin.asksToPair('Tablet');
    await pends(admin, deviceCode, 'authorization_pending');
    await pends(admin, deviceCode, 'slow_down');
    const { id } = await admin.approves(userCode.toLowerCase().replace('-', ''), [area.id]);
    const granted = await admin.polls(deviceCode);
    same(granted.status, 200, short(granted.body));
    const { token } = completed(['pairing_completed', granted.body], { clientId: id, assignedAreas: [area.id] });
    same((await admin.polls(deviceCode)).status, 200, 'what was lost on the way is given again');
    const { status, body } = await admin.as(token)('GET', '/api/areas');
    same([status, body.items.map((one) => one.id)], [200, [area.id]], 'what it may see');
    await pends(admin, deviceCode, 'expired_token');
  }],
  ['asks again and again, and is denied', async ({ admin }) => {
    const { deviceCode, userCode } = await admin.asksToPair('Tablet');
    await pends(admin, deviceCode, 'authorization_pending');
    await admin.denies(userCode);
    await pends(admin, deviceCode, 'access_denied');
    await pends(admin, 'x'.repeat(22), 'expired_token');
  }],
  ...['/areas', '/'].map((namespace) => [`a paired client in ${namespace} is paired anew`, async (test) => {
    const { admin, area, dial, address } = test;
    const before = await admin.pairs('Tablet', [area.id]);
    const old = await dial.connect(address, { namespace, auth: { token: before.token } });
    await greeted(old, before.clientId);
    const { deviceCode, userCode } = await admin.asksToPair('Tablet', admin.as(before.token));
    const waiting = await dial.connect(address, { namespace, auth: { deviceCode } });
    same((await admin.approves(userCode)).id, before.clientId, 'the client that is approved');
    const paired = { clientId: before.clientId, assignedAreas: [area.id] };
    const tokens = [await waiting.next(), await old.next()].map((what) => completed(what, paired).token);
    waiting.close();
    // The old token is good until the new one is used.
    await admin.changes(area.id, {});
    await hearsArea(old, 'updated', area);
    const fresh = await dial.connect(address, { namespace, auth: { token: tokens[1] } });
    await greeted(fresh, before.clientId);
    await isPutOut(old, 'UNAUTHENTICATED');
    await admin.changes(area.id, {});
    await hearsArea(fresh, 'updated', area);
    fresh.close();
    const late = dial.peer(address, { namespace, auth: { token: before.token } });
    await late.hears('connect_error', 'token invalid, expired or revoked');
    late.close();
  }]),
];

/** Throws unless the token is handed out next, for this client with these areas. Gives the payload. */
function completed([name, data, ...more], { clientId, assignedAreas }) {
  same([name, more], ['pairing_completed', []], 'what happens next');
  keys(data, ['token', 'clientId', 'assignedAreas'], name);
  same([data.clientId, data.assignedAreas], [clientId, assignedAreas], name);
  check(data.token.split('.').length === 3, `${name}: the token is ${short(data.token)}`);
  return data;
}

/** Throws unless the client is greeted next. */
async function greeted(peer, clientId) {
  const [name, data, ...more] = await peer.next();
  same([name, more], ['connected', []], 'what happens next');
  greeting(data, clientId);
}

/** Throws unless this happened to the area next. */
async function hearsArea(peer, happened, area) {
  const [name, data, ...more] = await peer.next();
  same([name, more], [`area_${happened}`, []], 'what happens next');
  areaEvent(data, happened, area);
}

/** Throws unless it is told why next, and that it is to go. */
async function isPutOut(peer, code) {
  const [name, data, ...more] = await peer.next();
  same([name, more], ['error', []], 'what happens next');
  refused(data, code, `why it is to go, in ${peer.socket.nsp}`);
  await peer.hears('disconnect', 'io server disconnect');
  check(!peer.socket.active, 'the client takes it as final');
  peer.close();
}

/** Throws unless a client that comes with this device code is not let in: there is nothing to wait for. */
async function comesInVain(dial, address, { deviceCode, namespace = '/' }, why) {
  const peer = dial.peer(address, { namespace, auth: { deviceCode } });
  await peer.hears('connect_error', why);
  peer.close();
}

/** Throws unless there is no token, for this reason. */
async function pends(admin, deviceCode, error) {
  const { status, body } = await admin.polls(deviceCode);
  same([status, body.error, body.status], [400, error, 400], `the answer ${short(body)}`);
  check(typeof body.code === 'string' && typeof body.title === 'string', `it is a problem: ${short(body)}`);
}

await script(60, OPTIONS, async ({ address, direct, token, transport }) => {
  const admin = new Admin({ address: direct, token });
  const dial = new Dialer(CLIENT, transport);
  for (const [name, play] of STEPS) {
    doing(`at "${name}"`);
    const area = await admin.makes('Kitchen', ['light.kitchen']);
    await play({ admin, area, dial, address, direct });
  }
  return `ok: pairing over ${transport} in ${STEPS.length} steps`;
});
