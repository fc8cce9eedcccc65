// The page of one station: how many batteries it has, one's bookings there, its batteries; and, for staff, all that is
// booked there, and how it is run.

import { html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { link } from '../frame/address.js';
import { Absent, Back, Close } from '../frame/pane.js';
import { AtStation, infoOf } from '../live/at-station.js';
import { useWatched } from '../live/watched.js';
import { Batteries } from './batteries.js';
import { BookingCard } from './booking.js';
import { useChange } from './change.js';
import { DeleteStation, Rename, SetStatus } from './manage.js';
import { MineLink } from './mine.js';
import { Act, COUNTS, Counted, Meter, NAMES, StatusLabel, changeOf } from './parts.js';
import { whoOf, useNames } from './who.js';

/** So many bookings are shown until one asks for more. */
const SHOWN = 50;
/** So long it says that it is booked, and the next booking waits, in ms. */
const BOOKED_MS = 1_500;

/**
 * @typedef {import('../live/stations.js').Station} Station
 * @typedef {import('../live/bookings.js').Booking} Booking
 * @typedef {import('../main.js').App} App
 */

/** @param {{ app: App, id: number }} props */
export function StationPane({ app, id }) {
  const { stations, bookings, session } = app;
  const at = useAt(app, id);
  useWatched(stations, at, bookings, session);
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const [said, say] = useState('');
  const { wrong, busy, change } = useChange(session, bookings);
  const [booked, setBooked] = useState('');
  const [tried, setTried] = useState('');
  const station = stations.all.get(id);
  if (!station) return html`<${Absent} what="station" isKnown=${stations.complete} heading=${heading} to="/stations" label="Back to all stations" />`;

  const mine = bookings.at(id);
  // Why one could not book does not hold any more when that has changed.
  const holds = `${station.status} ${mine.length}`;
  /** @param {import('../live/at-station.js').Battery} [battery] any, if none is named */
  const book = (battery) => {
    const what = battery ? `book-${battery.id}` : 'book';
    if (booked === what) return;
    setTried(holds);
    change(what, async (send) => {
      const made = await send('POST', `/api/stations/${id}/bookings`, battery ? { battery_id: battery.id } : {});
      bookings.put(made);
      say(`Battery ${made.battery_id} is booked`);
      setBooked(what);
      setTimeout(() => setBooked(''), BOOKED_MS);
    });
  };
  const mayBook = session.userId !== '' && station.status === 'online';
  return html`
    <article class="entity-page station-page" aria-labelledby="entity-name" data-station=${id}>
      <header>
        <${Back} to="/stations" label="Back to all stations" />
        <div class="titles">
          <h2 id="entity-name" ref=${heading} tabindex="-1">${station.name}</h2>
          <p class="of"><${StatusLabel} status=${station.status} /> <span class="muted">Station ${id}</span></p>
        </div>
        ${session.userId && html`<${MineLink} app=${app} />`}
        <${Close} to="/stations" />
      </header>
      <${Counters} station=${station} />
      <div class="book">
        <${Offer} app=${app} station=${station} busy=${busy} isBooked=${booked === 'book'} book=${() => book()} />
        <${Wrong} words=${tried === holds ? wrong : ''} />
      </div>
      <p class="out-of-sight" role="status">${said}</p>
      ${stations.isStaff && html`<${SetStatus} app=${app} station=${station} />`}
      <${BookingsHere} app=${app} at=${at} station=${station} say=${say} heading=${heading} />
      <${Batteries} ...${{ app, at, station, mayBook, busy, book, say }} own=${new Set(mine.map(({ battery_id: battery }) => battery))} />
      ${session.role === 'admin' && html`<${Rename} app=${app} station=${station} /><${DeleteStation} app=${app} station=${station} />`}
    </article>
  `;
}

/** What is at the station, looked at again whenever something may have been missed. @param {App} app @param {number} id */
function useAt({ session, stations }, id) {
  const at = useMemo(() => new AtStation(session, stations, id), [id]);
  useEffect(() => at.start(), [at]);
  const isLive = stations.connection.condition === 'live';
  const { listings, isStaff } = stations;
  useEffect(() => {
    if (isLive) at.look();
  }, [at, isLive, listings, isStaff]);
  return at;
}

/** How many there are. @param {{ station: Station }} props */
function Counters({ station }) {
  return html`
    <div class="now counts">
      <dl>
        ${COUNTS.map((what) => {
          const change = changeOf(station, what);
          return html`
            <div key=${what} class=${what}>
              <dt>${NAMES[what]}</dt>
              <dd>
                <${Counted} station=${station} what=${what} />
                ${change !== 0 && html`<i key=${station.changes} class="by" aria-hidden="true">${change > 0 ? '+' : '−'}${Math.abs(change)}</i>`}
              </dd>
            </div>
          `;
        })}
      </dl>
      <${Meter} counts=${station.counts} />
    </div>
  `;
}

const CLOSED = { offline: 'It takes no bookings: it is offline.', maintenance: 'It takes no bookings: it is under maintenance.' };

/**
 * The way to a battery, by who one is and what there is.
 *
 * @param {{ app: App, station: Station, busy: string, isBooked: boolean, book: () => void }} props
 */
function Offer({ app: { session }, station: { id, status, counts }, busy, isBooked, book }) {
  if (session.kind === 'guest') {
    return html`<p><a class="button" href=${link(`/#/sign-in/stations/${id}`)}>Sign in to book a battery</a></p>`;
  }
  if (status !== 'online') return html`<p class="muted">${CLOSED[status]}</p>`;
  if (!session.userId) return null;
  const isEmpty = counts.available === 0;
  return html`
    <${Act} what="book" busy=${busy} class=${`primary${isBooked ? ' done' : ''}`} isOff=${isEmpty} work=${book}>${isBooked ? 'Booked' : 'Book a battery'}</${Act}>
    ${isEmpty && html`<p class="muted">None is available now.</p>`}
  `;
}

/**
 * One's own bookings at the station, or all of them, for staff.
 *
 * @param {{ app: App, at: AtStation, station: Station, say: (words: string) => void, heading: { current: HTMLElement | null } }} props
 */
function BookingsHere({ app, at, station, say, heading }) {
  const { stations, bookings, session } = app;
  const [shown, setShown] = useState(SHOWN);
  const own = bookings.at(station.id);
  const all = stations.isStaff ? joined(own, at.bookings ?? []) : own;
  const names = useNames(session, all);
  const title = useRef(/** @type {HTMLElement | null} */ (null));
  if (all.length === 0 && !stations.isStaff) return html`<${Wrong} words=${bookings.wrong} />`;
  const done = (/** @type {Booking} */ booking) => {
    bookings.put(booking);
    at.lookAtBookings();
  };
  const gone = () => (title.current ?? heading.current)?.focus();
  return html`
    <section class="bookings-here" aria-labelledby="bookings-here">
      <header><h3 id="bookings-here" tabindex="-1" ref=${title}>${stations.isStaff ? `Bookings here` : 'Your bookings here'} <span class="count">${all.length.toLocaleString()}</span></h3></header>
      ${all.length === 0 && html`<p class="aside">Nothing is booked.</p>`}
      <ul class="cards">
        ${all.slice(0, shown).map(
          (booking) => html`
            <${BookingCard}
              key=${booking.id}
              ...${{ app, booking, done, say, gone }}
              name=${at.nameOf(booking.battery_id)}
              who=${whoOf(booking, session, names, at.bookedBy)}
            />
          `,
        )}
      </ul>
      ${all.length > shown && html`<button type="button" class="quiet" onClick=${() => setShown(shown + SHOWN)}>Show more</button>`}
    </section>
  `;
}

/** One's own come first; what is known of them is the newest. @param {Booking[]} own @param {Booking[]} all */
function joined(own, all) {
  const ids = new Set(own.map(({ id }) => id));
  return [...own, ...all.filter(({ id }) => !ids.has(id))];
}
