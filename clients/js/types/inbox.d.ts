/** A feed of the caller's own notifications. */
export class Inbox extends Watched {
    /** @param {{ ask: (path: string, options?: { method?: string, body?: object }) => Promise<any> }} api */
    constructor(api: {
        ask: (path: string, options?: {
            method?: string;
            body?: object;
        }) => Promise<any>;
    });
    path: string;
    /** @type {import('./stream.js').Query} */
    query: import("./stream.js").Query;
    /** What is told has no id, and is not all that is shown of it. */
    isReplayedWhole: boolean;
    /** The newest first. @type {InboxItem[]} */
    all: InboxItem[];
    /** What asks for more; `null`: there are no more. @type {string | null} */
    next: string | null;
    /** Whether the inbox was read, and holds what was told since. */
    complete: boolean;
    /** Changes when it was read anew. */
    listings: number;
    api: {
        ask: (path: string, options?: {
            method?: string;
            body?: object;
        }) => Promise<any>;
    };
    /** How many of those here were not read. */
    get unread(): number;
    /** Whatever is durable there is in the inbox, too. @param {{ cursor?: string }} event */
    hear({ cursor }: {
        cursor?: string;
    }): void;
    /** Nothing is read while no connection comes: with the next one all is listed. @param {boolean} isOver */
    observe(isOver: boolean): void;
    /**
     * The first page anew; those after it stay, if it reaches to them.
     *
     * @param {(path: string) => Promise<any>} ask
     */
    list(ask: (path: string) => Promise<any>): Promise<void>;
    /** One more page. */
    more(): Promise<void>;
    /** Marks some read, or all. @param {number[] | 'all'} which */
    markRead(which: number[] | "all"): Promise<void>;
    /** Everything: it may not be for whoever comes next. */
    forget(): void;
    #private;
}
export type InboxItem = import("./resources.js").InboxItem;
import { Watched } from './watched.js';
