// The chat: the rooms that one is in, who is online, and the conversation that is open. A connection begins with entering
// rooms, as these are those of a connection; then all is listed, also after a break.

import { ask, pages } from './api.js';
import { Connection } from './connection.js';
import { Conversation } from './conversation.js';
import { Rooms, idsOf, isPrivate } from './rooms.js';
import { Watched } from './watched.js';

/** In a crowd not everybody is told who comes and goes: so it is asked this often. */
const ONLINE_MS = 60_000;
/** And this many pages of it. */
const ONLINE_PAGES_MAX = 20;
/** Rooms of a page. */
const ROOMS_LEN = 100;
/** Who comes back to the page after this long sees what was read or left elsewhere meanwhile. */
const AWAY_MS = 10_000;
/** Conversations that are kept, with what was written there. */
const KEPT_MAX = 50;

/** @typedef {import('./rooms.js').Room} Room */

export class Chat extends Watched {
  path = '/ws/chat/';
  /** @type {Record<string, string>} */
  query = {};
  isForUsers = true;
  /** What is personal is told to those alone who have entered their room: so all is listed after a break. */
  isReplayedWhole = false;
  complete = false;
  rooms = new Rooms();
  /** Ids of those who are online. @type {Set<string>} */
  online = new Set();
  /** The one that is open. @type {Conversation | null} */
  conversation = null;
  /** Who hears each event. @type {Set<(type: string, data: any) => void>} */
  listeners = new Set();
  /** @type {Conversation[]} */
  #kept = [];
  #listedAt = 0;

