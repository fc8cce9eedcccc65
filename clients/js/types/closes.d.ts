/**
 * Why a connection cannot be had again; `undefined` if it can.
 *
 * @param {number} code
 * @param {string} told what the server said before, if it did
 */
export function final(code: number, told: string): Refused | undefined;
/** Why it ended, and how long to wait at least. @param {number} code @param {string} told */
export function passing(code: number, told: string): {
    why: string;
    atLeastMs: number;
};
/** The connection is no longer good for its credential. */
export const UNAUTHENTICATED: 4401;
import { Refused } from './refused.js';
