/**
 * @template {import('@bellwire/client').Watched} Feed
 * @typedef {object} Source what is shown, and where it comes from
 * @property {Feed} feed
 * @property {import('@bellwire/client').Stream} stream
 */
/**
 * Begins with the first component that shows it, ends with the last. It is used by `useSyncExternalStore`: `shown` is the
 * same object until something changes.
 *
 * @template Shown
 * @template {import('@bellwire/client').Watched} Feed
 */
export class Shared<Shown, Feed extends import("@bellwire/client").Watched> {
    /**
     * @param {object} of
     * @param {() => Source<Feed>} of.begin
     * @param {(source: Source<Feed>) => Shown} of.show
     * @param {Shown} of.initial what is shown until something is known
     * @param {() => void} of.over nobody shows it any more
     */
    constructor({ begin, show, initial, over }: {
        begin: () => Source<Feed>;
        show: (source: Source<Feed>) => Shown;
        initial: Shown;
        over: () => void;
    });
    /** @type {Source<Feed> | undefined} */
    source: Source<Feed> | undefined;
    /** @type {Shown} */
    shown: Shown;
    /** @param {() => void} watcher */
    subscribe: (watcher: () => void) => () => void;
    current: () => Shown;
    /** On a server nothing is known. */
    initial: () => Shown;
    #private;
}
/**
 * what is shown, and where it comes from
 */
export type Source<Feed extends import("@bellwire/client").Watched> = {
    feed: Feed;
    stream: import("@bellwire/client").Stream;
};
