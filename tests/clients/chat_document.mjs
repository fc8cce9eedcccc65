// What the document "WebSocket Events" (003) has a client do, with the unmodified socket.io-client: its flow of a
// connection, every event that it has clients emit, with the payloads that stand there word for word, and its handling
// of errors (document-003/errors.js). What each of its users is told is compared whole, and that nobody is told
// anything else.
//
//   node chat_document.mjs --client socket.io-client-4.8 --transport polling|websocket|upgrade
//     --address HOST:PORT [--token ADMIN]
//
// Without a token it is a demo, where a guest says by `addOnlineUser` who they are. With one it makes the users, who
// come with tokens; the ids of the document stand for theirs.

import { readFile } from 'node:fs/promises';
import { Cast, DAY, ID, NOTHING, NOW, notification, payload, refused } from './chat_cast.mjs';
import { check, doing, requests, same, script, short } from './client.mjs';
import { Dialer } from './socketio/peer.mjs';

const text = { type: 'string', required: true };
const OPTIONS = { client: text, transport: text };

// The document's payloads. Where it has `...`, something stands that the server is not to believe.

const FORGED = [{ id: 1, from: '3', to: '4', type: 'chatGroup', date: {}, message: 'Forged', read: true }];

const MESSAGE = {
  data: {
    message: 'Hello!',
    from: '1',
    roomID: '1:2',
    fromUsername: 'john_doe',
    roomKey: 'room:1:2',
    lastMessage: 'Hello!',
    unreadMessArray: [{ recipientID: '2', roomID: '1:2', countNumber: 1, updateStatus: true }],
    createRoomNotification: null,
    contact: false,
  },
};

const TYPING = { roomID: '1:2', user: { userID: '1', username: 'john_doe' } };

const CREATE = {
  data: {
    newUserID: '3',
    newUsername: 'sara_cleaner',
    roomID: '1:2',
    newRoomID: '1:2:3',
    currentMember: [{ userID: '2', username: 'jane' }],
    clientID: '1',
    clientUsername: 'john_doe',
    newUserPicturePath: 'https://...',
    online: true,
    notifications: FORGED,
  },
};

const ADD = {
  data: {
    newUserID: '4',
    newUsername: 'mike_butler',
    roomID: '1:2:3',
    newRoomID: '1:2:3:4',
    currentMember: [],
    clientID: '1',
    clientUsername: 'john_doe',
    newUserPicturePath: 'https://...',
    online: false,
    notifications: FORGED,
  },
};

const KICK = {
  firstRoomID: '1:2',
  roomID: '1:2:3:4',
  newRoomID: '1:2:4',
  kickedUserID: '3',
  kickedUsername: 'sara_cleaner',
  clientID: '1',
  clientUsername: 'john_doe',
  notifications: FORGED,
};

const DELETE = { roomID: '1:2:3', clientID: '1', clientUsername: 'john_doe', notifications: FORGED };

const COMMENT = {
  newComment: {
    commentID: 240,
    comment: 'Great service!',
    from: 'john_doe',
    houseworkerID: '2',
    date: '25.10.2025',
    read: false,
  },
  notificationObj: {
    id: 388,
    from: '1',
    to: '2',
    type: 'comment',
    date: {},
    message: "You've got comment from john_doe",
    read: false,
  },
};

const RATING = { client: 'john_doe', houseworker: 'sara_cleaner', rating: 5, houseworkerID: '2', notification: {} };

// What is told.

const online = (type, userID) => ['newOnlineUser', { type, userID }];

const said = (message, from, roomID, fromUsername) => [
  'messageRoom',
  { message, from, roomID, fromUsername, date: NOW },
];

const toRecipient = (lastMessage, fromUserID, roomID, fromUsername, userID, createRoomNotification = null) => [
  'messageResponseNotify',
  { roomID, fromUsername, fromUserID, userID, lastMessage, unreadUpdateStatus: true, createRoomNotification },
];

const created = (to, message) => ['createUserToGroupNotify', notification('1', to, message)];
const added = (to, message) => ['addUserToGroupNotify', notification('1', to, message)];

