// The signed-in user's own bookings: in one line above the list of stations, and all of them on a page.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { link, replace } from '../frame/address.js';
import { Icon } from '../frame/icon.js';
import { Absent, Back, Close } from '../frame/pane.js';
import { whole } from '../frame/times.js';
import { utc } from '../live/clock.js';
import { useWatched } from '../live/watched.js';
import { BookingCard, BookingStatus, batteryWords } from './booking.js';
import { Countdown, momentWords } from './countdown.js';

/**
 * @typedef {import('../live/bookings.js').Booking} Booking
 * @typedef {import('../main.js').App} App
 */

/** What is to be seen to first: what is ready, then what ends first. @param {Booking[]} live */
function first(live) {
  const endOf = (/** @type {Booking} */ { expires_at: at }) => (at === null ? Infinity : utc(at));
  const rank = (/** @type {Booking} */ { status }) => (status === 'ready' ? 0 : 1);
  return [...live].sort((a, b) => rank(a) - rank(b) || endOf(a) - endOf(b))[0];
}

/** The way to them, and the one to see to. @param {{ app: App, isShown: boolean, isNarrow: boolean }} props */
export function MineRow({ app: { bookings, stations }, isShown, isNarrow }) {
  useWatched(bookings);
  const live = bookings.live ?? [];
  const next = first(live);
  return html`
    <a class=${`mine${next ? ' live' : ''}${isNarrow ? ' narrow' : ''}`} href=${link('/#/stations/bookings')} aria-current=${isShown ? 'page' : undefined}>
      <strong>Your bookings</strong>
      ${live.length > 0 && html`<span class="badge">${live.length}</span>`}
      <span class="next">
        ${next
          ? html`<span class="where">${stations.all.get(next.station_id)?.name ?? ''}</span><${BookingStatus} booking=${next} /><${Countdown} expiresAt=${next.expires_at} />`
          : bookings.live && html`<span class="muted">none now</span>`}
      </span>
      <${Icon} name="chevron" />
    </a>
  `;
}

/** The way to them, where the list is not beside it. @param {{ app: App }} props */
export function MineLink({ app: { bookings } }) {
  useWatched(bookings);
  const count = bookings.live?.length ?? 0;
  return html`<a class="button quiet to-mine" href=${link('/#/stations/bookings')}>Your bookings${count > 0 && html` <span class="badge">${count}</span>`}</a>`;
}

/** @param {{ app: App }} props */
export function MinePane({ app }) {
  const { bookings, stations, session, inbox } = app;
  useWatched(bookings, stations, session, inbox);
  const [said, say] = useState('');
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const isUser = session.userId !== '';
  const { live } = bookings;
  return html`
    <article class="entity-page mine-page" aria-labelledby="entity-name">
      <header>
        <${Back} to="/stations" label="Back to all stations" />
        <div class="titles"><h2 id="entity-name" ref=${heading} tabindex="-1">Your bookings</h2></div>
        <${Close} to="/stations" />
      </header>
      ${!isUser && session.kind === 'guest' && html`<p><a class="button" href=${link('/#/sign-in/stations/bookings')}>Sign in to see your bookings</a></p>`}
      ${!isUser && session.kind === 'token' && html`<p class="aside">This token speaks for no user, who could have booked something.</p>`}
      ${isUser && html`<${Wrong} words=${bookings.wrong} />`}
      ${isUser && !live && !bookings.wrong && html`<p class="aside" role="status">Loading</p>`}
      <p class="out-of-sight" role="status">${said}</p>
      ${live?.length === 0 && html`<p class="aside">You have none now. Choose a station to book a battery.</p>`}
      ${live &&
      live.length > 0 &&
      html`
        <ul class="cards">
          ${live.map(
            (booking) => html`
              <${BookingCard}
                key=${booking.id}
                ...${{ app, booking, say }}
                name=${nameOf(app, booking)}
                station=${stations.all.get(booking.station_id)?.name ?? `Station ${booking.station_id}`}
                done=${(/** @type {Booking} */ now) => bookings.put(now)}
                gone=${() => heading.current?.focus()}
              />
            `,
          )}
        </ul>
      `}
      ${isUser && live && html`<${Past} app=${app} />`}
    </article>
  `;
}

/** What the inbox calls the battery, if it still says so. @param {App} app @param {Booking} booking */
const nameOf = ({ inbox }, { id }) => inbox.all.find(({ booking_id: booking, battery_info: info }) => booking === id && info)?.battery_info;

/** Those that have ended. @param {{ app: App }} props */
function Past({ app }) {
  const { bookings, stations, session } = app;
  const { wrong, act } = useAct(session);
  const [isLoading, setLoading] = useState(false);
  const more = async () => {
    setLoading(true);
    await act(bookings.more);
    setLoading(false);
  };
  useEffect(() => {
    if (!bookings.past) more();
  }, []);
  const { past, next } = bookings;
  return html`
    <section class="past" aria-labelledby="past">
      <h3 id="past">Earlier</h3>
      <${Wrong} words=${wrong} />
      ${past?.length === 0 && next === null && html`<p class="aside">There are none yet.</p>`}
      <ul>
        ${past?.map(
          (booking) => html`
            <li key=${booking.id} data-booking-id=${booking.id}>
              <a href=${link(`/#/stations/${booking.station_id}`)}>${stations.all.get(booking.station_id)?.name ?? `Station ${booking.station_id}`}</a>
              <span class="of">${batteryWords(booking, nameOf(app, booking))}</span>
              <${BookingStatus} booking=${booking} />
              <${Ended} app=${app} booking=${booking} />
            </li>
          `,
        )}
      </ul>
      ${(next !== null || (isLoading && !past)) && html`<button type="button" class="quiet more" onClick=${more}>${isLoading ? 'Loading' : 'Show more'}</button>`}
    </section>
  `;
}

/** When it ended, or else began, as far as that is known: by the inbox. @param {{ app: App, booking: Booking }} props */
function Ended({ app: { inbox }, booking: { id, status, expires_at: expiresAt } }) {
  const told = (/** @type {string} */ type) => inbox.all.find((item) => item.booking_id === id && item.type === type)?.timestamp;
  const end = status === 'expired' ? expiresAt : told(`booking_${status}`);
  const at = end ?? told('booking_confirmed');
  if (!at) return html`<span class="when"></span>`;
  return html`<time class="when" dateTime=${new Date(utc(at)).toISOString()} title=${whole(utc(at))}>${end ? '' : 'booked '}${momentWords(at)}</time>`;
}

/** Where a link to a booking leads: the station that it is at. @param {{ app: App, id: number }} props */
export function ToBooking({ app: { session }, id }) {
  const { wrong, act, send } = useAct(session);
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const isKnown = session.kind !== 'unknown';
  useEffect(() => {
    if (!isKnown) return;
    act(async () => {
      const { station_id: station } = await send('GET', `/api/bookings/${id}`);
      replace(`/stations/${station}`);
    });
  }, [isKnown]);
  return html`<${Absent} what="booking" isKnown=${wrong !== ''} heading=${heading} to="/stations" label="Back to all stations" />`;
}
