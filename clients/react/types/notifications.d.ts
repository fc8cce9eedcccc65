/**
 * The inbox of who is signed in, live.
 *
 * @returns {ShownNotifications & Acts}
 */
export function useNotifications(): ShownNotifications & Acts;
export type ShownNotifications = {
    /**
     * the newest first
     */
    notifications: import("@bellwire/client").InboxItem[];
    /**
     * how many of these were not read
     */
    unread: number;
    /**
     * whether there are older ones
     */
    hasMore: boolean;
    /**
     * whether the inbox was read
     */
    isLoaded: boolean;
    /**
     * whether what is shown is true now
     */
    isConnected: boolean;
    /**
     * of the connection
     */
    condition: import("@bellwire/client").Condition;
    /**
     * why there is none: nobody is signed in
     */
    error: Error | null;
};
export type Acts = {
    markRead: (which: number[] | "all") => Promise<void>;
    /**
     * shows older ones
     */
    more: () => Promise<void>;
};
