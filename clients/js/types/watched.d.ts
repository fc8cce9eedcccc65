/** Something that tells its watchers when it has changed. */
export class Watched {
    /**
     * Calls `watcher` after each change, until the function that is returned is called.
     *
     * @param {() => void} watcher
     * @returns {() => void}
     */
    watch(watcher: () => void): () => void;
    /** Tells every watcher. */
    tell(): void;
    #private;
}
