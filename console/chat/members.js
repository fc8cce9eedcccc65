// Who is in a conversation, beside it; and what can be done about that: somebody is added or removed, one leaves, all is
// deleted.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { go } from '../frame/address.js';
import { Confirm } from '../frame/confirm.js';
import { useEscape } from '../frame/escape.js';
import { Icon } from '../frame/icon.js';
import { nameOf, withOne, withoutOne } from '../live/rooms.js';
import { PickPeople } from './pick-people.js';
import { Avatar, Presence } from './person.js';

/** So many are shown until one asks for more. */
const SHOWN = 100;

/**
 * @typedef {import('../live/rooms.js').Room} Room
 * @typedef {import('../live/rooms.js').Person} Person
 * @typedef {import('../main.js').App} App
 * @typedef {{ what: 'add' | 'leave' | 'delete' } | { what: 'kick', person: Person }} Asked
 */

/** @param {{ app: App, room: Room, close: () => void }} props */
export function Members({ app, room, close }) {
  const { chat, session } = app;
  const [asked, setAsked] = useState(/** @type {Asked | null} */ (null));
  const [shown, setShown] = useState(SHOWN);
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => heading.current?.focus(), []);
  const mayKick = room.group && (room.creator === chat.me || session.role === 'admin');
  useEscape(asked ? undefined : close, { isNearest: true });
  const done = () => setAsked(null);
  return html`
    <aside class="members-drawer" aria-label="People">
      <header>
        <h3 ref=${heading} tabindex="-1">People <span class="count">${room.members.length.toLocaleString()}</span></h3>
        <button type="button" class="quiet square" aria-label="Close" onClick=${close}><${Icon} name="close" /></button>
      </header>
      <ul class="scrolls">
        ${room.members.slice(0, shown).map(
          (person) => html`
            <li key=${person.userID} data-user-id=${person.userID}>
              <${Avatar} person=${person} />
              <span class="name">${nameOf(person)}${person.userID === chat.me && ' (you)'}</span>
              <span class="number">${person.userID === room.creator ? `Number ${person.userID}, creator` : `Number ${person.userID}`}</span>
              <${Presence} isOnline=${chat.isOnline(person.userID)} />
              ${mayKick &&
              person.userID !== chat.me &&
              html`<button type="button" class="quiet square" aria-label=${`Remove ${nameOf(person)}`} title="Remove" onClick=${() => setAsked({ what: 'kick', person })}><${Icon} name="minus" /></button>`}
            </li>
          `,
        )}
      </ul>
      ${room.members.length > shown && html`<button type="button" class="quiet" onClick=${() => setShown(shown + SHOWN)}>Show more</button>`}
      <div class="buttons">
        <button type="button" onClick=${() => setAsked({ what: 'add' })}><${Icon} name="plus" />Add somebody</button>
        ${room.group && html`<button type="button" onClick=${() => setAsked({ what: 'leave' })}>Leave</button>`}
        ${mayKick && html`<button type="button" class="danger" onClick=${() => setAsked({ what: 'delete' })}>Delete</button>`}
      </div>
      ${asked && html`<${Asks} app=${app} room=${room} asked=${asked} close=${done} removed=${() => heading.current?.focus()} />`}
    </aside>
  `;
}

/** @param {{ app: App, room: Room, asked: Asked, close: () => void, removed: () => void }} props */
function Asks({ app, room, asked, close, removed }) {
  const { session } = app;
  const toTwo = room.members.length === 3 ? ' The two who stay go on in private; what was said here can be read, but not gone on with.' : '';
  if (asked.what === 'add') return html`<${AddSomebody} app=${app} room=${room} close=${close} />`;
  if (asked.what === 'kick') {
    const name = nameOf(asked.person);
    return html`
      <${Confirm} title=${`Remove ${name} from the group?`} verb="Remove" session=${session} work=${() => kick(app, room, asked.person)} close=${close} done=${removed}>
        <p>${name} is told so, and hears nothing more of it.${toTwo}</p>
      </${Confirm}>
    `;
  }
  if (asked.what === 'leave') {
    const me = room.members.find(({ userID }) => userID === app.chat.me);
    const leave = async () => {
      await kick(app, room, me ?? { userID: app.chat.me, username: session.name });
      left(app, room);
    };
    return html`
      <${Confirm} title="Leave the group?" verb="Leave" session=${session} work=${leave} close=${close}>
        <p>You hear nothing more of it, until somebody adds you again.${toTwo}</p>
      </${Confirm}>
    `;
  }
  const remove = async () => {
    await app.chat.connection.request({ type: 'deleteUserRoom', roomID: room.roomID, clientID: app.chat.me, clientUsername: session.name });
    left(app, room);
  };
  return html`
    <${Confirm} title="Delete the group?" verb="Delete" session=${session} work=${remove} close=${close}>
      <p>It is gone for all ${room.members.length} people in it, who are told so. That cannot be taken back.</p>
    </${Confirm}>
  `;
}

/** One is in it no more, as one wanted. @param {App} app @param {Room} room */
function left({ chat }, room) {
  chat.ends(room.roomID, 'You left the group');
  go('/chat');
}

/** @param {App} app @param {Room} room @param {Person} person */
function kick({ chat, session }, room, { userID, username }) {
  return chat.connection.request({
    type: 'kickUserFromGroup',
    ...{ roomID: room.roomID, newRoomID: withoutOne(room.roomID, userID) },
    ...{ kickedUserID: userID, kickedUsername: username, clientID: chat.me, clientUsername: session.name },
  });
}

/** @param {{ app: App, room: Room, close: () => void }} props */
function AddSomebody({ app, room, close }) {
  const { chat, session } = app;
  /** @param {Person[]} chosen */
  const add = async ([{ userID, username }]) => {
    const newRoomID = withOne(room.roomID, userID);
    const type = room.group ? 'addUserToGroup' : 'createUserGroup';
    const data = { newUserID: userID, newUsername: username, roomID: room.roomID, newRoomID, clientID: chat.me, clientUsername: session.name };
    await chat.connection.request({ type, data });
    // A new group is beside the private chat, which goes on.
    if (room.group) return;
    await chat.readRoom(newRoomID);
    go(`/chat/${newRoomID}`);
  };
  return html`
    <${PickPeople}
      app=${app}
      title=${room.group ? 'Add somebody' : 'Make a group'}
      verb=${room.group ? 'Add' : 'Make it'}
      without=${room.members.map(({ userID }) => userID)}
      work=${add}
      close=${close}
    >
      ${!room.group && html`<p>The private conversation stays as it is; the group begins anew.</p>`}
    </${PickPeople}>
  `;
}
