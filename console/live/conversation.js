// One conversation as it is shown: its messages, what waits to be sent, who is writing, how far it was read.

import { newKey as randomId } from '../../clients/js/src/keys.js';
import { Refused, words } from './api.js';
import { Lost } from './connection.js';
import { Messages, NEWEST_LEN, PAGE_LEN, newKey, toldAs } from './messages.js';
import { idsOf, isPrivate } from './rooms.js';

/** A start is over after this long without another, or a stop. */
const TYPING_MS = 10_000;
/** Who goes on typing says so again after this long, and has stopped after a pause of that. */
const TYPES_ON_MS = 4_000;
const STOPPED_MS = 5_000;
/** The server tells a start at most once a second. */
const STARTS_MS = 1_100;
/** What was seen is told to the server so long after. */
const READ_MS = 300;

/** @typedef {import('./messages.js').Message} Message */

export class Conversation {
  key = newKey();
  messages = new Messages();
  /** What was sent and not heard of yet, or was refused. @type {Message[]} */
  outbox = [];
  /** What is written and not sent. */
  draft = '';
  /** Who is writing, by id. @type {Map<string, { name: string, timer: ReturnType<typeof setTimeout> }>} */
  typing = new Map();
  /** `loading`: the first page is; `missing`: there is no such room; `broken`: it cannot be loaded; `over`: one is in it no more. */
  /** @type {'loading' | 'open' | 'missing' | 'broken' | 'over'} */
  condition = 'loading';
  /** Why it is broken or over. */
  why = '';
  /** Whether it can only be read: it is closed. */
  isClosed = false;
  /** The closed group that it goes on from: the name of its place. */
  former = '';
  /** Whether a page beside those here is under way. */
  isPaging = false;
  /** The key of the first message that was not read when it was opened. */
  firstUnread = '';
  /** Changes when it should go to the end, whatever is in view. */
  jumps = 0;
  #isTyping = false;
  #startedAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #starts;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #stops;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #marks;
  #loadings = 0;
  /** What a closed group was. @type {import('./rooms.js').Room | undefined} */
  #past;
  /** Whether nothing was said there yet. */
  #isNew = false;

  /** @param {import('./chat.js').Chat} chat @param {string} label */
  constructor(chat, label) {
    this.chat = chat;
    this.label = label;
  }

  /** The room; one of two in which nothing was said yet is there as soon as something is, one that is closed is not listed. */
  get room() {
    return this.chat.rooms.all.get(this.label) ?? this.#past ?? (this.#isNew ? this.#imagined : undefined);
  }

