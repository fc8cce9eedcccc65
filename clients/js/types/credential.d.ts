/**
 * What a connection's URL says of a token, and what its first message has to say.
 *
 * @param {string | null} token
 * @param {Showing} showing
 * @param {{ url: string, fetch?: typeof fetch, signal: AbortSignal }} how
 * @returns {Promise<{ query: Record<string, string>, first?: string }>}
 */
export function shown(token: string | null, showing: Showing, { url, fetch, signal }: {
    url: string;
    fetch?: typeof globalThis.fetch;
    signal: AbortSignal;
}): Promise<{
    query: Record<string, string>;
    first?: string;
}>;
/**
 * Gives the token to show; `null` or nothing: the cookie. It is asked before each connection and each request, so it may
 * look whether the one that it has is still good. `isRefused`: the server refused the one that it gave last, and said
 * `why`. Where nobody is signed in it throws a `Refused` of status 401.
 *
 * @typedef {(about: { isRefused: boolean, why: string }) => string | null | undefined | Promise<string | null | undefined>} GetToken
 */
/**
 * How a connection shows a token. `ticket`: by one that stands for it, once, so that no URL holds a credential. `message`:
 * by its first message, where the server takes that (`/api/ws` and `/`). `query`: in the URL, where logs of proxies may
 * have it.
 *
 * @typedef {'ticket' | 'message' | 'query'} Showing
 */
export class Credential {
    /** @param {{ token?: string, getToken?: GetToken }} of */
    constructor({ token, getToken }: {
        token?: string;
        getToken?: GetToken;
    });
    /** What was given last. @type {string | null} */
    given: string | null;
    canRenew: boolean;
    /** The token to show; `null`: none, but a cookie. */
    now(isRefused?: boolean, why?: string): Promise<string | null>;
    /**
     * Another one than `refused`; `undefined` if there is none. For who shows no token it is worth another try: another
     * cookie may be there by now.
     *
     * @param {string} why
     * @param {string | null} refused
     */
    renewed(why: string, refused?: string | null): Promise<string | null | undefined>;
    #private;
}
/**
 * Gives the token to show; `null` or nothing: the cookie. It is asked before each connection and each request, so it may
 * look whether the one that it has is still good. `isRefused`: the server refused the one that it gave last, and said
 * `why`. Where nobody is signed in it throws a `Refused` of status 401.
 */
export type GetToken = (about: {
    isRefused: boolean;
    why: string;
}) => string | null | undefined | Promise<string | null | undefined>;
/**
 * How a connection shows a token. `ticket`: by one that stands for it, once, so that no URL holds a credential. `message`:
 * by its first message, where the server takes that (`/api/ws` and `/`). `query`: in the URL, where logs of proxies may
 * have it.
 */
export type Showing = "ticket" | "message" | "query";
