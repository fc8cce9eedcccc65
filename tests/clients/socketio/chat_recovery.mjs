// How people who chat with the unmodified socket.io-client 4.8 come back with `auth.recover`: they are where they were,
// are told what they missed there, once and in its order, and nobody is told that they were away. Every step of the
// table below, in its order.
//
//   node chat_recovery.mjs --transport polling|websocket|upgrade --address HOST:PORT --direct HOST:PORT --token ADMIN
//
// `--address` leads through a proxy to a server that lets people be away for long, `--direct` past it. It prints these
// requests and goes on at `done`:
// `please cut`, `please mend`: the proxy drops its connections and takes no new ones; takes them again;
// `please restart`: the server is killed by SIGKILL and started again on its port.

import { Cast, ID, NOTHING, NOW, notification, payload, refused } from '../chat_cast.mjs';
import { check, doing, requests, same, script, short } from '../client.mjs';
import { Dialer, please } from './peer.mjs';

const CLIENT = 'socket.io-client-4.8';
/** How soon somebody is gone of whom nobody waits to come back; the others are waited for longer than this script runs. */
const SOON_MS = 3_000;
const text = { type: 'string', required: true };
const OPTIONS = { transport: text, direct: text };
const NAMES = { 1: 'john_doe', 2: 'jane', 3: 'sara_cleaner', 4: 'mike_butler' };

/** What those in a room are told of a message. */
const said = (message, from, roomID) => [
  'messageRoom',
  { message, from, roomID, fromUsername: NAMES[from], date: NOW },
];

/** What one of those is told for whom it is. */
const counted = (lastMessage, fromUserID, roomID, userID) => ['messageResponseNotify', {
  roomID,
  fromUsername: NAMES[fromUserID],
  fromUserID,
  userID,
  lastMessage,
  unreadUpdateStatus: true,
  createRoomNotification: null,
}];

const typing = (senderID, roomID) => ['typingMessageStart', { senderID, senderUsername: NAMES[senderID], roomID }];

const KINDS = [['cut', async () => {}], ['killed', () => please('restart')]];