const CREATED = ['createUserGroupChange', {
  newUserID: '3',
  newUsername: 'sara_cleaner',
  roomID: '1:2',
  newRoomID: '1:2:3',
  currentMember: [{ userID: '2', username: 'jane' }],
  clientUsername: 'john_doe',
  newUserPicturePath: 'https://...',
  online: true,
}];

const ADDED = ['addUserToGroupChange', {
  newUserID: '4',
  newUsername: 'mike_butler',
  roomID: '1:2:3',
  newRoomID: '1:2:3:4',
  currentMember: [{ userID: '2', username: 'jane' }, { userID: '3', username: 'sara_cleaner' }],
  clientUsername: 'john_doe',
  newUserPicturePath: 'https://...',
  online: false,
}];

const left = (roomID, newRoomID, kickedUsername, kickedUserID) => [
  ['kickUserFromGroupChange', { roomID, newRoomID, kickedUsername, kickedUserID }],
  ['kickUserFromGroupChangeInRoom', { firstRoomID: '1:2', kickedUserID, newRoomID }],
];

const DELETED = [
  ['deleteUserRoomNotify', { ...notification('1', 'room', 'The room has been deleted by john_doe'), roomID: '1:2:3' }],
  ['deleteUserRoomChange', { roomID: '1:2:3' }],
];