  /** @returns {import('./rooms.js').Room} */
  get #imagined() {
    const { names } = this.chat.rooms;
    const members = idsOf(this.label).map((userID) => ({ userID, username: names.get(userID) ?? '' }));
    return { conversationID: null, roomID: this.label, group: false, members, creator: null, lastMessage: null, lastAt: null, unread: 0 };
  }

  get #path() {
    return `/api/chat/rooms/${this.label}`;
  }

  /** Whether something of it would be lost if it was forgotten. */
  get isNeeded() {
    return this.outbox.length > 0 || this.draft !== '';
  }

  /** Enters the room, and loads what was said last: on opening it, and on each new connection. */
  async enter() {
    const { chat, label } = this;
    if (this.condition === 'over') return;
    try {
      this.isClosed = !(await this.#joins());
      if (chat.conversation !== this) return;
      this.#isNew = !chat.rooms.all.has(label) && !this.isClosed && !(await this.#reads());
      if (this.isClosed) this.#past = await chat.ask(this.#path);
      if (this.#isNew) this.messages.newest({ items: [], next: null }, new Set());
      // Who has gone far back comes to the newest by going on.
      else if (this.messages.isAtEnd) await this.reload();
      if (chat.conversation !== this) return;
      if (this.condition === 'loading' || this.condition === 'broken') this.condition = 'open';
    } catch (error) {
      if (error instanceof Lost || /** @type {string} */ (this.condition) === 'over') return;
      [this.condition, this.why] = error instanceof Refused && error.status < 500 ? ['missing', ''] : ['broken', words(error)];
    } finally {
      chat.tell();
    }
  }

  /** Whether it is open: what is closed can be read by those who were there at the end. */
  async #joins() {
    try {
      await this.chat.connection.request({ type: 'chatRoom.join', data: this.label });
      return true;
    } catch (error) {
      if (error instanceof Refused) return false;
      throw error;
    }
  }

  /** Whether the room is there: one of two need not be. */
  async #reads() {
    try {
      await this.chat.readRoom(this.label);
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status === 404 && isPrivate(this.label)) return false;
      throw error;
    }
  }

  /** Leaves the room; what is not sent stays. */
  leave() {
    this.stopTyping();
    this.#forgetTyping();
    clearTimeout(this.#marks);
    this.chat.connection.send({ type: 'chatRoom.leave', data: this.label });
    this.messages.forget();
    [this.condition, this.firstUnread] = ['loading', ''];
    this.#loadings += 1;
  }

  /** Loads the newest page. */
  async reload() {
    const loading = (this.#loadings += 1);
    const before = new Set(this.messages.all.map(({ key }) => key));
    const listed = await this.chat.ask(`${this.#path}/messages?limit=${PAGE_LEN}`);
    if (loading !== this.#loadings || this.chat.conversation !== this) return;
    const { unread = 0 } = this.room ?? {};
    this.messages.newest(listed, before);
    this.#sentAsListed();
    const { all } = this.messages;
    if (this.condition === 'loading' && unread > 0) this.firstUnread = all[all.length - unread]?.key ?? '';
    this.look();
    this.chat.tell();
  }

  /** What was sent and has been listed before its reply came waits no more. */
  #sentAsListed() {
    const sent = new Set(this.messages.all.map(({ clientID }) => clientID));
    this.outbox = this.outbox.filter(({ clientID }) => !sent.has(clientID));
  }

  /** Loads older messages, or newer ones, if there are some that are not here. @param {'older' | 'newer'} which */
  async page(which) {
    const { messages } = this;
    const before = which === 'older' ? messages.older : messages.nextNewer;
    if (this.isPaging || before === undefined || (which === 'older' && before === null)) return;
    this.isPaging = true;
    this.chat.tell();
    const loading = this.#loadings;
    try {
      const query = before === null ? `limit=${NEWEST_LEN}` : `before=${encodeURIComponent(before)}&limit=${PAGE_LEN}`;
      const listed = await this.chat.ask(`${this.#path}/messages?${query}`);
      if (loading !== this.#loadings) return;
      if (which === 'older') messages.prepend(/** @type {string} */ (before), listed);
      else messages.append(listed);
    } catch {
      // Whoever scrolls on asks again; that the server is away is said elsewhere.
    } finally {
      this.isPaging = false;
      this.chat.tell();
    }
  }

  /** Shows the newest. */
  async toEnd() {
    if (!this.messages.isAtEnd) await this.reload().catch(() => undefined);
    this.jumps += 1;
    this.chat.tell();
  }

  /** A message that was heard. @param {{ message: string, from: string, fromUsername: string, date: any }} told */
  hear({ message: text, from, fromUsername: name, date }) {
    this.ends(from);
    if (from === this.chat.me && this.#isEcho(text, toldAs(date))) return;
    const message = { key: newKey(), id: null, from, name, text, at: Date.now(), told: toldAs(date), state: /** @type {const} */ ('sent') };
    if (document.hidden && !this.firstUnread) this.firstUnread = message.key;
    this.messages.push(message);
    if (this.messages.isTooLong) this.reload().catch(() => undefined);
    this.look();
  }

  /** Whether it is one's own, sent from here. @param {string} text @param {string} told */
  #isEcho(text, told) {
    const isIt = (/** @type {Message} */ each) => each.clientID !== undefined && !each.isEchoed && each.text === text && each.state !== 'failed';
    const acknowledged = this.messages.all.find((each) => isIt(each));
    const waiting = acknowledged ? undefined : this.outbox.find((each) => isIt(each));
    const message = acknowledged ?? waiting;
    if (!message) return false;
    message.isEchoed = true;
    if (waiting) this.#sent(waiting, told);
    return true;
  }

  /** @param {Message} message @param {string} told */
  #sent(message, told) {
    this.outbox = this.outbox.filter((each) => each !== message);
    Object.assign(message, { state: 'sent', told });
    if (this.messages.all.some(({ id, key }) => (id !== null && id === message.id) || key === message.key)) return;
    this.messages.push(message);
  }

  /** Says in the conversation what happened to it. @param {string} text */
  note(text) {
    this.messages.push({ key: newKey(), id: null, from: '', name: '', text, at: Date.now(), told: '', state: 'note' });
  }

  /** @param {string} text */
  async send(text) {
    const { me, session } = this.chat;
    this.stopTyping(true);
    this.firstUnread = '';
    /** @type {Message} */
    const message = { key: newKey(), id: null, from: me, name: session.name, text, at: Date.now(), told: '', state: 'pending', clientID: randomId() };
    this.outbox.push(message);
    const posted = this.post(message);
    await this.toEnd();
    await posted;
  }

  /** Sends one, also once more: it takes effect once. @param {Message} message */
  async post(message) {
    const { chat, room } = this;
    [message.state, message.why] = ['pending', undefined];
    chat.tell();
    const isFirst = isPrivate(this.label) && room?.lastMessage == null;
    const data = { message: message.text, from: chat.me, roomID: this.label, contact: isFirst, clientMessageID: message.clientID };
    try {
      const { messageID, date } = await chat.connection.request({ type: 'message', data });
      message.id = messageID;
      this.#sent(message, toldAs(date));
      chat.rooms.said(this.label, message.text, 0);
      if (!chat.rooms.all.has(this.label)) chat.refresh(this.label);
    } catch (error) {
      // Without a connection it waits for the next one.
      const waits = error instanceof Lost && chat.connection.condition !== 'live';
      if (!waits && message.state === 'pending') [message.state, message.why] = ['failed', error instanceof Refused ? error.message : 'no answer came'];
    }
    chat.tell();
  }

  /** Sends all that waits. */
  async postAll() {
    await Promise.all(this.outbox.filter(({ state }) => state === 'pending').map((message) => this.post(message)));
  }

  /** Does not send one that was refused. @param {Message} message */
  discard(message) {
    this.outbox = this.outbox.filter((each) => each !== message);
    this.chat.tell();
  }

  /** It has another label now, as it has other members. @param {string} label */
  relabel(label) {
    this.label = label;
  }

  /** One is in it no more, or it is gone. @param {string} why */
  end(why) {
    [this.condition, this.why, this.outbox, this.draft] = ['over', why, [], ''];
    this.#forgetTyping();
    clearTimeout(this.#marks);
  }

  /** What is in view has been read, if somebody is there to see it. */
  look() {
    if (document.hidden || this.chat.conversation !== this || this.isClosed) return;
    clearTimeout(this.#marks);
    this.#marks = setTimeout(async () => {
      try {
        await this.chat.send('POST', `${this.#path}/read`);
        this.chat.rooms.isRead(this.label);
        this.chat.tell();
      } catch {
        // It is read the next time.
      }
    }, READ_MS);
  }

  /** Somebody is writing. @param {string} id @param {string} name */
  begins(id, name) {
    clearTimeout(this.typing.get(id)?.timer);
    const timer = setTimeout(() => {
      this.typing.delete(id);
      this.chat.tell();
    }, TYPING_MS);
    this.typing.set(id, { name, timer });
  }

  /** And does so no more. @param {string} id */
  ends(id) {
    clearTimeout(this.typing.get(id)?.timer);
    this.typing.delete(id);
  }

  #forgetTyping() {
    for (const id of [...this.typing.keys()]) this.ends(id);
  }

  /** One has typed something, or taken it all away. @param {string} text */
  typed(text) {
    this.draft = text;
    if (text.trim() === '') {
      this.stopTyping();
      return;
    }
    clearTimeout(this.#stops);
    this.#stops = setTimeout(() => this.stopTyping(), STOPPED_MS);
    const since = Date.now() - this.#startedAt;
    if (this.#starts || (this.#isTyping && since < TYPES_ON_MS)) return;
    const start = () => {
      [this.#starts, this.#isTyping, this.#startedAt] = [undefined, true, Date.now()];
      this.#tellTyping('startTypingRoom');
    };
    if (since >= STARTS_MS) start();
    else this.#starts = setTimeout(start, STARTS_MS - since);
  }

  /** @param {boolean} [isKnown] whether the server knows by itself, as it does of who has sent something */
  stopTyping(isKnown = false) {
    clearTimeout(this.#stops);
    clearTimeout(this.#starts);
    this.#starts = undefined;
    if (!this.#isTyping) return;
    this.#isTyping = false;
    if (!isKnown) this.#tellTyping('stopTypingRoom');
  }

  /** @param {string} type */
  #tellTyping(type) {
    if (this.isClosed || this.condition !== 'open') return;
    const { me: userID, session } = this.chat;
    this.chat.connection.send({ type, roomID: this.label, user: { userID, username: session.name } });
  }
}
