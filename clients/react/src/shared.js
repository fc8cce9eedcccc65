// What components show together: one stream, however many of them show it.

/** Changes that follow one another faster than this are shown together. */
const TOGETHER_MS = 16;

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
export class Shared {
  /** @type {Source<Feed> | undefined} */
  source;
  /** @type {() => Source<Feed>} */
  #begin;
  /** @type {(source: Source<Feed>) => Shown} */
  #show;
  /** @type {Shown} */
  #initial;
  /** @type {() => void} */
  #over;
  /** @type {Set<() => void>} */
  #watchers = new Set();
  /** @type {(() => void)[]} */
  #ends = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #pause;
  /** Whether something changed since it was shown. */
  #isStale = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #ending;

  /**
   * @param {object} of
   * @param {() => Source<Feed>} of.begin
   * @param {(source: Source<Feed>) => Shown} of.show
   * @param {Shown} of.initial what is shown until something is known
   * @param {() => void} of.over nobody shows it any more
   */
  constructor({ begin, show, initial, over }) {
    [this.#begin, this.#show, this.#initial, this.#over] = [begin, show, initial, over];
    /** @type {Shown} */
    this.shown = initial;
  }

  /** @param {() => void} watcher */
  subscribe = (watcher) => {
    clearTimeout(this.#ending);
    this.#watchers.add(watcher);
    if (!this.source) this.#start();
    return () => {
      this.#watchers.delete(watcher);
      // Another component may be about to show it: of the page that comes, or the same once more, in StrictMode.
      if (this.#watchers.size === 0) this.#ending = setTimeout(() => this.#end(), 0);
    };
  };

  current = () => this.shown;

  /** On a server nothing is known. */
  initial = () => this.#initial;

  #start() {
    const { feed, stream } = (this.source = this.#begin());
    this.#ends = [stream.watch(this.#changed), feed.watch(this.#changed), () => stream.close()];
    stream.start();
  }

  #end() {
    for (const end of this.#ends) end();
    clearTimeout(this.#pause);
    [this.source, this.#ends, this.#pause, this.#isStale] = [undefined, [], undefined, false];
    this.shown = this.#initial;
    this.#over();
  }

  /** The first change is shown at once, those that follow it closely when their time is over. */
  #changed = () => {
    if (this.#pause === undefined) this.#tell();
    else this.#isStale = true;
  };

  #tell() {
    if (!this.source) return;
    this.shown = this.#show(this.source);
    this.#isStale = false;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      if (this.#isStale) this.#tell();
    }, TOGETHER_MS);
    for (const watcher of this.#watchers) watcher();
  }
}
