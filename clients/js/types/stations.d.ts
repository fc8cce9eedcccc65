/** What is in a station. @param {Known} station @returns {Inventory} */
export function inventoryOf({ available_batteries: available, booked_batteries: booked, total_batteries: total }: Known): Inventory;
/** A feed of one station, or of all. */
export class Stations extends Watched {
    /**
     * @param {{ get: (path: string) => Promise<any> }} api
     * @param {number | string} [id] the station, also in digits; all, if absent
     * @throws {TypeError} if it is the id of no station
     */
    constructor(api: {
        get: (path: string) => Promise<any>;
    }, id?: number | string);
    /** @type {import('./stream.js').Query} */
    query: import("./stream.js").Query;
    isReplayedWhole: boolean;
    /** By id. What changes is another object then. @type {Map<number, Known>} */
    all: Map<number, Known>;
    /** The station whose counters an event told last. @type {number | undefined} */
    last: number | undefined;
    /** Whether all that there is was told. */
    complete: boolean;
    api: {
        get: (path: string) => Promise<any>;
    };
    id: number | undefined;
    path: string;
    /** Thousands of stations are too many for a snapshot: then they are listed, page by page. */
    asksLess(): boolean;
    /** @param {any} event */
    hear(event: any): void;
    /** Only without a snapshot. @param {(path: string) => Promise<any>} ask */
    list(ask: (path: string) => Promise<any>): Promise<void> | undefined;
    /** @param {boolean} isOver @param {any} error */
    observe(isOver: boolean, error: any): void;
    /** Everything: it may not be for whoever comes next. */
    forget(): void;
    #private;
}
export type Station = import("./resources.js").Station;
/**
 * `status` is `null` of a station that was
 *  heard of and not asked about yet
 */
export type Known = Omit<Station, "status"> & {
    status: Station["status"] | null;
};
export type Inventory = {
    available: number;
    booked: number;
    total: number;
};
import { Watched } from './watched.js';
