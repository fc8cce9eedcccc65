// The hooks of document 004, "WebSocket API Documentation", by their names and with what they return. What they show
// outlives breaks, which it does not in the document.

import { useMemo, useSyncExternalStore } from 'react';
import { Stream, Watched } from '@bellwire/client';
import { useBellwire } from './provider.js';
import { useStation } from './station.js';

/** The most that a list holds: then the oldest go. */
const EVENTS_MAX = 1_000;

/** What the document's hook collects. */
const TYPES = /** @type {const} */ (['notification', 'booking_confirmed', 'booking_ready']);

/**
 * @typedef {import('@bellwire/client').Events} Events
 * @typedef {Events[typeof TYPES[number]]} Told
 */

/** @type {Told[]} */
const NONE = [];

/**
 * What is in a station: at once, not only after the next event. Without an id: what is in the station whose counters
 * were told last.
 *
 * @param {number | string | null} [stationId]
 * @returns {{ inventory: import('@bellwire/client').Inventory | null, isConnected: boolean }}
 */
export function useStationWebSocket(stationId) {
  // As in the document 0 and '' are none, too.
  const id = stationId || undefined;
  const { inventory, told, isConnected } = useStation(id);
  return useMemo(() => ({ inventory: id ? inventory : told, isConnected }), [id, inventory, told, isConnected]);
}

/**
 * What is told to who is signed in, from now on, the newest last.
 *
 * @returns {Told[]}
 */
export function useUserNotifications() {
  const bellwire = useBellwire();
  const shared = bellwire.shared('told', {
    begin() {
      const stream = new Stream({ ...bellwire.connection, path: '/ws/notifications/' });
      const feed = Object.assign(new Watched(), { events: NONE });
      for (const type of TYPES) {
        stream.on(type, ({ cursor: _, ...event }) => {
          feed.events = [...feed.events, /** @type {Told} */ (event)].slice(-EVENTS_MAX);
          feed.tell();
        });
      }
      return { feed, stream };
    },
    show: ({ feed }) => feed.events,
    initial: NONE,
  });
  return useSyncExternalStore(shared.subscribe, shared.current, shared.initial);
}
