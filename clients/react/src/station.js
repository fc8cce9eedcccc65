// What is in a station, or in all.

import { useSyncExternalStore } from 'react';
import { Refused, Stations, follow, inventoryOf } from '@bellwire/client';
import { useBellwire } from './provider.js';

/**
 * @typedef {import('@bellwire/client').KnownStation} Station
 *
 * @typedef {object} ShownStation
 * @property {import('@bellwire/client').Inventory | null} inventory counters: of the station, or of all together; `null`
 *   until they are known
 * @property {Station | null} station the station; `null` until it is known, if there is none, and for all
 * @property {Station[]} stations those that are shown, by id
 * @property {Station['status']} status of the station
 * @property {boolean} isConnected whether what is shown is true now
 * @property {import('@bellwire/client').Condition} condition of the connection
 * @property {Error | null} error why there is none, e.g. a `Refused` of status 404: no such station
 * @property {import('@bellwire/client').Inventory | null} told of the station whose counters an event
 *   told last
 */

/** @type {ShownStation} */
const NOTHING = {
  inventory: null,
  station: null,
  stations: [],
  status: null,
  isConnected: false,
  condition: 'connecting',
  error: null,
  told: null,
};

/** What no station can be called is not asked for. @type {ShownStation} */
const ABSENT = { ...NOTHING, condition: 'refused', error: new Refused(404, 'this is the id of no station', { code: 'NOT_FOUND' }) };
const NOWHERE = { subscribe: () => () => {}, current: () => ABSENT, initial: () => ABSENT };

/**
 * A station, live: counters are there at once, and after a break it goes on from where it was. Without an id: all stations.
 * One that is gone, or that cannot be, has no counters, and a `Refused` of status 404 says so.
 *
 * @param {number | string | null} [stationId] a text of digits as an address has it, too
 * @returns {ShownStation}
 */
export function useStation(stationId) {
  const bellwire = useBellwire();
  const id = stationId === undefined || stationId === null || stationId === '' ? undefined : Number(stationId);
  const shared = () =>
    bellwire.shared(`station ${id ?? 'all'}`, {
      begin() {
        const feed = new Stations(bellwire.api, id);
        return { feed, stream: follow(feed, bellwire.connection) };
      },
      show: ({ feed, stream }) => shown(feed, stream, id),
      initial: NOTHING,
    });
  const { subscribe, current, initial } = id === undefined || (Number.isSafeInteger(id) && id > 0) ? shared() : NOWHERE;
  return useSyncExternalStore(subscribe, current, initial);
}

/**
 * @param {Stations} feed
 * @param {import('@bellwire/client').Stream} stream
 * @param {number | undefined} id
 * @returns {ShownStation}
 */
function shown(feed, { condition, error, isLive }, id) {
  const stations = [...feed.all.values()].sort((a, b) => a.id - b.id);
  const station = id === undefined ? null : (feed.all.get(id) ?? null);
  const last = feed.last === undefined ? undefined : feed.all.get(feed.last);
  return {
    inventory: id === undefined ? together(feed, stations) : station && inventoryOf(station),
    station,
    stations,
    status: station?.status ?? null,
    isConnected: isLive,
    condition,
    error,
    told: last ? inventoryOf(last) : null,
  };
}

/** @param {Stations} feed @param {Station[]} stations */
function together(feed, stations) {
  if (!feed.complete) return null;
  const all = { available: 0, booked: 0, total: 0 };
  for (const { available, booked, total } of stations.map(inventoryOf)) {
    all.available += available;
    all.booked += booked;
    all.total += total;
  }
  return all;
}
