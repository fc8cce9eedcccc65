/**
 * A station, live: counters are there at once, and after a break it goes on from where it was. Without an id: all stations.
 * One that is gone, or that cannot be, has no counters, and a `Refused` of status 404 says so.
 *
 * @param {number | string | null} [stationId] a text of digits as an address has it, too
 * @returns {ShownStation}
 */
export function useStation(stationId?: number | string | null): ShownStation;
export type Station = import("@bellwire/client").KnownStation;
export type ShownStation = {
    /**
     * counters: of the station, or of all together; `null`
     * until they are known
     */
    inventory: import("@bellwire/client").Inventory | null;
    /**
     * the station; `null` until it is known, if there is none, and for all
     */
    station: Station | null;
    /**
     * those that are shown, by id
     */
    stations: Station[];
    /**
     * of the station
     */
    status: Station["status"];
    /**
     * whether what is shown is true now
     */
    isConnected: boolean;
    /**
     * of the connection
     */
    condition: import("@bellwire/client").Condition;
    /**
     * why there is none, e.g. a `Refused` of status 404: no such station
     */
    error: Error | null;
    /**
     * of the station whose counters an event
     * told last
     */
    told: import("@bellwire/client").Inventory | null;
};
