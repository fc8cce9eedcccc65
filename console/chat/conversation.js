// One conversation: who it is with, what was said, and where one writes.

import { html, useEffect, useLayoutEffect, useRef, useState } from '../vendor/htm-preact.js';
import { link } from '../frame/address.js';
import { Icon } from '../frame/icon.js';
import { othersIn, titleOf } from '../live/rooms.js';
import { Composer } from './composer.js';
import { Members } from './members.js';
import { MessageLog } from './message-log.js';
import { Avatar, GroupAvatar } from './person.js';

/**
 * @typedef {import('../main.js').App} App
 * @typedef {import('../live/conversation.js').Conversation} Conversation
 */

/** @param {{ app: App, conversation: Conversation }} props */
export function ConversationPane({ app, conversation }) {
  const [showsMembers, setShowsMembers] = useState(false);
  const people = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const { room, condition } = conversation;
  const close = () => {
    setShowsMembers(false);
    people.current?.focus();
  };
  const isThere = condition === 'open' || condition === 'loading';
  return html`
    <section class=${`conversation${showsMembers && isThere && !conversation.isClosed ? ' with-members' : ''}`} aria-label=${room ? titleOf(room, app.chat.me) : 'Conversation'}>
      <${Header} app=${app} conversation=${conversation}>
        ${room &&
        isThere &&
        !conversation.isClosed &&
        html`
          <button type="button" class="quiet show-people" ref=${people} aria-expanded=${showsMembers} aria-label="People" title="People" onClick=${() => (showsMembers ? close() : setShowsMembers(true))}>
            <${Icon} name="people" /><span>${room.members.length}</span>
          </button>
        `}
      </${Header}>
      ${isThere && conversation.former && html`<p class="former">The group is closed, as two are left. <a href=${link(`/#/chat/${conversation.former}`)}>What was said in it</a></p>`}
      ${isThere ? html`<${MessageLog} app=${app} conversation=${conversation} />` : html`<${Without} conversation=${conversation} />`}
      ${isThere && html`<${Typing} conversation=${conversation} />`}
      ${isThere && (conversation.isClosed ? html`<p class="closed">This group is closed. What was said in it can still be read.</p>` : html`<${Composer} conversation=${conversation} />`)}
      ${showsMembers && isThere && room && !conversation.isClosed && html`<${Members} app=${app} room=${room} close=${close} />`}
    </section>
  `;
}

/** @param {{ app: App, conversation: Conversation, children?: any }} props */
function Header({ app: { chat }, conversation, children }) {
  const { room } = conversation;
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useLayoutEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const others = room ? othersIn(room, chat.me) : [];
  const isOne = room && !room.group && others.length === 1;
  return html`
    <header>
      <a class="button quiet square back" href=${link('/#/chat')} aria-label="All conversations"><${Icon} name="back" /></a>
      ${isOne ? html`<${Avatar} person=${others[0]} isOnline=${chat.isOnline(others[0].userID)} />` : room && html`<${GroupAvatar} count=${room.members.length} />`}
      <div class="titles">
        <h2 ref=${heading} tabindex="-1">${room ? titleOf(room, chat.me) : 'Conversation'}</h2>
        ${room && html`<p class="who-is-there">${conversation.isClosed ? 'Closed' : presenceWords(chat, room)}</p>`}
      </div>
      ${children}
    </header>
  `;
}

/** @param {import('../live/chat.js').Chat} chat @param {import('../live/rooms.js').Room} room */
function presenceWords(chat, room) {
  const others = othersIn(room, chat.me);
  const online = others.filter(({ userID }) => chat.isOnline(userID)).length;
  if (!room.group) return online > 0 ? 'Online' : 'Away';
  return `${room.members.length} people, ${online === 0 ? 'no one else' : `${online} ${online === 1 ? 'other' : 'others'}`} online`;
}

/** Who is writing; the line is there always, so that nothing moves. @param {{ conversation: Conversation }} props */
function Typing({ conversation: { typing } }) {
  const names = [...typing.values()].map(({ name }) => name);
  const [first, second] = names;
  const who = names.length > 2 ? `${names.length} people are` : names.length === 2 ? `${first} and ${second} are` : `${first} is`;
  return html`<p class="typing">${names.length > 0 && html`<span class="dots" aria-hidden="true"><i></i><i></i><i></i></span>${`${who} writing`}`}</p>`;
}

/** There is nothing to show, and why. @param {{ conversation: Conversation }} props */
function Without({ conversation }) {
  const { condition, why } = conversation;
  const button = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => button.current?.focus(), [condition]);
  if (condition === 'broken') {
    return html`
      <div class="notice" role="alert">
        <h2>This conversation cannot be loaded</h2>
        <p>${why.charAt(0).toUpperCase() + why.slice(1)}.</p>
        <button type="button" ref=${button} onClick=${() => conversation.enter()}>Try again</button>
      </div>
    `;
  }
  if (condition === 'over') {
    return html`
      <div class="notice" role="alert">
        <h2>${why}</h2>
        <p>What was said there is not shown to you any more.</p>
        <a class="button" ref=${button} href=${link('/#/chat')}>All conversations</a>
      </div>
    `;
  }
  return html`
    <div id="not-found" class="notice">
      <h2>There is no such conversation</h2>
      <p>Or you are not in it any more. A link may be old, as who is in a group changes where it is found.</p>
      <a class="button" ref=${button} href=${link('/#/chat')}>All conversations</a>
    </div>
  `;
}
