// How long to wait before trying again.

/** The first pause; it doubles, to the longest. */
const PAUSE_MS = 500;
const PAUSE_MS_MAX = 20_000;

/**
 * Pauses that grow. Each is drawn from half to one and a half of what it stands for: clients that lost the same server at
 * the same moment do not come back at the same moment.
 */
export class Pauses {
  #pauseMs = PAUSE_MS;

  /** The next pause, in ms. @param {number} [atLeastMs] what it must not fall below */
  next(atLeastMs = 0) {
    const chance = Math.random();
    const pauseMs = this.#pauseMs * (0.5 + chance);
    this.#pauseMs = Math.min(this.#pauseMs * 2, PAUSE_MS_MAX);
    return Math.max(pauseMs, atLeastMs * (1 + chance / 2));
  }

  /** All is well: the next one is short. */
  reset() {
    this.#pauseMs = PAUSE_MS;
  }
}
