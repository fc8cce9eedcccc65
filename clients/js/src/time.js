// Times as the server writes them.

/** A time without a zone, as document 004 has it: UTC. */
const BARE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?$/;

/**
 * The moment that a time of the server stands for. Stations and notifications tell theirs without a zone
 * (`2024-02-27T10:30:00`), which is UTC; `new Date` would take it for the local time of whoever reads it.
 *
 * @param {string} text
 * @returns {Date}
 * @throws {RangeError} if it is no time
 */
export function utc(text) {
  const date = new Date(BARE.test(text) ? `${text}Z` : text);
  if (Number.isNaN(date.getTime())) throw new RangeError(`no time: ${text}`);
  return date;
}
