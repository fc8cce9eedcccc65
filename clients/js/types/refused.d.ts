/** A request that was answered, and refused. */
export class Refused extends Error {
    /** Of a reply that a connection brought. @param {{ code?: string, error?: string, message?: string }} reply */
    static of({ code, error, message }: {
        code?: string;
        error?: string;
        message?: string;
    }): Refused;
    /**
     * @param {number} status as an answer of HTTP has it; 400 if all that was said are words
     * @param {string} words why, for people
     * @param {{ code?: string, retryAfterS?: number }} [more] `code`: the stable name of why, where the server tells it;
     *   `retryAfterS`: after so many seconds it may be tried again
     */
    constructor(status: number, words: string, { code, retryAfterS }?: {
        code?: string;
        retryAfterS?: number;
    });
    status: number;
    code: string | undefined;
    retryAfterS: number | undefined;
}
/** There is no connection to send over, or it was lost before the reply: whether it was done is not known. */
export class Lost extends Error {
    /**
     * @param {string} words
     * @param {string} [idempotencyKey] of the call: sent again with it, it is done once
     */
    constructor(words: string, idempotencyKey?: string);
    idempotencyKey: string | undefined;
}
