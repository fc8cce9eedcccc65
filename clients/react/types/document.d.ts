/**
 * What is in a station: at once, not only after the next event. Without an id: what is in the station whose counters
 * were told last.
 *
 * @param {number | string | null} [stationId]
 * @returns {{ inventory: import('@bellwire/client').Inventory | null, isConnected: boolean }}
 */
export function useStationWebSocket(stationId?: number | string | null): {
    inventory: import("@bellwire/client").Inventory | null;
    isConnected: boolean;
};
/**
 * What is told to who is signed in, from now on, the newest last.
 *
 * @returns {Told[]}
 */
export function useUserNotifications(): Told[];
export type Events = import("@bellwire/client").Events;
export type Told = Events[(typeof TYPES)[number]];
/** What the document's hook collects. */
declare const TYPES: readonly ["notification", "booking_confirmed", "booking_ready"];
export {};
