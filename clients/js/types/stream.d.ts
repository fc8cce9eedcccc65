/**
 * - `closed`: nobody wants it, as before `start` and after `close`.
 * - `connecting`, `catching-up` (with what was missed, or what there is), `live`.
 * - `offline`: there is no connection, and another try comes at `retryAt`.
 * - `refused`: trying again does not help; `error` says why.
 * - `signed-out`: the credential is no good, or not any more.
 *
 * @typedef {'closed' | 'connecting' | 'catching-up' | 'live' | 'offline' | 'refused' | 'signed-out'} Condition
 *
 * @typedef {Record<string, string>} Query
 *
 * @typedef {(frame: { type: string, [key: string]: unknown }) => Promise<any>} Request sends a frame and gives the reply
 *
 * @typedef {(ask: (path: string) => Promise<any>, request: Request, signal: AbortSignal) => Promise<void> | undefined} List
 *   lists all that there is, beside the events that go on coming; `undefined`: the stream told all. `ask` gets what is at a
 *   path. When the connection breaks `ask` and `request` throw, `signal` is aborted, and another listing follows
 *
 * @typedef {object} StreamOptions
 * @property {string} path the endpoint, e.g. `/ws/stations/`
 * @property {Query | (() => Query)} [query] what it is asked for, besides `since`. With `snapshot: '1'` it is live when
 *   the snapshot came
 * @property {string} [url] the server, e.g. `https://live.example`; in a page its own origin if absent
 * @property {string} [token] the credential; without one and without `getToken` the cookie is
 * @property {import('./credential.js').GetToken} [getToken] gives it, and another one when it was refused
 * @property {import('./credential.js').Showing} [showing] how the token is shown: `ticket` if absent
 * @property {string} [since] a cursor to go on from, of an earlier stream that was whole
 * @property {List} [list] called when what is here is not whole: at first and after each `reset`
 * @property {boolean} [isReplayedWhole] whether after a replay nothing need be listed: true if absent
 * @property {() => boolean} [asksLess] makes `query` smaller after it was refused; whether there was something to leave out
 * @property {RequestCredentials} [credentials] `include` sends the cookie with listings to a server of another origin
 * @property {typeof WebSocket} [WebSocket] where there is no global one, as in Node 20
 * @property {typeof fetch} [fetch]
 *
 * @typedef {import('./frames.js').Heard} Heard
 */
export class Stream extends Watched {
    /** @param {StreamOptions} options */
    constructor({ url, token, getToken, since, ...options }: StreamOptions);
    /** @type {Condition} */
    condition: Condition;
    /** Why it is offline, refused or signed out; may be empty. */
    why: string;
    /** Why it is refused or signed out; offline, if something was thrown. @type {Error | null} */
    error: Error | null;
    /** When it is tried again, in ms since 1970; 0: not. */
    retryAt: number;
    /** Where the server's log goes on, after what was heard last. @type {string | undefined} */
    cursor: string | undefined;
    /** Whether everything is here up to `cursor`: then a break can be made up for. */
    isWhole: boolean;
    /** Whether what it brought is true now. */
    get isLive(): boolean;
    /** Connects, unless it has begun to; after `close` it goes on from where it was. */
    start(): void;
    /** Ends, until it is started again. */
    close(): void;
    /** Begins anew, for somebody else: nothing of before is made up for, or sent on. */
    forget(): void;
    /** Connects now, whatever it waited for. */
    connect(): void;
    /**
     * Calls `listener` with each event of this type until the function that is returned is called. `'*'` are all events;
     * `resumed` and `reset` say how a connection begins, `error` is what the server refused that was no call.
     *
     * @template {keyof Heard} K
     * @overload
     * @param {K} type
     * @param {(event: Heard[K]) => void} listener
     * @returns {() => void}
     */
    on<K extends keyof Heard>(type: K, listener: (event: Heard[K]) => void): () => void;
    /**
     * @overload
     * @param {string} type
     * @param {(event: any) => void} listener
     * @returns {() => void}
     */
    on(type: string, listener: (event: any) => void): () => void;
    /**
     * Asks for something to be done, or for something to be told, and gives the reply's `data`.
     *
     * With `retry` a call that was lost is sent again over the next connection, within `timeoutMs` (60 s): with the same
     * key, so that it is done once. That holds for one token: if the next connection shows another one, a call that was
     * sent is `Lost`, and only those that never were are sent. Cookies cannot be told apart: when somebody else signs in,
     * call `forget`.
     *
     * @param {string} name e.g. `stations.book`
     * @param {object} [fields]
     * @param {{ retry?: boolean, timeoutMs?: number, idempotencyKey?: string, signal?: AbortSignal }} [options]
     *   `idempotencyKey`: one of an earlier call, to repeat that
     * @returns {Promise<any>}
     * @throws {Refused} if the server says no, {@link Lost} if no reply came
     */
    call(name: string, fields?: object, { retry, timeoutMs, idempotencyKey, signal }?: {
        retry?: boolean;
        timeoutMs?: number;
        idempotencyKey?: string;
        signal?: AbortSignal;
    }): Promise<any>;
    /**
     * Sends a frame as it is, with an `id`, and gives the whole reply.
     *
     * @type {Request}
     * @throws {Refused} if the server says no, {@link Lost} if no reply came
     */
    request: Request;
    /** Sends what needs no reply, if it can be sent. @param {object} frame */
    send(frame: object): boolean;
    #private;
}
/** In these no connection comes by itself. @type {Condition[]} */
export const OVER: Condition[];
/**
 * - `closed`: nobody wants it, as before `start` and after `close`.
 * - `connecting`, `catching-up` (with what was missed, or what there is), `live`.
 * - `offline`: there is no connection, and another try comes at `retryAt`.
 * - `refused`: trying again does not help; `error` says why.
 * - `signed-out`: the credential is no good, or not any more.
 */
