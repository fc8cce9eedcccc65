// Begins a conversation, with one or with several.

import { html } from '../vendor/htm-preact.js';
import { go } from '../frame/address.js';
import { PickPeople } from './pick-people.js';

/** @param {{ app: import('../main.js').App, close: () => void }} props */
export function NewChat({ app, close }) {
  /** @param {import('../live/rooms.js').Person[]} chosen */
  const begin = async (chosen) => {
    const { roomID } = await app.chat.begin(chosen.map(({ userID }) => userID));
    go(`/chat/${roomID}`);
  };
  return html`
    <${PickPeople} app=${app} title="New chat" verb="Begin" isMany without=${[app.chat.me]} work=${begin} close=${close}>
      <p>With one it is private, with more it is a group.</p>
    </${PickPeople}>
  `;
}
