// The page of the chat: the rooms, and beside them, or in their place where there is no room, the one that is open.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { go, replace } from '../frame/address.js';
import { useEscape } from '../frame/escape.js';
import { Icon } from '../frame/icon.js';
import { useMedia } from '../frame/media.js';
import { titleOf as titleOfRoom } from '../live/rooms.js';
import { useWatched } from '../live/watched.js';
import { ConversationPane } from './conversation.js';
import { NewChat } from './new-chat.js';
import { RoomList } from './room-list.js';

/** Rooms and conversation stand side by side from this width on. */
const SPLIT = '(min-width: 52rem)';
/** Lines that stand for rooms while these are loaded. */
const SKELETON_LEN = 8;

/** @param {{ app: import('../main.js').App, params: string[] }} props */
export function ChatPage({ app, params: [label] }) {
  const { chat, session } = app;
  useWatched(chat, chat.connection, session);
  const isSplit = useMedia(SPLIT);
  const [isPicking, setPicking] = useState(false);
  const add = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    chat.connection.start();
    return () => chat.close();
  }, []);
  // Who is signed in has to be known, and nothing is open any more when that has changed.
  useEffect(() => {
    if (!session.userId) return;
    if (label) chat.open(label);
    else chat.close();
  }, [label, session.userId]);
  // A room is called by its members: when these change the address follows.
  const { conversation } = chat;
  useEffect(() => {
    if (conversation && label && conversation.label !== label) replace(`/chat/${conversation.label}`);
  }, [conversation?.label]);
  useEscape(label && !isPicking ? () => go('/chat') : undefined);

  const done = () => {
    setPicking(false);
    add.current?.focus();
  };
  const isWaiting = !chat.complete && chat.rooms.all.size === 0;
  return html`
    <div class=${`chat${label ? ' with-conversation' : ''}${chat.connection.condition === 'live' ? '' : ' stale'}`}>
      ${(isSplit || !label) &&
      html`
        <section class="rooms">
          <header>
            <h1>Chat</h1>
            ${chat.complete &&
            html`
              <button type="button" ref=${add} aria-haspopup="dialog" onClick=${() => setPicking(true)}><${Icon} name="plus" />New chat</button>
            `}
          </header>
          ${isWaiting ? html`<${Skeleton} connection=${chat.connection} />` : html`<${RoomList} app=${app} shown=${label} begin=${() => setPicking(true)} />`}
        </section>
      `}
      ${label
        ? conversation && html`<${ConversationPane} key=${conversation.key} app=${app} conversation=${conversation} />`
        : isSplit &&
          html`
            <div class="notice">
              ${chat.rooms.all.size > 0 && html`<h2>No conversation is open</h2><p>Choose one from the list, or begin a new one.</p>`}
            </div>
          `}
      ${isPicking && html`<${NewChat} app=${app} close=${done} />`}
    </div>
  `;
}

/** Stands for what is loaded. @param {{ connection: import('../live/connection.js').Connection }} props */
function Skeleton({ connection: { condition } }) {
  if (condition === 'refused') return html`<div class="notice"></div>`;
  const isStill = condition === 'offline';
  return html`
    <div class=${`skeleton${isStill ? ' still' : ''}`} role="status" aria-label=${isStill ? 'Nothing loaded yet' : 'Loading conversations'}>
      ${Array.from({ length: SKELETON_LEN }, (_, at) => html`<div key=${at}><i></i><i></i><i></i></div>`)}
    </div>
  `;
}

/** What the page shows, for the title of the window. @param {import('../main.js').App} app @param {string[]} params */
export function titleOf({ chat }, [label]) {
  const room = chat.rooms.all.get(label);
  return room ? titleOfRoom(room, chat.me) : '';
}