const STEPS = [
  ['initial connection', async ({ all, stranger, john, jane, sara, isDemo }) => {
    // Everybody is there before anybody says so. A guest who has not said so is nobody, and may still do.
    if (isDemo) {
      john.emits('joinRoom', '1');
      await john.isRefused('UNAUTHENTICATED', 'joinRoom');
      await all.hear(john, {});
    }
    // The flow has another key than the event's own section.
    john.emits('addOnlineUser', { userID: '1', username: 'john_doe' });
    john.emits('joinRoom', '1');
    await all.hear(john, {}, online('Add', '1'));
    for (const [person, userID, userUsername] of [[jane, '2', 'jane'], [sara, '3', 'sara_cleaner']]) {
      person.emits('addOnlineUser', { userID, userUsername });
      person.emits('joinRoom', userID);
      await all.hear(person, {}, online('Add', userID));
    }
    stranger.emits('addOnlineUser', { userID: '123', userUsername: 'john_doe' });
    stranger.emits('joinRoom', '123');
    stranger.emits('leaveRoom', '123');
    await all.hear(stranger, {}, online('Add', '123'));
  }],
  ['disconnection', async ({ all, stranger, john }) => {
    await all.loses(stranger);
    await all.hear(john, {}, online('Remove', '123'));
  }],
  ['joining a chat room', async ({ all, john, jane }) => {
    for (const person of [john, jane]) {
      person.emits('chatRoom.join', '1:2');
      await all.hear(person, {});
    }
  }],
  ['sending a message', async ({ all, john, jane }) => {
    john.emits('message', MESSAGE);
    const told = said('Hello!', '1', '1:2', 'john_doe');
    const counted = toRecipient('Hello!', '1', '1:2', 'john_doe', '2');
    await all.hear(john, { john: [told], jane: [told, counted] });

    // Jane reads the list of rooms.
    jane.emits('chatRoom.leave', '1:2');
    await all.hear(jane, {});
    john.emits('message', { data: { ...MESSAGE.data, contact: true } });
    const onPage = { roomID: '1:2', lastMessage: 'Hello!' };
    const first = { roomID: '1:2', from: '1', fromUsername: 'john_doe', lastMessage: 'Hello!' };
    await all.hear(john, {
      john: [told],
      jane: [['messagePage', onPage], ['firstMessageConversation', first], counted],
    });

    jane.emits('chatRoom.join', '1:2');
    await all.hear(jane, {});
    const noted = notification('1', '2', "You've got message from john_doe", 'chat');
    const answer = await john.asks('message', { data: { ...MESSAGE.data, createRoomNotification: FORGED[0] } });
    payload(answer, { success: true, messageID: ID, roomID: john.here('1:2'), date: NOW }, 'the acknowledgement');
    await all.hear(john, {
      john: [told],
      jane: [told, toRecipient('Hello!', '1', '1:2', 'john_doe', '2', noted)],
    });
  }],
  ['typing', async ({ all, john }) => {
    const typist = { senderID: '1', senderUsername: 'john_doe', roomID: '1:2' };
    john.emits('startTypingRoom', TYPING);
    await all.hear(john, { jane: [['typingMessageStart', typist]] });
    john.emits('stopTypingRoom', TYPING);
    await all.hear(john, { jane: [['typingMessageStop', typist]] });
  }],
  ['creating a group', async ({ all, john }) => {
    john.emits('createUserGroup', CREATE);
    await all.hear(john, {
      john: [CREATED],
      jane: [created('2', 'The client john_doe has added sara_cleaner to the chat'), CREATED],
      sara: [created('3', 'The client john_doe has added you to the chat'), CREATED],
    });
  }],
  ['adding to a group', async ({ all, john, jane, sara }) => {
    for (const person of [john, sara]) {
      person.emits('chatRoom.join', '1:2:3');
      await all.hear(person, {});
    }
    john.emits('addUserToGroup', ADD);
    const inRoom = ['addUserToGroupChangeInRoom', '1:2:3:4'];
    const message = 'mike_butler has been added to the group by john_doe';
    await all.hear(john, {
      john: [ADDED, inRoom],
      jane: [added('2', message), ADDED],
      sara: [added('3', message), ADDED, inRoom],
    });
    // Who was there is there, and who comes later finds it under its new name.
    jane.emits('chatRoom.join', '1:2:3:4');
    await all.hear(jane, {});
    sara.emits('message', { data: { message: 'Four', from: '3', roomID: '1:2:3:4', fromUsername: 'sara_cleaner' } });
    const told = said('Four', '3', '1:2:3:4', 'sara_cleaner');
    const counted = (id) => toRecipient('Four', '3', '1:2:3:4', 'sara_cleaner', id);
    await all.hear(sara, { john: [told, counted('1')], jane: [told, counted('2')], sara: [told] });
  }],
  ['kicking from a group', async ({ all, john, jane, sara }) => {
    john.emits('kickUserFromGroup', KICK);
    const [change, inRoom] = left('1:2:3:4', '1:2:4', 'sara_cleaner', '3');
    const told = {
      roomID: '1:2:3:4',
      newRoomID: '1:2:4',
      kickedUserID: '3',
      notification: notification('1', '3', "You've been removed from the group"),
    };
    await all.hear(john, {
      john: [change, inRoom],
      jane: [change, inRoom],
      sara: [['kickUserFromGroupNotify', told], inRoom],
    });
    jane.emits('message', { data: { message: 'Three', from: '2', roomID: '1:2:4', fromUsername: 'jane' } });
    const three = said('Three', '2', '1:2:4', 'jane');
    await all.hear(jane, { john: [three, toRecipient('Three', '2', '1:2:4', 'jane', '1')], jane: [three] });
    refused(await sara.asks('message', { data: { message: 'Hi', roomID: '1:2:4' } }), 'NOT_FOUND', 'of who was kicked');
    await all.hear(sara, {});
  }],
  ['kicking one of three', async ({ all, john }) => {
    const kick = { ...KICK, roomID: '1:2:4', newRoomID: '1:2', kickedUserID: '4', kickedUsername: 'mike_butler' };
    same(await john.asks('kickUserFromGroup', kick), { success: true }, 'the acknowledgement');
    const told = left('1:2:4', '1:2', 'mike_butler', '4');
    await all.hear(john, { john: told, jane: told });
    // They are in their private room, in which they were before too: it is told once.
    john.emits('message', MESSAGE);
    const two = said('Hello!', '1', '1:2', 'john_doe');
    await all.hear(john, { john: [two], jane: [two, toRecipient('Hello!', '1', '1:2', 'john_doe', '2')] });
  }],
  ['deleting a room', async ({ all, john, sara }) => {
    same(await john.asks('createUserGroup', CREATE), { success: true }, 'the acknowledgement');
    await all.hear(john, {
      john: [CREATED],
      jane: [created('2', 'The client john_doe has added sara_cleaner to the chat'), CREATED],
      sara: [created('3', 'The client john_doe has added you to the chat'), CREATED],
    });
    john.emits('deleteUserRoom', DELETE);
    await all.hear(john, {}, ...DELETED);
    refused(await sara.asks('chatRoom.join', '1:2:3'), 'NOT_FOUND', 'joining a room that is deleted');
    await all.hear(sara, {});
  }],
  ['comments and ratings', async ({ all, john }) => {
    john.emits('commentNotification', COMMENT);
    const comment = { ...COMMENT.newComment, commentID: ID, date: DAY };
    const note = notification('1', '2', "You've got comment from john_doe", 'comment');
    await all.hear(john, {
      jane: [['privateCommentNotify', { newComment: comment, notificationObj: note }], ['newCommentChange', comment]],
    });

    john.emits('ratingNotification', RATING);
    const rated = notification('1', '2', 'The user john_doe has rated you with 5', 'comment');
    // She is who she is, whatever the document calls her.
    const rating = { client: 'john_doe', houseworker: 'jane', rating: 5, houseworkerID: '2', notification: rated };
    await all.hear(john, { jane: [[`privateRatingNotify-${john.here('2')}`, rating]] });
    // Again within a minute.
    same(await john.asks('ratingNotification', RATING), { success: true }, 'the same rating');
    await all.hear(john, {});
  }],
  ['errors', async ({ all, john }) => {
    const rows = [
      ['INVALID_ROOM', 'chatRoom.join', '2:1'],
      ['INVALID_ROOM', 'chatRoom.join', 'room:1:2'],
      ['NOT_FOUND', 'chatRoom.join', '2:3'],
      ['NOT_FOUND', 'chatRoom.join', '2:3:4'],
      ['FORBIDDEN', 'joinRoom', '2'],
      ['FORBIDDEN', 'addOnlineUser', { userID: '2', userUsername: 'jane' }],
      ['FORBIDDEN', 'message', { data: { ...MESSAGE.data, from: '2' } }],
      ['INVALID', 'message', { data: { ...MESSAGE.data, message: ' ' } }],
      ['FORBIDDEN', 'startTypingRoom', { ...TYPING, user: { userID: '2', username: 'jane' } }],
      ['INVALID_ROOM', 'createUserGroup', { data: { ...CREATE.data, newRoomID: '1:3' } }],
      ['INVALID_ROOM', 'addUserToGroup', { data: { ...ADD.data, roomID: '1:2' } }],
      ['NOT_FOUND', 'kickUserFromGroup', { ...KICK, roomID: '2:3:4', newRoomID: '2:4' }],
      ['FORBIDDEN', 'deleteUserRoom', { ...DELETE, roomID: '1:2' }],
    ];
    for (const [code, event, request] of rows) {
      john.emits(event, request);
      await john.isRefused(code, event);
      await all.hear(john, {});
      refused(await john.asks(event, request), code, `the acknowledgement of ${event}`);
      await all.hear(john, {});
    }
  }],
  ['the last ones go', async ({ all, john, jane, sara, isDemo, revoke }) => {
    await all.loses(sara);
    await all.hear(john, {}, online('Remove', '3'));
    // Who left by themselves comes back when they like.
    await all.has(sara);
    sara.emits('addOnlineUser', { userID: '3', userUsername: 'sara_cleaner' });
    await all.hear(sara, {}, online('Add', '3'));
    await all.loses(sara);
    await all.hear(john, {}, online('Remove', '3'));
    if (isDemo) return;
    // The document's client comes back by itself, and is told why it may not.
    await revoke('2');
    const [name, told] = await jane.peer.next();
    same(name, 'error', 'what happens first');
    refused(told, 'UNAUTHENTICATED', 'the end');
    await jane.peer.hears('disconnect', 'io server disconnect');
    await jane.peer.hears('connect_error', 'token invalid, expired or revoked');
    const printed = jane.printed.splice(0).map(([what, why]) => [what, why.error ?? why.message]);
    const why = ['token revoked', 'token invalid, expired or revoked'];
    same(printed, [['Socket error:', why[0]], ['Connection error:', why[1]]], 'what is printed');
    check(!jane.peer.socket.connected, 'it is not let in again');
    jane.peer.close();
  }],
];

