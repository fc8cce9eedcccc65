/**
 * @typedef {object} Call
 * @property {string} text as it is sent
 * @property {boolean} repeats whether it may be sent again
 * @property {(reply: any) => void} resolve
 * @property {(error: unknown) => void} reject
 * @property {string} [idempotencyKey]
 * @property {string | null} [sentAs] the token under which it was sent, `null`: the cookie; `undefined`: it was not yet
 */
export class Calls {
    /** @param {(text: string) => boolean} send sends, and says whether it could */
    constructor(send: (text: string) => boolean);
    send: (text: string) => boolean;
    /**
     * Sends a request and gives its reply.
     *
     * @param {{ type: string, idempotency_key?: string, [key: string]: unknown }} frame
     * @param {{ repeats?: boolean, timeoutMs?: number, signal?: AbortSignal }} [options]
     * @returns {Promise<any>}
     */
    make(frame: {
        type: string;
        idempotency_key?: string;
        [key: string]: unknown;
    }, { repeats, timeoutMs, signal }?: {
        repeats?: boolean;
        timeoutMs?: number;
        signal?: AbortSignal;
    }): Promise<any>;
    /** Whether a message answers a request. @param {any} message */
    answer({ id, type, ...reply }: any): boolean;
    /** The connection is gone; what may be repeated waits for the next one. @param {string} why */
    lost(why: string): void;
    /**
     * There is a connection again: what waits is sent, in its order. The server keeps the keys of each user by themselves,
     * and those of each token with scopes of its own: under another one a call that was done already might be done once more,
     * and for somebody else.
     *
     * @param {string | null} as the token that the connection shows; `null`: the cookie
     */
    repeat(as: string | null): void;
    /** There will be no connection. @param {string} why */
    end(why: string): void;
    #private;
}
export type Call = {
    /**
     * as it is sent
     */
    text: string;
    /**
     * whether it may be sent again
     */
    repeats: boolean;
    resolve: (reply: any) => void;
    reject: (error: unknown) => void;
    idempotencyKey?: string | undefined;
    /**
     * the token under which it was sent, `null`: the cookie; `undefined`: it was not yet
     */
    sentAs?: string | null | undefined;
};
