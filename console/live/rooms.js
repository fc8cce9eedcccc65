// The rooms that one is in. What people talk in has a number that stays; its label is the sorted list of its members,
// and changes with them.

/**
 * @typedef {{ userID: string, username: string }} Person
 *
 * @typedef {object} Room
 * @property {string | null} conversationID `null`: nothing was said there yet
 * @property {string} roomID its label
 * @property {boolean} group
 * @property {Person[]} members
 * @property {string | null} creator of a group
 * @property {string | null} lastMessage
 * @property {string | null} lastAt as of ISO 8601
 * @property {number} unread
 */

/** So many of those in a room are named where it is called by them. */
const NAMED_MAX = 4;

/** Ids in the order of their numbers, which may be larger than numbers are exact. @param {string} a @param {string} b */
const byNumber = (a, b) => a.length - b.length || (a < b ? -1 : Number(a > b));

/** The label of the room that these are in. @param {string[]} ids */
export const labelOf = (ids) => [...new Set(ids)].sort(byNumber).join(':');

/** Who is in a room, by its label. @param {string} label */
export const idsOf = (label) => label.split(':');

/** The label once somebody is in it too. @param {string} label @param {string} id */
export const withOne = (label, id) => labelOf([...idsOf(label), id]);

/** The label once somebody is in it no more. @param {string} label @param {string} id */
export const withoutOne = (label, id) => labelOf(idsOf(label).filter((each) => each !== id));

/** Whether a label is that of two. @param {string} label */
export const isPrivate = (label) => idsOf(label).length === 2;

/** What to call somebody. @param {Person} person */
export const nameOf = ({ userID, username }) => username || `User ${userID}`;

/** The others in a room. @param {Room} room @param {string} me */
export const othersIn = ({ members }, me) => members.filter(({ userID }) => userID !== me);

/** What a room is called: by who else is in it, some of them if they are many. @param {Room} room @param {string} me */
export function titleOf(room, me) {
  const others = othersIn(room, me);
  if (others.length === 0) return 'Only you';
  const isMany = others.length > NAMED_MAX + 1;
  const names = others.slice(0, isMany ? NAMED_MAX : others.length).map(nameOf).join(', ');
  return isMany ? `${names} and ${(others.length - NAMED_MAX).toLocaleString()} more` : names;
}

export class Rooms {
  /** @type {Map<string, Room>} by label */
  all = new Map();
  /** What asks for more of the list; `null`: there are no more. @type {string | null} */
  next = null;
  /** What people are called, as far as rooms have told. @type {Map<string, string>} */
  names = new Map();
  /** Labels of which was heard since a listing began: it may be older than that. @type {Set<string>} */
  #heard = new Set();

  get unread() {
    let sum = 0;
    for (const { unread } of this.all.values()) sum += unread;
    return sum;
  }

  /** Those with the newest activity first. */
  get sorted() {
    return [...this.all.values()].sort((a, b) => (b.lastAt ?? '').localeCompare(a.lastAt ?? '') || b.roomID.localeCompare(a.roomID));
  }

  /** One as the server tells it. @param {Room} room */
  put(room) {
    for (const [label, { conversationID }] of this.all) {
      if (label !== room.roomID && conversationID !== null && conversationID === room.conversationID) this.all.delete(label);
    }
    this.#heard.add(room.roomID);
    this.all.set(room.roomID, room);
    this.#meet(room);
  }

  /** @param {Room} room */
  #meet({ members }) {
    for (const { userID, username } of members) this.names.set(userID, username);
  }

  /** @param {string} label */
  remove(label) {
    this.#heard.add(label);
    return this.all.delete(label);
  }

  /** Something was said. @param {string} label @param {string} text @param {number} unread how many more are unread; 0: all are read */
  said(label, text, unread) {
    const room = this.all.get(label);
    if (!room) return;
    this.#heard.add(label);
    this.all.set(label, { ...room, lastMessage: text, lastAt: new Date().toISOString(), unread: unread && room.unread + unread });
  }

  /** @param {string} label */
  isRead(label) {
    const room = this.all.get(label);
    if (!room?.unread) return;
    this.#heard.add(label);
    this.all.set(label, { ...room, unread: 0 });
  }

  /** It has other members now. @param {string} before its label until now @param {string} label @param {Person} [added] */
  relabel(before, label, added) {
    const room = this.all.get(before);
    if (!room) return;
    const ids = new Set(idsOf(label));
    const members = [...room.members, ...(added ? [added] : [])].filter(({ userID }) => ids.has(userID));
    this.remove(before);
    this.#heard.add(label);
    this.all.set(label, { ...room, roomID: label, members });
  }

  /** A listing begins. */
  begin() {
    this.#heard.clear();
  }

  /** What it brought: all that there are, in the order of their activity, as far as `next`. @param {Room[]} rooms @param {string | null} next */
  listed(rooms, next) {
    const listed = new Map(rooms.map((room) => [room.roomID, room]));
    for (const label of this.#heard) {
      const known = this.all.get(label);
      if (known) listed.set(label, known);
      else listed.delete(label);
    }
    [this.all, this.next] = [listed, next];
    for (const room of rooms) this.#meet(room);
  }

  forget() {
    this.all.clear();
    this.names.clear();
    this.next = null;
  }
}
