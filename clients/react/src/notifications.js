// What a user has to know.

import { useMemo, useSyncExternalStore } from 'react';
import { Inbox, follow } from '@bellwire/client';
import { useBellwire } from './provider.js';

/**
 * @typedef {object} ShownNotifications
 * @property {import('@bellwire/client').InboxItem[]} notifications the newest first
 * @property {number} unread how many of these were not read
 * @property {boolean} hasMore whether there are older ones
 * @property {boolean} isLoaded whether the inbox was read
 * @property {boolean} isConnected whether what is shown is true now
 * @property {import('@bellwire/client').Condition} condition of the connection
 * @property {Error | null} error why there is none: nobody is signed in
 *
 * @typedef {object} Acts
 * @property {(which: number[] | 'all') => Promise<void>} markRead
 * @property {() => Promise<void>} more shows older ones
 */

/** @type {ShownNotifications} */
const NOTHING = {
  notifications: [],
  unread: 0,
  hasMore: false,
  isLoaded: false,
  isConnected: false,
  condition: 'connecting',
  error: null,
};

/**
 * The inbox of who is signed in, live.
 *
 * @returns {ShownNotifications & Acts}
 */
export function useNotifications() {
  const bellwire = useBellwire();
  const shared = bellwire.shared('inbox', {
    begin() {
      const feed = new Inbox(bellwire.api);
      return { feed, stream: follow(feed, bellwire.connection) };
    },
    show: ({ feed, stream }) => shown(feed, stream),
    initial: NOTHING,
  });
  const now = useSyncExternalStore(shared.subscribe, shared.current, shared.initial);
  const acts = useMemo(
    () => ({
      markRead: async (/** @type {number[] | 'all'} */ which) => shared.source?.feed.markRead(which),
      more: async () => shared.source?.feed.more(),
    }),
    [shared],
  );
  return useMemo(() => ({ ...now, ...acts }), [now, acts]);
}

/**
 * @param {Inbox} feed
 * @param {import('@bellwire/client').Stream} stream
 * @returns {ShownNotifications}
 */
function shown({ all, unread, next, complete }, { condition, error, isLive }) {
  return {
    notifications: all,
    unread,
    hasMore: next !== null,
    isLoaded: complete,
    isConnected: isLive,
    condition,
    error,
  };
}
