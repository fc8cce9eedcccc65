// What a stream brings, kept by somebody: states, stations, an inbox.

import { OVER, Stream } from './stream.js';

/**
 * @typedef {object} Feed
 * @property {string} path the endpoint
 * @property {import('./stream.js').Query} query what it is asked for, besides `since`
 * @property {boolean} isReplayedWhole whether all that it tells is told again after a break, so that nothing is listed then
 * @property {boolean} complete whether everything is here; not any more after a reset, until it is told or listed anew
 * @property {(message: any) => void} hear an event
 * @property {import('./stream.js').List} list
 * @property {() => boolean} [asksLess] makes `query` smaller after it was refused; whether there was something to leave out
 * @property {(isOver: boolean, error: Error | null) => void} [observe] is told whether no connection comes by itself, and
 *   why, whenever the stream's condition changes
 */

/**
 * How a stream is connected, whatever it brings. Not `since`: a feed that knows nothing has nothing to go on from.
 *
 * @typedef {Omit<import('./stream.js').StreamOptions, 'path' | 'query' | 'since' | 'list' | 'isReplayedWhole' | 'asksLess'>} Connection
 */

/**
 * The stream of a feed. It is to be started.
 *
 * @param {Feed} feed
 * @param {Connection} [connection]
 */
export function follow(feed, connection) {
  const stream = new Stream({
    ...connection,
    path: feed.path,
    query: () => feed.query,
    isReplayedWhole: feed.isReplayedWhole,
    list: (ask, request, signal) => feed.list(ask, request, signal),
    asksLess: () => feed.asksLess?.() ?? false,
  });
  stream.on('*', (event) => feed.hear(event));
  stream.on('reset', () => (feed.complete = false));
  stream.watch(() => feed.observe?.(OVER.includes(stream.condition), stream.error));
  return stream;
}
