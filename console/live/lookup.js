// Looking again at something, for many reasons that may come at once.

/** So long after the first reason. */
const SOON_MS = 120;
/** And not again before this is over. */
const PAUSE_MS = 1_000;

export class Lookup {
  #work;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isAgain = false;
  #lookedAt = -Infinity;
  isBusy = false;

  /** @param {() => Promise<unknown>} work */
  constructor(work) {
    this.#work = work;
  }

  /** Looks soon; whoever asks meanwhile is seen to as well. */
  ask() {
    if (this.isBusy) this.#isAgain = true;
    else this.#timer ??= setTimeout(() => this.now(), Math.max(SOON_MS, this.#lookedAt + PAUSE_MS - performance.now()));
  }

  /** Looks at once. */
  async now() {
    this.stop();
    if (this.isBusy) {
      this.#isAgain = true;
      return;
    }
    this.isBusy = true;
    try {
      await this.#work();
    } finally {
      this.isBusy = false;
      this.#lookedAt = performance.now();
      if (this.#isAgain) this.ask();
      this.#isAgain = false;
    }
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
