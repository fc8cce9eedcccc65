/**
 * @typedef {object} ApiOptions
 * @property {string} [url] the server, e.g. `https://live.example`; in a page its own origin if absent
 * @property {string} [token] the credential; without one and without `getToken` the cookie is
 * @property {import('./credential.js').GetToken} [getToken] gives it, and another one when it was refused
 * @property {RequestCredentials} [credentials] `include` sends the cookie to a server of another origin
 * @property {typeof fetch} [fetch]
 */
/** Requests of one caller. */
export class Api {
    /** @param {ApiOptions} [options] */
    constructor({ url, token, getToken, ...options }?: ApiOptions);
    /** @param {string} path @param {Asking} [options] @returns {Promise<any>} */
    get: (path: string, options?: Asking) => Promise<any>;
    /** @param {string} path @param {object} [body] @param {Asking} [options] @returns {Promise<any>} */
    post: (path: string, body?: object, options?: Asking) => Promise<any>;
    /** @param {string} path @param {object} body @param {Asking} [options] @returns {Promise<any>} */
    patch: (path: string, body: object, options?: Asking) => Promise<any>;
    /** @param {string} path @param {object} body @param {Asking} [options] @returns {Promise<any>} */
    put: (path: string, body: object, options?: Asking) => Promise<any>;
    /** @param {string} path @param {Asking} [options] @returns {Promise<any>} */
    delete: (path: string, options?: Asking) => Promise<any>;
    /**
     * The items of a list, asked for page by page as they are taken.
     *
     * @param {string} path
     * @param {Asking & { limit?: number }} [options] `limit`: items of a page
     * @returns {AsyncGenerator<any>}
     */
    list(path: string, { limit, ...options }?: Asking & {
        limit?: number;
    }): AsyncGenerator<any>;
    /**
     * Asks. A token that was refused is asked for anew, once.
     *
     * @param {string} path
     * @param {Asking} [options]
     * @returns {Promise<any>}
     * @throws {Refused} if the server says no, and whatever `fetch` throws if it cannot be reached
     */
    ask: (path: string, options?: Asking) => Promise<any>;
    #private;
}
export type Asking = import("./http.js").Asking;
export type ApiOptions = {
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
     * `include` sends the cookie to a server of another origin
     */
    credentials?: RequestCredentials | undefined;
    fetch?: typeof fetch | undefined;
};
