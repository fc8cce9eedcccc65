/**
 * @typedef {object} Asking
 * @property {string} [method]
 * @property {object} [body]
 * @property {string | null} [token]
 * @property {AbortSignal} [signal]
 * @property {number} [timeoutMs] how long it may take
 * @property {RequestCredentials} [credentials] whether the cookie goes with it
 * @property {string} [idempotencyKey] a change that is asked for again with the same key is done once
 * @property {typeof fetch} [fetch]
 */
/**
 * Asks and gives the JSON of the answer, `null` if it has none.
 *
 * @param {string | URL} place
 * @param {Asking} [options]
 * @returns {Promise<any>}
 * @throws {Refused} if the server says no, and whatever `fetch` throws if it cannot be reached
 */
export function ask(place: string | URL, { method, body, token, credentials, idempotencyKey, ...options }?: Asking): Promise<any>;
/**
 * The pages of a list, one after the other.
 *
 * @param {(path: string) => Promise<any>} ask
 * @param {string} path of the list, without `limit` and `cursor`
 * @param {number} [limit] items of a page
 * @returns {AsyncGenerator<any[]>} the items of each page
 */
export function pages(ask: (path: string) => Promise<any>, path: string, limit?: number): AsyncGenerator<any[]>;
export type Asking = {
    method?: string | undefined;
    body?: object | undefined;
    token?: string | null | undefined;
    signal?: AbortSignal | undefined;
    /**
     * how long it may take
     */
    timeoutMs?: number | undefined;
    /**
     * whether the cookie goes with it
     */
    credentials?: RequestCredentials | undefined;
    /**
     * a change that is asked for again with the same key is done once
     */
    idempotencyKey?: string | undefined;
    fetch?: typeof globalThis.fetch | undefined;
};
