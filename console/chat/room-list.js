// All rooms, those with the newest activity first.

import { html, useState } from '../vendor/htm-preact.js';
import { link } from '../frame/address.js';
import { brief, whole } from '../frame/times.js';
import { nameOf, othersIn, titleOf } from '../live/rooms.js';
import { Avatar, GroupAvatar } from './person.js';

/** So many of a list of unread messages are counted. */
const COUNTED_MAX = 99;

/** @param {{ app: import('../main.js').App, shown: string, begin: () => void }} props */
export function RoomList({ app: { chat }, shown, begin }) {
  const { rooms } = chat;
  const [isLoading, setLoading] = useState(false);
  const more = async () => {
    setLoading(true);
    await chat.moreRooms().catch(() => undefined);
    setLoading(false);
  };
  if (rooms.all.size === 0) {
    return html`
      <div id="empty" class="notice">
        <h2>No conversations yet</h2>
        <p>Write to somebody, or to several people at once.</p>
        <button type="button" class="primary" onClick=${begin}>New chat</button>
      </div>
    `;
  }
  return html`
    <nav class="scrolls" aria-label="Conversations">
      <ul>
        ${rooms.sorted.map((room) => html`<${RoomRow} key=${room.conversationID ?? room.roomID} chat=${chat} room=${room} isShown=${room.roomID === shown} />`)}
      </ul>
      ${rooms.next !== null && html`<button type="button" class="quiet more" onClick=${more}>${isLoading ? 'Loading' : 'Show more'}</button>`}
    </nav>
  `;
}

/** @param {{ chat: import('../live/chat.js').Chat, room: import('../live/rooms.js').Room, isShown: boolean }} props */
function RoomRow({ chat, room, isShown }) {
  const others = othersIn(room, chat.me);
  const { unread, lastMessage, lastAt, roomID, group } = room;
  const isOnline = !group && others.length > 0 && chat.isOnline(others[0].userID);
  const at = lastAt ? Date.parse(lastAt) : NaN;
  const title = titleOf(room, chat.me);
  return html`
    <li>
      <a
        class=${`room${unread > 0 ? ' unread' : ''}`}
        href=${link(`/#/chat/${roomID}`)}
        data-room-id=${roomID}
        aria-current=${isShown ? 'page' : undefined}
        title=${others.length > 3 ? others.slice(0, 50).map(nameOf).join(', ') : undefined}
      >
        ${group || others.length !== 1 ? html`<${GroupAvatar} count=${room.members.length} />` : html`<${Avatar} person=${others[0]} isOnline=${isOnline} />`}
        <span class="name">${title}</span>
        ${isOnline && html`<span class="out-of-sight">online</span>`}
        ${!Number.isNaN(at) && html`<time dateTime=${new Date(at).toISOString()} title=${whole(at)}>${brief(at)}</time>`}
        <span class="last">${lastMessage ?? (group ? 'A new group' : 'Nothing said yet')}</span>
        ${chat.hasFailed(roomID) && html`<span class="failed" title="Something was not sent">Not sent</span>`}
        <${Badge} count=${unread} what="unread" />
      </a>
    </li>
  `;
}

/** How many there are, if there are some. @param {{ count: number, what: string }} props */
export function Badge({ count, what }) {
  if (count === 0) return null;
  return html`<span class="badge">${count > COUNTED_MAX ? `${COUNTED_MAX}+` : count}<span class="out-of-sight"> ${what}</span></span>`;
}
