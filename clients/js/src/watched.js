// Things that change, and who looks at them.

/** Something that tells its watchers when it has changed. */
export class Watched {
  /** @type {Set<() => void>} */
  #watchers = new Set();

  /**
   * Calls `watcher` after each change, until the function that is returned is called.
   *
   * @param {() => void} watcher
   * @returns {() => void}
   */
  watch(watcher) {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  /** Tells every watcher. */
  tell() {
    for (const watcher of this.#watchers) watcher();
  }
}