/** One of the users, and the connection. */
class Person {
  /** What the document's handlers printed. */
  printed = [];

  constructor(name, peer, cast, source) {
    Object.assign(this, { name, peer });
    this.here = (value) => cast.here(value);
    const console = { error: (...args) => this.printed.push(args) };
    new Function('socket', 'console', source)(peer.socket, console);
  }

  emits(event, request) {
    this.peer.socket.emit(event, this.here(request));
  }

  asks(event, request) {
    return this.peer.ask(event, this.here(request));
  }

  /** Throws unless these are the next that it is told. */
  async hears(events) {
    for (const [name, wanted] of events) {
      doing(`waiting for ${name} of ${this.name}`);
      const [actual, ...told] = await this.peer.next();
      const what = `what ${this.name} is told next`;
      same([actual, told.length], [name, 1], `${what}, ${short(told)}`);
      payload(told[0], this.here(wanted), `${what}, ${name}`);
    }
  }

  /** Throws unless a refusal is told next, which the document's own handler prints. */
  async isRefused(code, event) {
    const [name, told, ...more] = await this.peer.next();
    same([name, more], ['error', []], `what ${event} is answered`);
    refused(told, code, event);
    same(this.printed.splice(0), [['Socket error:', told]], 'what is printed');
  }

  async quiet() {
    doing(`waiting for ${this.name} to be told nothing more`);
    try {
      await this.peer.settles(...NOTHING);
    } catch (error) {
      error.message = `${this.name}: ${error.message}`;
      throw error;
    }
    same(this.printed, [], `what ${this.name} printed`);
  }
}