  /** @param {import('./session.js').Session} session */
  constructor(session) {
    super();
    this.session = session;
    this.connection = new Connection(session, this);
    setInterval(() => this.#isLive && this.#listOnline(this.ask).catch(() => undefined), ONLINE_MS);
    document.addEventListener('visibilitychange', () => !document.hidden && this.#isSeen());
  }

  get isEmpty() {
    return !this.complete;
  }

  get #isLive() {
    return this.connection.condition === 'live';
  }

  /** The id of who is signed in. */
  get me() {
    return this.session.userId;
  }

  /** Whether somebody is online. @param {string} id */
  isOnline(id) {
    return this.online.has(id);
  }

  /** @param {string} path @returns {Promise<any>} */
  ask = (path) => ask(path, { token: this.session.token });

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  send = (method, path, body) => ask(path, { method, body, token: this.session.token });

  /** @param {any} message */
  hear({ type, cursor: _, ...payload }) {
    const data = 'data' in payload && Object.keys(payload).length === 1 ? payload.data : payload;
    const hears = EVENTS[type];
    hears?.(this, data);
    for (const listener of this.listeners) listener(type, data);
    if (hears) this.tell();
  }

  /**
   * @param {(path: string) => Promise<any>} ask
   * @param {import('./connection.js').Request} request
   */
  async list(ask, request) {
    const { me: userID, session } = this;
    await request({ type: 'addOnlineUser', userID, userUsername: session.name });
    await request({ type: 'joinRoom', data: userID });
    await Promise.all(this.#kept.map((conversation) => conversation.postAll()));
    await Promise.all([this.#listRooms(ask), this.#listOnline(ask)]);
    // Another one may be opened meanwhile.
    for (let entered = /** @type {Conversation | null} */ (null); entered !== this.conversation; ) {
      entered = this.conversation;
      await entered?.enter();
    }
    this.complete = true;
    this.tell();
  }

  forget() {
    this.rooms.forget();
    this.online.clear();
    this.conversation?.leave();
    [this.conversation, this.#kept] = [null, []];
    this.complete = false;
    this.tell();
  }

  /** All rooms as far as they were listed; the newest at first. @param {(path: string) => Promise<any>} ask @param {number} [atLeast] */
  async #listRooms(ask, atLeast = this.rooms.all.size) {
    this.rooms.begin();
    /** @type {Room[]} */
    const listed = [];
    /** @type {string | null} */
    let next = '';
    while (next !== null && (next === '' || listed.length < atLeast)) {
      /** @type {{ items: Room[], next: string | null }} */
      const page = await ask(`/api/chat/rooms?${new URLSearchParams({ limit: String(ROOMS_LEN), ...(next && { cursor: next }) })}`);
      listed.push(...page.items);
      next = page.next;
    }
    this.rooms.listed(listed, next);
    this.#listedAt = Date.now();
    this.tell();
  }

  /** More of the rooms. */
  moreRooms = () => this.#listRooms(this.ask, this.rooms.all.size + 1);

  /** @param {(path: string) => Promise<any>} ask */
  async #listOnline(ask) {
    const online = new Set();
    let left = ONLINE_PAGES_MAX;
    for await (const items of pages(ask, '/api/chat/online')) {
      for (const { userID } of items) online.add(userID);
      left -= 1;
      if (left === 0) break;
    }
    this.online = online;
    this.tell();
  }

  /** One room as it is now. @param {string} label */
  async readRoom(label) {
    this.rooms.put(await this.ask(`/api/chat/rooms/${label}`));
    // One is in it again.
    if (this.conversation?.label === label && this.conversation.condition === 'over') this.open(label);
    this.tell();
  }

  /** What one is in by now is known by the server; that it is gone, too. @param {string} label */
  refresh(label) {
    this.readRoom(label).catch(() => undefined);
  }

  /** Opens a conversation, instead of the one that is open. @param {string} label */
  open(label) {
    if (this.conversation?.label === label && this.conversation.condition !== 'over') return;
    this.close();
    const known = this.#kept.find((each) => each.label === label && each.condition !== 'over');
    const opened = known ?? new Conversation(this, label);
    this.#kept = [opened, ...this.#kept.filter((each) => each !== opened && (each.isNeeded || each.condition !== 'over'))].slice(0, KEPT_MAX);
    this.conversation = opened;
    if (this.#isLive) opened.enter();
    this.tell();
  }

  close() {
    const { conversation } = this;
    this.conversation = null;
    conversation?.leave();
    this.tell();
  }

  /** Whether something that was written there was refused. @param {string} label */
  hasFailed(label) {
    return this.#kept.some((each) => each.label === label && each.outbox.some(({ state }) => state === 'failed'));
  }

  /** The conversation with others, made if there is none. @param {string[]} ids @returns {Promise<Room>} */
  async begin(ids) {
    const room = await this.send('POST', '/api/chat/rooms', { members: ids });
    this.rooms.put(room);
    this.tell();
    return room;
  }

  /**
   * It has other members. A group that has become two is closed, and they go on in private.
   *
   * @param {string} before
   * @param {string} label
   * @param {{ added?: import('./rooms.js').Person, note: string }} how
   */
  becomes(before, label, { added, note }) {
    const isOver = isPrivate(label);
    const id = this.rooms.all.get(before)?.conversationID;
    if (isOver) this.rooms.remove(before);
    else this.rooms.relabel(before, label, added);
    for (const each of this.#kept) {
      if (each.label !== before) continue;
      if (each === this.conversation && isOver) {
        this.open(label);
        if (id) this.conversation.former = id;
      } else if (!isOver) {
        each.relabel(label);
        each.note(note);
      }
    }
    this.refresh(label);
  }

  /** One is in it no more, or it is gone. @param {string} label @param {string} why */
  ends(label, why) {
    this.rooms.remove(label);
    for (const each of this.#kept) if (each.label === label && each.condition !== 'over') each.end(why);
    this.tell();
  }

  /** Somebody looks at the page again. */
  #isSeen() {
    if (!this.#isLive) return;
    this.conversation?.look();
    if (Date.now() - this.#listedAt > AWAY_MS) this.#listRooms(this.ask).catch(() => undefined);
  }
}

/** The open conversation, if it is that. @param {Chat} chat @param {string} label */
const opened = ({ conversation }, label) => (conversation?.label === label ? conversation : null);

/** What events do. @type {Record<string, ((chat: Chat, data: any) => void) | undefined>} */
const EVENTS = {
  newOnlineUser(chat, { type, userID }) {
    if (type === 'Add') chat.online.add(userID);
    else chat.online.delete(userID);
  },
  messageRoom(chat, data) {
    opened(chat, data.roomID)?.hear(data);
    // That of others is told to oneself, too.
    if (data.from === chat.me) chat.rooms.said(data.roomID, data.message, 0);
  },
  messageResponseNotify(chat, { roomID, lastMessage, unreadUpdateStatus }) {
    const isSeen = opened(chat, roomID) !== null && !document.hidden;
    if (!chat.rooms.all.has(roomID)) chat.refresh(roomID);
    else chat.rooms.said(roomID, lastMessage, isSeen ? 0 : Number(unreadUpdateStatus));
  },
  typingMessageStart: (chat, { senderID, senderUsername, roomID }) => opened(chat, roomID)?.begins(senderID, senderUsername),
  typingMessageStop: (chat, { senderID, roomID }) => opened(chat, roomID)?.ends(senderID),
  createUserGroupChange: (chat, { newRoomID }) => chat.refresh(newRoomID),
  addUserToGroupChange(chat, { roomID, newRoomID, newUserID: userID, newUsername: username, clientUsername }) {
    if (!chat.rooms.all.has(roomID)) chat.refresh(newRoomID);
    else chat.becomes(roomID, newRoomID, { added: { userID, username }, note: `${clientUsername} added ${username}` });
  },
  addUserToGroupChangeInRoom(chat, label) {
    const { conversation } = chat;
    if (!conversation || conversation.label === label) return;
    const ids = new Set(idsOf(label));
    if (idsOf(conversation.label).every((id) => ids.has(id))) chat.becomes(conversation.label, label, { note: 'Somebody was added' });
  },
  kickUserFromGroupNotify: (chat, { roomID, notification }) => chat.ends(roomID, notification.message),
  kickUserFromGroupChange: (chat, { roomID, newRoomID, kickedUsername }) =>
    chat.becomes(roomID, newRoomID, { note: `${kickedUsername} is no longer in the group` }),
  kickUserFromGroupChangeInRoom(chat, { kickedUserID, newRoomID }) {
    const { conversation } = chat;
    if (!conversation || kickedUserID !== chat.me || conversation.condition === 'over') return;
    const wasThere = new Set(idsOf(conversation.label));
    if (wasThere.has(kickedUserID) && idsOf(newRoomID).every((id) => wasThere.has(id))) chat.ends(conversation.label, 'You left the group');
  },
  deleteUserRoomNotify: (chat, { roomID, message }) => chat.ends(roomID, message),
  deleteUserRoomChange: (chat, { roomID }) => chat.ends(roomID, 'The group was deleted'),
};