const STEPS = [
  ...KINDS.map(([kind, happens]) => [`in a room of two, ${kind}`, async (chat) => {
    const [john, jane] = [await chat.enters('1', '1:2'), await chat.enters('2', '1:2')];
    await chat.says('1', '1:2', 'before');
    await john.hears(said('before', '1', '1:2'));
    await jane.hears(said('before', '1', '1:2'), counted('before', '1', '1:2', '2'));
    await chat.away();
    await chat.says('1', '1:2', 'one');
    await happens();
    await chat.says('2', '1:2', 'two');
    await chat.says('1', '1:2', 'three');
    await chat.back();
    await john.hears(said('one', '1', '1:2'), said('two', '2', '1:2'), counted('two', '2', '1:2', '1'));
    await john.hears(said('three', '1', '1:2'));
    await jane.hears(said('one', '1', '1:2'), counted('one', '1', '1:2', '2'), said('two', '2', '1:2'));
    await jane.hears(said('three', '1', '1:2'), counted('three', '1', '1:2', '2'));
    await chat.quiet();
    // They are in the room still, and type there.
    await john.asks('message', { data: { message: 'after', roomID: '1:2' } });
    await john.hears(said('after', '1', '1:2'));
    await jane.hears(said('after', '1', '1:2'), counted('after', '1', '1:2', '2'));
    await jane.asks('startTypingRoom', { roomID: '1:2', user: { userID: '2', username: 'jane' } });
    await john.hears(typing('2', '1:2'));
    await jane.asks('stopTypingRoom', { roomID: '1:2' });
    await john.hears(['typingMessageStop', typing('2', '1:2')[1]]);
    await chat.quiet();
    await chat.areOnline('1', '2');
    await chat.leave();
  }]),
  ...KINDS.map(([kind, happens]) => [`in a group that changes meanwhile, ${kind}`, async (chat) => {
    const group = { newUserID: '3', roomID: '1:2', newRoomID: '1:2:3', clientID: '1' };
    await chat.does('1', 'createUserGroup', { data: group });
    const [jane, sara] = [await chat.enters('2', '1:2:3'), await chat.enters('3', '1:2:3')];
    await chat.away();
    await chat.says('1', '1:2:3', 'three of us');
    const more = { newUserID: '4', roomID: '1:2:3', newRoomID: '1:2:3:4', clientID: '1' };
    await chat.does('1', 'addUserToGroup', { data: more });
    await happens();
    await chat.says('4', '1:2:3:4', 'four of us');
    await chat.back();
    const added = ['addUserToGroupChange', {
      newUserID: '4',
      newUsername: 'mike_butler',
      roomID: '1:2:3',
      newRoomID: '1:2:3:4',
      currentMember: [{ userID: '2', username: 'jane' }, { userID: '3', username: 'sara_cleaner' }],
      clientUsername: 'john_doe',
      newUserPicturePath: '',
      online: false,
    }];
    for (const person of [jane, sara]) {
      const note = notification('1', person.id, 'mike_butler has been added to the group by john_doe');
      await person.hears(said('three of us', '1', '1:2:3'), counted('three of us', '1', '1:2:3', person.id));
      await person.hears(['addUserToGroupNotify', note], added, ['addUserToGroupChangeInRoom', '1:2:3:4']);
      await person.hears(said('four of us', '4', '1:2:3:4'), counted('four of us', '4', '1:2:3:4', person.id));
    }
    await chat.quiet();

    // Who is kicked while away is told so, and of nothing that is said from then on.
    await chat.away();
    const kick = { roomID: '1:2:3:4', newRoomID: '1:2:4', kickedUserID: '3', clientID: '1' };
    await chat.does('1', 'kickUserFromGroup', kick);
    await happens();
    await chat.says('4', '1:2:4', 'without her');
    await chat.back();
    const { clientID: _, ...rooms } = kick;
    const kicked = { roomID: kick.roomID, newRoomID: kick.newRoomID, kickedUsername: 'sara_cleaner', kickedUserID: '3' };
    const inRoom = { firstRoomID: '1:2', kickedUserID: '3', newRoomID: '1:2:4' };
    await jane.hears(['kickUserFromGroupChange', kicked], ['kickUserFromGroupChangeInRoom', inRoom]);
    await jane.hears(said('without her', '4', '1:2:4'), counted('without her', '4', '1:2:4', '2'));
    const note = notification('1', '3', "You've been removed from the group");
    await sara.hears(['kickUserFromGroupNotify', { ...rooms, notification: note }]);
    await chat.quiet();

    // Two are left, who are in their private room then, over another cut.
    await chat.away();
    const close = { roomID: '1:2:4', newRoomID: '1:2', kickedUserID: '4', clientID: '1' };
    await chat.does('1', 'kickUserFromGroup', close);
    await happens();
    await chat.says('1', '1:2', 'two of us');
    await chat.back();
    const last = { roomID: '1:2:4', newRoomID: '1:2', kickedUsername: 'mike_butler', kickedUserID: '4' };
    await jane.hears(['kickUserFromGroupChange', last]);
    await jane.hears(['kickUserFromGroupChangeInRoom', { firstRoomID: '1:2', kickedUserID: '4', newRoomID: '1:2' }]);
    await jane.hears(said('two of us', '1', '1:2'), counted('two of us', '1', '1:2', '2'));
    await chat.quiet();
    await chat.areOnline('2', '3');
    await chat.leave();
  }]),
  ['who left a room does not come back into it', async (chat) => {
    const jane = await chat.enters('2', '1:2');
    await jane.asks('chatRoom.leave', '1:2');
    await chat.away();
    await please('restart');
    await chat.says('1', '1:2', 'to the page');
    await chat.back();
    await jane.hears(['messagePage', { roomID: '1:2', lastMessage: 'to the page' }]);
    await jane.hears(counted('to the page', '1', '1:2', '2'));
    await chat.quiet();
    await chat.leave();
  }],
  ['whose token ended meanwhile', async (chat) => {
    const [john, jane] = [await chat.enters('1', '1:2'), await chat.enters('2', '1:2')];
    await chat.away();
    await chat.revokes('2');
    await please('mend');
    await jane.peer.hears('connect_error', 'token invalid, expired or revoked');
    check(!jane.peer.socket.active, 'the client takes it as final');
    jane.peer.close();
    chat.people = [john];
    await john.returned();
    // Jane is gone with her token, if her connection was not lost before that: over polling it may count for long.
    const isGone = chat.transport === 'polling' && (await chat.isSoonGone('2'));
    if (isGone) await john.hears(['newOnlineUser', { type: 'Remove', userID: '2' }]);
    refused(await john.asks('chatRoom.join', '2:3'), 'NOT_FOUND', "another's room");
    await chat.quiet();
    await chat.areOnline('1', ...(isGone ? [] : ['2']));
    await chat.leave();
  }],
  ['who does not ask for it begins anew', async (chat) => {
    const mike = await chat.enters('4', '1:4', false);
    await chat.away();
    await chat.says('1', '1:4', 'missed');
    await chat.back();
    await chat.says('1', '1:4', 'not heard either');
    await chat.quiet();
    for (const [event, request] of [...mike.arrival, ['chatRoom.join', '1:4']]) {
      same(await mike.asks(event, request), { success: true }, event);
    }
    await chat.says('1', '1:4', 'heard');
    const events = [said('heard', '1', '1:4'), counted('heard', '1', '1:4', '4')];
    // That he is here is not told twice in a second.
    const told = await mike.peer.next();
    if (told[0] === 'newOnlineUser') same(told, ['newOnlineUser', mike.added], 'what mike is told next');
    else payload(told[1], chat.cast.here(events.shift()[1]), 'what mike is told next');
    await mike.hears(...events);
    await chat.quiet();
    // Over polling the connection that was cut counts until it has been silent for long: he may not be gone at once.
    mike.peer.close();
  }],
];

