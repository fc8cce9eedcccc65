// What stands for somebody: a disc with their initial, and whether they are online.

import { html } from '../vendor/htm-preact.js';
import { nameOf } from '../live/rooms.js';

/** Colours of discs. */
const COLOURS = 6;

/** @param {{ person: import('../live/rooms.js').Person, isOnline?: boolean }} props */
export function Avatar({ person, isOnline }) {
  const colour = (Number(person.userID.slice(-4)) % COLOURS) + 1;
  return html`
    <span class=${`avatar colour-${colour}${isOnline ? ' online' : ''}`} aria-hidden="true">${[...nameOf(person)][0].toUpperCase()}</span>
  `;
}

/** Of a group: how many there are. @param {{ count: number }} props */
export function GroupAvatar({ count }) {
  return html`<span class="avatar group" aria-hidden="true">${count > 99 ? '99+' : count}</span>`;
}

/** @param {{ isOnline: boolean }} props */
export function Presence({ isOnline }) {
  return html`<span class=${`condition ${isOnline ? 'live' : 'signed-out'}`}>${isOnline ? 'Online' : 'Away'}</span>`;
}