/** All who are connected. */
class All {
  constructor(people) {
    this.people = people;
  }

  /**
   * Throws unless this is what each of them is told, by name, and all of them besides; and nobody anything else, once
   * what `actor` did is done.
   */
  async hear(actor, told, ...all) {
    for (const person of this.people) await person.hears([...(told[person.name] ?? []), ...all]);
    await actor.quiet();
    for (const person of this.people) await person.quiet();
  }

  /** One of them leaves. */
  async loses(person) {
    this.people = this.people.filter((one) => one !== person);
    person.peer.socket.disconnect();
    await person.peer.hears('disconnect', 'io client disconnect');
  }

  /** Who left comes back. */
  async has(person) {
    this.people.push(person);
    person.peer.socket.connect();
    await person.peer.hears('connect');
  }
}

await script(60, OPTIONS, async ({ address, token, client, transport }) => {
  const cast = await Cast.at({ address, token });
  const dial = new Dialer(client, transport);
  const source = await readFile(new URL('document-003/errors.js', import.meta.url), 'utf8');
  const enters = async (name, id) => {
    doing(`waiting for ${name} to be connected`);
    return new Person(name, await dial.connect(address, { auth: cast.auth(id) }), cast, source);
  };
  const names = { john: '1', jane: '2', sara: '3', stranger: '123' };
  const people = [];
  for (const [name, id] of Object.entries(names)) people.push(await enters(name, id));
  const all = new All(people);
  const send = requests({ address, token });
  const revoke = async (id) => {
    const { status } = await send('DELETE', `/api/tokens/${cast.tokenId(id)}`);
    same(status, 204, 'the status of a revocation');
  };
  const named = Object.fromEntries(people.map((person) => [person.name, person]));
  for (const [name, play] of STEPS) {
    try {
      await play({ all, ...named, isDemo: !token, revoke });
    } catch (error) {
      error.message = `at "${name}": ${error.message}`;
      throw error;
    }
  }
  return `ok: ${client} over ${transport} did what the document says in ${STEPS.length} steps`;
});