/** One of the users, with a connection that can be cut. */
class Person {
  #offsets = new Set();

  constructor(id, peer, cast, recover) {
    Object.assign(this, { id, peer, cast, recover });
    this.sid = peer.socket.id;
    this.arrival = [['addOnlineUser', { userID: id, userUsername: NAMES[id] }], ['joinRoom', id]];
    this.added = cast.here({ type: 'Add', userID: id });
  }

  asks(event, request) {
    return this.peer.ask(event, this.cast.here(request));
  }

  /** Is here, which is told to all, and in the personal room. */
  async isHere(others = []) {
    for (const [event, request] of this.arrival) same(await this.asks(event, request), { success: true }, event);
    for (const person of [...others, this]) await person.hears(['newOnlineUser', { type: 'Add', userID: this.id }]);
  }

  /** Throws unless these are told next; who may be recovered is told a place with each, which no other had. */
  async hears(...events) {
    for (const [name, wanted] of events) {
      doing(`waiting for ${name} of ${NAMES[this.id]}`);
      const [actual, told, ...more] = await this.peer.next();
      const what = `what ${NAMES[this.id]} is told next`;
      same(actual, name, `${what}, ${short(told)}`);
      payload(told, this.cast.here(wanted), `${what}, ${name}`);
      same(more.map((one) => typeof one), this.recover ? ['string'] : [], `${what}, behind ${name}`);
      // What is not kept in the log has no place of its own.
      const isKept = !name.startsWith('typing');
      const isNew = more.every((offset) => !this.#offsets.has(offset));
      check(isNew || !isKept, `${what}, ${name}, is at a place that was told before`);
      for (const offset of more) this.#offsets.add(offset);
    }
  }

  /** Is connected again, as who it was or as somebody new. */
  async returned() {
    doing(`waiting for ${NAMES[this.id]} to come back`);
    await this.peer.passes('connect');
    const { socket } = this.peer;
    same(Boolean(socket.recovered), this.recover, 'recovered');
    same(socket.id === this.sid, this.recover, 'whether it has its old id');
    this.sid = socket.id;
    await this.peer.upgraded();
  }
}

/** What a step works with: the users, and who of them is connected. */
class Chat {
  people = [];
  #past;

