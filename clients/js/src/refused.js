// What goes wrong: the server says no, or nobody knows whether it was done.

/** What a refusal over a connection would be as an answer of HTTP. @type {Record<string, number>} */
const STATUS = {
  INVALID: 422,
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  RATE_LIMITED: 429,
  OVERLOADED: 503,
  FULL: 507,
  TIMEOUT: 503,
  INTERNAL: 500,
};

/** A request that was answered, and refused. */
export class Refused extends Error {
  name = 'Refused';

  /**
   * @param {number} status as an answer of HTTP has it; 400 if all that was said are words
   * @param {string} words why, for people
   * @param {{ code?: string, retryAfterS?: number }} [more] `code`: the stable name of why, where the server tells it;
   *   `retryAfterS`: after so many seconds it may be tried again
   */
  constructor(status, words, { code, retryAfterS } = {}) {
    super(words);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }

  /** Of a reply that a connection brought. @param {{ code?: string, error?: string, message?: string }} reply */
  static of({ code, error, message }) {
    return new Refused(STATUS[code ?? ''] ?? 400, error ?? message ?? 'the server refused it', { code });
  }
}

/** There is no connection to send over, or it was lost before the reply: whether it was done is not known. */
export class Lost extends Error {
  name = 'Lost';

  /**
   * @param {string} words
   * @param {string} [idempotencyKey] of the call: sent again with it, it is done once
   */
  constructor(words, idempotencyKey) {
    super(words);
    this.idempotencyKey = idempotencyKey;
  }
}
