// Who booked what, for staff.

import { useEffect, useState } from '../vendor/htm-preact.js';
import { ask } from '../live/api.js';

/** So many are asked for at once. */
const ASKED_MAX = 50;

/**
 * @typedef {import('../live/bookings.js').Booking} Booking
 * @typedef {import('../live/session.js').Session} Session
 */

/** What users are called, which admins may know. @param {Session} session @param {Booking[]} bookings */
export function useNames(session, bookings) {
  const [names, setNames] = useState(/** @type {Map<string, string>} */ (new Map()));
  const unknown = [...new Set(bookings.map(({ user_id: id }) => id))].filter((id) => id !== session.userId && !names.has(id)).slice(0, ASKED_MAX);
  const isAdmin = session.role === 'admin';
  useEffect(() => {
    if (!isAdmin || unknown.length === 0) return;
    const named = unknown.map((id) =>
      ask(`/api/users/${id}`, { token: session.token }).then(
        ({ username }) => /** @type {const} */ ([id, String(username)]),
        () => /** @type {const} */ ([id, '']), // Then it is their number.
      ),
    );
    Promise.all(named).then((told) => setNames((before) => new Map([...before, ...told])));
  }, [isAdmin, unknown.join()]);
  return names;
}

/**
 * Who booked it; absent if it was oneself.
 *
 * @param {Booking} booking
 * @param {Session} session
 * @param {Map<string, string>} names
 * @param {Map<number, string>} bookedBy by battery, as it was told
 */
export function whoOf({ user_id: id, battery_id: battery }, session, names, bookedBy) {
  if (id === session.userId) return undefined;
  return names.get(id) || bookedBy.get(battery) || `User ${id}`;
}
