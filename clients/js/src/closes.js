// What a close code means to who wants to come back: docs/protocol.md, "Close codes" and "Fault codes".

import { Refused } from './refused.js';

/** How long some codes ask to wait at least, in ms. */
const AT_LEAST_MS = new Map([
  // Too much waits there.
  [1013, 2_000],
  // Connections are counted by the minute.
  [4429, 15_000],
]);

/** Codes that trying again does not help against: what they would be as an answer of HTTP, and what to say. */
const FINAL = new Map(
  /** @type {[number, { status: number, code: string, words: string }][]} */ ([
    [1002, { status: 400, code: 'INVALID', words: 'the connection broke the protocol' }],
    [1003, { status: 400, code: 'INVALID', words: 'the connection broke the protocol' }],
    [1007, { status: 400, code: 'INVALID', words: 'the connection broke the protocol' }],
    [1008, { status: 422, code: 'INVALID', words: 'the server refuses what this page sends' }],
    [1009, { status: 413, code: 'TOO_LARGE', words: 'a message was too large for the server' }],
    [4403, { status: 403, code: 'FORBIDDEN', words: 'the server refuses this page' }],
    [4404, { status: 404, code: 'NOT_FOUND', words: 'this server has nothing live here' }],
  ]),
);

/** What is said of the others. @type {Map<number, string>} */
const WORDS = new Map([
  [1012, 'the server restarts'],
  [1013, 'the server is busy'],
  [4408, 'this page did not keep up'],
  [4429, 'there were too many connections'],
]);

/** The connection is no longer good for its credential. */
export const UNAUTHENTICATED = 4401;

/**
 * Why a connection cannot be had again; `undefined` if it can.
 *
 * @param {number} code
 * @param {string} told what the server said before, if it did
 */
export function final(code, told) {
  const found = FINAL.get(code);
  return found && new Refused(found.status, told || found.words, { code: found.code });
}

/** Why it ended, and how long to wait at least. @param {number} code @param {string} told */
export function passing(code, told) {
  return { why: told || (WORDS.get(code) ?? ''), atLeastMs: AT_LEAST_MS.get(code) ?? 0 };
}