  constructor(values, cast) {
    const { address, transport } = values;
    Object.assign(this, { cast, address, transport, dial: new Dialer(CLIENT, transport) });
    this.#past = { address: values.direct, token: values.token };
  }

  /** Is connected through the proxy, here, and in a room. */
  async enters(id, roomID, recover = true) {
    const auth = { ...this.cast.auth(id), ...(recover && { recover }) };
    const person = new Person(id, await this.dial.connect(this.address, { auth }), this.cast, recover);
    await person.isHere(this.people);
    same(await person.asks('chatRoom.join', roomID), { success: true }, 'the acknowledgement');
    this.people.push(person);
    return person;
  }

  /** A user does something on another connection, past the proxy; it is durable when this returns. */
  async does(id, event, request) {
    const auth = this.cast.auth(id);
    const other = await new Dialer(CLIENT, 'websocket').connect(this.#past.address, { auth });
    const answer = await other.ask(event, this.cast.here(request));
    other.close();
    same(answer.success, true, `${event} is answered ${short(answer)}, success`);
    return answer;
  }

  async says(id, roomID, message) {
    const answer = await this.does(id, 'message', { data: { message, roomID } });
    payload(answer, { success: true, messageID: ID, roomID: this.cast.here(roomID), date: NOW }, 'the answer');
  }

  /** All lose their connections, and cannot come back. */
  async away() {
    await please('cut');
    for (const { peer } of this.people) await peer.loses();
  }

  async back() {
    await please('mend');
    for (const person of this.people) await person.returned();
  }

  /** Throws if somebody was told more than was asked for. */
  async quiet() {
    for (const { id, peer } of this.people) {
      doing(`waiting for ${NAMES[id]} to be told nothing more`);
      await peer.settles(...NOTHING);
    }
  }

  /** Who is online, as john is told. */
  async online() {
    const { token } = this.cast.auth('1');
    const { status, body } = await requests({ ...this.#past, token })('GET', '/api/chat/online');
    same(status, 200, `who is online, ${short(body)}, the status`);
    return body.items;
  }

  /** Throws unless these are online, and nobody else. */
  async areOnline(...ids) {
    const wanted = ids.map((id) => ({ userID: this.cast.here(id), username: NAMES[id] }));
    same(await this.online(), wanted, 'who is online');
  }

  /** Whether somebody is not online any more, or not for long. */
  async isSoonGone(id) {
    const until = Date.now() + SOON_MS;
    const isHere = async () => (await this.online()).some(({ userID }) => userID === this.cast.here(id));
    while (await isHere()) if (Date.now() > until) return false;
    return true;
  }

  async revokes(id) {
    const { status } = await requests(this.#past)('DELETE', `/api/tokens/${this.cast.tokenId(id)}`);
    same(status, 204, 'the status of a revocation');
  }

  /** They leave one by one, and the others are told at once: their connections were counted, as many as there were. */
  async leave() {
    await this.quiet();
    const ids = this.people.map(({ id }) => this.cast.here(id));
    while (this.people.length > 0) {
      const { id, peer } = this.people.shift();
      peer.socket.disconnect();
      await peer.hears('disconnect', 'io client disconnect');
      for (const person of this.people) await person.hears(['newOnlineUser', { type: 'Remove', userID: id }]);
    }
    doing('waiting for the last one to be gone');
    while ((await this.online()).some(({ userID }) => ids.includes(userID)));
  }
}

await script(120, OPTIONS, async (values) => {
  const cast = await Cast.at({ address: values.direct, token: values.token });
  for (const [name, play] of STEPS) {
    try {
      await play(new Chat(values, cast));
    } catch (error) {
      error.message = `at "${name}": ${error.message}`;
      throw error;
    }
  }
  return `ok: recovery in chat over ${values.transport} in ${STEPS.length} steps`;
});
