// An entity's history: what the server keeps, as points of a plot, and each change that comes meanwhile.

import { ask } from '../live/api.js';
import { hasValue } from '../live/states.js';

/** Rows of a page: the most that the server gives. */
const PAGE_LEN = 1_000;
/** So many rows are loaded at most; older ones are left out, and that is said. */
export const ROWS_MAX = 20_000;

/**
 * @typedef {{ at: number, state: string | null }} Point from `at` (ms since 1970) on the state is this; `null`:
 *   the entity is gone
 * @typedef {{ points: Point[], isCut: boolean, began?: number }} History oldest first; `isCut`: older points were left
 *   out; `began`: when the first one begins, if nothing is kept of before
 */

/**
 * @param {string} id
 * @param {number} from ms since 1970
 * @param {string | null} token
 * @param {AbortSignal} signal
 * @returns {Promise<History>} with what held at `from` as its first point, if that is kept
 */
export async function load(id, from, token, signal) {
  const path = `/api/states/${id}/history`;
  const start = new Date(from).toISOString();
  /** @type {Point[]} */
  const points = [];
  let next = '';
  while (next !== null && points.length < ROWS_MAX) {
    const query = new URLSearchParams({ from: start, limit: String(PAGE_LEN), ...(next && { cursor: next }) });
    const page = await ask(`${path}?${query}`, { token, signal });
    for (const row of page.items) points.push(point(row));
    next = page.next;
  }
  if (next !== null) return { points: points.reverse(), isCut: true };
  const [before] = (await ask(`${path}?to=${start}&limit=1`, { token, signal })).items;
  const began = before ? undefined : points[points.length - 1]?.at;
  if (before) points.push({ at: from, state: before.state });
  return { points: points.reverse(), isCut: false, began };
}

/** @param {import('../live/states.js').Row} row @returns {Point} */
function point({ last_updated: at, state }) {
  return { at: Date.parse(at), state };
}

/**
 * A number, if a state is one.
 *
 * @param {string | null} state
 */
export function numberOf(state) {
  if (state === null || state.trim() === '') return null;
  const value = Number(state);
  return Number.isFinite(value) ? value : null;
}

/**
 * Whether a history is drawn as a line: whatever has a value is a number.
 *
 * @param {Point[]} points
 */
export function isNumeric(points) {
  const values = points.filter(({ state }) => state !== null && hasValue(state));
  return values.length > 0 && values.every(({ state }) => numberOf(state) !== null);
}

/**
 * The points at which the state became another one.
 *
 * @param {Point[]} points
 */
export function changes(points) {
  return points.filter(({ state }, at) => at === 0 || points[at - 1].state !== state);
}
