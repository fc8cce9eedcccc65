// A booking: what is booked, how long it is held, and what may be made of it.

import { html, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { link } from '../frame/address.js';
import { Confirm } from '../frame/confirm.js';
import { useChange } from './change.js';
import { Countdown, momentWords } from './countdown.js';
import { Act } from './parts.js';

/**
 * @typedef {import('../live/bookings.js').Booking} Booking
 * @typedef {import('../main.js').App} App
 */

/** @type {Record<import('../live/bookings.js').Status, string>} */
const WORDS = { confirmed: 'Booked', ready: 'Ready to collect', collected: 'Collected', cancelled: 'Cancelled', expired: 'Expired' };

/** @param {{ booking: Booking }} props */
export function BookingStatus({ booking: { status } }) {
  return html`<span class=${`booking-status ${status}`}>${WORDS[status] ?? status}</span>`;
}

/** What a battery is called. @param {{ battery_id: number }} booking @param {string | undefined} name */
export const batteryWords = ({ battery_id: id }, name) => name ?? `Battery ${id}`;

/**
 * One that is live, with what its owner, or staff, does with it.
 *
 * @param {{ app: App, booking: Booking, name?: string, who?: string, station?: string, done: (booking: Booking) => void,
 *   say: (words: string) => void, gone: () => void }} props `name` of the battery, `who` booked it, if that is somebody else;
 *   `station`, where it is not that of the page; `done`: what it is now; `gone`: it had the focus, and is there no more
 */
export function BookingCard({ app, booking, name, who, station, done, say, gone }) {
  const { id, station_id: stationId, battery_id: batteryId, status, expires_at: expiresAt } = booking;
  const { wrong, busy, change } = useChange(app.session);
  const [isAsked, setAsked] = useState(false);
  const { isStaff } = app.stations;
  const post = (/** @type {'ready' | 'collect'} */ what) =>
    change(what, async (send) => {
      const now = await send('POST', `/api/bookings/${id}/${what}`, {});
      say(what === 'ready' ? `Battery ${batteryId} is marked as ready` : `Battery ${batteryId} is collected`);
      done(now);
      if (what === 'collect') gone();
    });
  const cancel = async (/** @type {import('../frame/act.js').Send} */ send) => {
    await send('DELETE', `/api/bookings/${id}`);
    say(`The booking of battery ${batteryId} is cancelled`);
    done({ ...booking, status: 'cancelled' });
  };
  return html`
    <li class=${`card booking ${status}`} data-booking-id=${id} data-battery-id=${batteryId}>
      <div class="what">
        <h4>${station ? html`<a href=${link(`/#/stations/${stationId}`)}>${station}</a>` : batteryWords(booking, name)}</h4>
        <p class="of">
          ${station && html`<span>${batteryWords(booking, name)}</span>`}
          ${(station === undefined || name) && html`<span>Number ${batteryId}</span>`}
          ${(who || (isStaff && !station)) && html`<span class="who-booked">${who ?? 'you'}</span>`}
        </p>
      </div>
      <div class="until">
        <${BookingStatus} booking=${booking} />
        <p><${Countdown} expiresAt=${expiresAt} />${expiresAt !== null && html`<span class="at">, until ${momentWords(expiresAt)}</span>`}</p>
      </div>
      <div class="buttons">
        ${isStaff && status === 'confirmed' && html`<${Act} what="ready" busy=${busy} label=${`Mark battery ${batteryId} as ready`} work=${() => post('ready')}>Mark as ready</${Act}>`}
        <${Act} what="collect" busy=${busy} class=${status === 'ready' && !who ? 'primary' : ''} label=${`Collect battery ${batteryId}`} work=${() => post('collect')}>Collect</${Act}>
        <${Act} what="cancel" busy=${busy} class="quiet" label=${`Cancel the booking of battery ${batteryId}`} work=${() => setAsked(true)}>Cancel</${Act}>
      </div>
      <${Wrong} words=${wrong} />
      ${isAsked &&
      html`
        <${Confirm} title="Cancel the booking?" verb="Cancel it" leave="Keep it" session=${app.session} work=${cancel} close=${() => setAsked(false)} done=${gone}>
          <p>${who ? `Battery ${batteryId} is free again, and ${who} is told so.` : `Battery ${batteryId} is free again, and others may book it.`}</p>
        </${Confirm}>
      `}
    </li>
  `;
}
