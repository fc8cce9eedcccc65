// Chat in terminals, as the README has it: two people at wscat, each with a line for what they do, and nothing else.
//
//   node wscat_chat.mjs --address HOST:PORT [--token ADMIN]
//
// Without a token it is a demo, where a guest says by `addOnlineUser` who they are.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Cast, ID, NOW, payload } from './chat_cast.mjs';
import { check, doing, same, script } from './client.mjs';

const WSCAT = fileURLToPath(new URL('node_modules/.bin/wscat', import.meta.url));

/** Somebody in a terminal. Standard input stays open, as there. */
class Terminal {
  #program;
  #lines;

  constructor(name, address, cast, id, typed) {
    Object.assign(this, { name, cast, id });
    const { token } = cast.auth(id);
    const header = token ? ['-H', `Authorization: Bearer ${token}`] : [];
    const lines = typed.flatMap((frame) => ['-x', this.#line(frame)]);
    const args = ['-c', `ws://${address}/ws/chat/`, ...header, ...lines, '-w', '-1'];
    this.#program = spawn(WSCAT, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    process.on('exit', () => this.#program.kill());
    this.#lines = createInterface({ input: this.#program.stdout })[Symbol.asyncIterator]();
  }

  #line(frame) {
    return typeof frame === 'string' ? frame : JSON.stringify(this.cast.here(frame));
  }

  /** Throws unless these frames are printed next. */
  async reads(...frames) {
    for (const wanted of frames) {
      doing(`waiting for ${this.name} to print ${wanted.type}`);
      const { value, done } = await this.#lines.next();
      check(!done, `wscat of ${this.name} printed no more`);
      payload(JSON.parse(value), this.cast.here(wanted), `what ${this.name} prints`);
    }
  }

  /** The same in whatever order: an answer may come before or behind what the request told others. */
  async readsEach(...frames) {
    const found = [];
    for (const _ of frames) {
      doing(`waiting for ${this.name} to print one of ${frames.length} frames`);
      const { value, done } = await this.#lines.next();
      check(!done, `wscat of ${this.name} printed no more`);
      found.push(JSON.parse(value));
    }
    for (const wanted of frames) {
      const actual = found.find(({ type }) => type === wanted.type);
      payload(actual, this.cast.here(wanted), `what ${this.name} prints`);
    }
  }

  /** Ends it; throws if it printed more. */
  async leaves() {
    const ended = new Promise((resolve) => this.#program.once('close', resolve));
    this.#program.kill('SIGINT');
    same(await this.#lines.next(), { value: undefined, done: true }, `what ${this.name} prints at the end`);
    await ended;
  }
}

const message = (text, from, fromUsername) => ({
  type: 'message',
  data: { message: text, from, roomID: '1:2', fromUsername },
});
const inRoom = (text, from, fromUsername) => ({
  type: 'messageRoom', message: text, from, roomID: '1:2', fromUsername, date: NOW,
});
const online = (change, userID) => ({ type: 'newOnlineUser', data: { type: change, userID } });

await script(30, {}, async ({ address, token }) => {
  const cast = await Cast.at({ address, token });
  const jane = new Terminal('jane', address, cast, '2', [
    { type: 'addOnlineUser', userID: '2', userUsername: 'jane' },
    { type: 'joinRoom', data: '2' },
    { type: 'chatRoom.join', data: '1:2', id: 'in' },
  ]);
  // What bears no id is not answered.
  await jane.reads(online('Add', '2'), { type: 'chatRoom.join:response', success: true, id: 'in' });

  const john = new Terminal('john', address, cast, '1', [
    { type: 'addOnlineUser', userID: '1', username: 'john_doe' },
    { type: 'chatRoom.join', data: '1:2' },
    { type: 'startTypingRoom', roomID: '1:2', user: { userID: '1', username: 'john_doe' } },
    { type: 'stopTypingRoom', roomID: '1:2', user: { userID: '1', username: 'john_doe' } },
    message('Hello!', '1', 'john_doe'),
    { ...message('Hello again!', '1', 'john_doe'), id: 7 },
  ]);
  const typist = { senderID: '1', senderUsername: 'john_doe', roomID: '1:2' };
  await john.reads(online('Add', '1'), inRoom('Hello!', '1', 'john_doe'));
  const answer = { type: 'message:response', success: true, messageID: ID, roomID: '1:2', date: NOW, id: 7 };
  await john.readsEach(inRoom('Hello again!', '1', 'john_doe'), answer);
  await jane.reads(online('Add', '1'));
  await jane.reads({ type: 'typingMessageStart', ...typist }, { type: 'typingMessageStop', ...typist });
  for (const text of ['Hello!', 'Hello again!']) {
    await jane.reads(inRoom(text, '1', 'john_doe'), {
      type: 'messageResponseNotify',
      roomID: '1:2',
      fromUsername: 'john_doe',
      fromUserID: '1',
      userID: '2',
      lastMessage: text,
      unreadUpdateStatus: true,
      createRoomNotification: null,
    });
  }

  await john.leaves();
  await jane.leaves();
  return 'ok: people chatted at wscat';
});