export type Condition = "closed" | "connecting" | "catching-up" | "live" | "offline" | "refused" | "signed-out";
/**
 * - `closed`: nobody wants it, as before `start` and after `close`.
 * - `connecting`, `catching-up` (with what was missed, or what there is), `live`.
 * - `offline`: there is no connection, and another try comes at `retryAt`.
 * - `refused`: trying again does not help; `error` says why.
 * - `signed-out`: the credential is no good, or not any more.
 */
export type Query = Record<string, string>;
/**
 * sends a frame and gives the reply
 */
export type Request = (frame: {
    type: string;
    [key: string]: unknown;
}) => Promise<any>;
/**
 * lists all that there is, beside the events that go on coming; `undefined`: the stream told all. `ask` gets what is at a
 * path. When the connection breaks `ask` and `request` throw, `signal` is aborted, and another listing follows
 */
export type List = (ask: (path: string) => Promise<any>, request: Request, signal: AbortSignal) => Promise<void> | undefined;
/**
 * - `closed`: nobody wants it, as before `start` and after `close`.
 * - `connecting`, `catching-up` (with what was missed, or what there is), `live`.
 * - `offline`: there is no connection, and another try comes at `retryAt`.
 * - `refused`: trying again does not help; `error` says why.
 * - `signed-out`: the credential is no good, or not any more.
 */
export type StreamOptions = {
    /**
     * the endpoint, e.g. `/ws/stations/`
     */
    path: string;
    /**
     * what it is asked for, besides `since`. With `snapshot: '1'` it is live when
     * the snapshot came
     */
    query?: Query | (() => Query) | undefined;
    /**
     * the server, e.g. `https://live.example`; in a page its own origin if absent
     */
    url?: string | undefined;
    /**
     * the credential; without one and without `getToken` the cookie is
     */
    token?: string | undefined;
    /**
     * gives it, and another one when it was refused
     */
    getToken?: import("./credential.js").GetToken | undefined;
    /**
     * how the token is shown: `ticket` if absent
     */
    showing?: import("./credential.js").Showing | undefined;
    /**
     * a cursor to go on from, of an earlier stream that was whole
     */
    since?: string | undefined;
    /**
     * called when what is here is not whole: at first and after each `reset`
     */
    list?: List | undefined;
    /**
     * whether after a replay nothing need be listed: true if absent
     */
    isReplayedWhole?: boolean | undefined;
    /**
     * makes `query` smaller after it was refused; whether there was something to leave out
     */
    asksLess?: (() => boolean) | undefined;
    /**
     * `include` sends the cookie with listings to a server of another origin
     */
    credentials?: RequestCredentials | undefined;
    /**
     * where there is no global one, as in Node 20
     */
    WebSocket?: {
        new (url: string | URL, protocols?: string | string[]): WebSocket;
        prototype: WebSocket;
        readonly CONNECTING: 0;
        readonly OPEN: 1;
        readonly CLOSING: 2;
        readonly CLOSED: 3;
    } | undefined;
    fetch?: typeof fetch | undefined;
};
/**
 * - `closed`: nobody wants it, as before `start` and after `close`.
 * - `connecting`, `catching-up` (with what was missed, or what there is), `live`.
 * - `offline`: there is no connection, and another try comes at `retryAt`.
 * - `refused`: trying again does not help; `error` says why.
 * - `signed-out`: the credential is no good, or not any more.
 */
export type Heard = import("./frames.js").Heard;
import { Watched } from './watched.js';
