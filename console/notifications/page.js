// The page of notifications: the newest first, each read or not.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { link } from '../frame/address.js';
import { ago, whole } from '../frame/times.js';
import { useNow } from '../frame/now.js';
import { utc } from '../live/clock.js';
import { useWatched } from '../live/watched.js';

/** @typedef {import('../live/inbox.js').Notification} Notification */

/** @param {{ app: import('../main.js').App }} props */
export function NotificationsPage({ app: { inbox, session } }) {
  useWatched(inbox, inbox.connection, session);
  useEffect(() => inbox.connection.start(), []);
  useNow();
  const { wrong, act } = useAct(session);
  const [isLoading, setLoading] = useState(false);
  const { condition } = inbox.connection;
  if (!inbox.complete) {
    if (condition === 'refused') return html`<div class="notice"></div>`;
    const isStill = condition === 'offline';
    return html`
      <div class=${`skeleton${isStill ? ' still' : ''}`} role="status" aria-label=${isStill ? 'Nothing loaded yet' : 'Loading notifications'}>
        ${[1, 2, 3, 4, 5, 6].map((at) => html`<div key=${at}><i></i><i></i><i></i></div>`)}
      </div>
    `;
  }
  const more = async () => {
    setLoading(true);
    await act(() => inbox.more());
    setLoading(false);
  };
  const { unread } = inbox;
  return html`
    <div class=${`notifications-page scrolls${condition === 'live' ? '' : ' stale'}`}>
      <header>
        <h1>Notifications</h1>
        ${unread > 0 && html`<button type="button" onClick=${() => act(() => inbox.markRead('all'))}>Mark all as read</button>`}
      </header>
      <${Wrong} words=${wrong} />
      ${inbox.all.length === 0 && html`<div id="empty" class="notice"><h2>Nothing yet</h2><p>What you have to know is kept here: groups that you are added to, comments on you, ratings of you, and what becomes of your bookings.</p></div>`}
      <ul>
        ${inbox.all.map((each) => html`<${Row} key=${each.id} notification=${each} read=${() => act(() => inbox.markRead([each.id]))} />`)}
      </ul>
      ${inbox.next !== null && html`<button type="button" class="quiet more" onClick=${more}>${isLoading ? 'Loading' : 'Show more'}</button>`}
    </div>
  `;
}

/** @param {{ notification: Notification, read: () => void }} props */
function Row({ notification, read: markRead }) {
  const { id, title, message, read, level, battery_info: battery } = notification;
  const at = timeOf(notification);
  const place = placeOf(notification);
  return html`
    <li class=${`notification${read ? '' : ' unread'} ${level ?? ''}`} data-notification-id=${id}>
      <div>
        ${title && title !== message && html`<h2>${title}${level && html` <span class="level">${LEVELS[level] ?? level}</span>`}</h2>`}
        <p class="text">${message}</p>
        <p class="when">
          <time dateTime=${new Date(at).toISOString()} title=${whole(at)}>${ago(at)}</time>
          ${!read && html`<span class="out-of-sight">, unread</span>`}
          ${battery && html`<span class="battery-info">${battery}</span>`}
          ${place && html`<a href=${link(place.href)} onClick=${() => !read && markRead()}>${place.name}</a>`}
        </p>
      </div>
      ${!read && html`<button type="button" class="quiet" onClick=${markRead}>Mark as read</button>`}
    </li>
  `;
}

/** How much it matters, in words. @type {Record<string, string>} */
const LEVELS = { info: 'Info', success: 'Success', warning: 'Warning', error: 'Error' };

/** Where what a type of them is about is found. @type {Record<string, { href: string, name: string }>} */
const PLACES = { chatGroup: { href: '/#/chat', name: 'Chat' }, comment: { href: '/#/houseworkers', name: 'Houseworkers' } };

/** Where what it is about is found. @param {Notification} notification */
function placeOf({ type, booking_id: booking, station_name: station }) {
  return booking && station ? { href: `/#/stations/booking/${booking}`, name: station } : PLACES[type];
}

/** When it was, in ms since 1970. @param {Notification} notification */
function timeOf({ timestamp, date: { year, month, day, time } }) {
  if (timestamp) return utc(timestamp);
  const [hours, minutes] = time.split(':').map(Number);
  return Date.UTC(year, month - 1, day, hours, minutes);
}
