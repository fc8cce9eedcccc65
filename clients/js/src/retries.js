// What could not be done, and is tried again.

import { Pauses } from './pauses.js';

/** One piece of work, tried again after pauses that grow until it is over. */
export class Retries {
  #work;
  #pauses = new Pauses();
  #isResting = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {() => void} work */
  constructor(work) {
    this.#work = work;
  }

  /** Whether it will be tried again by itself. */
  get isWaiting() {
    return this.#timer !== undefined;
  }

  /** It did not work. A `Refused` may say how long to wait at least. @param {any} [error] */
  failed(error) {
    if (this.#isResting || this.isWaiting) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#work();
    }, this.#pauses.next((error?.retryAfterS ?? 0) * 1000));
  }

  /** Nothing is left to be done. */
  over() {
    this.#stop();
    this.#pauses.reset();
  }

  /** While it rests nothing is tried. @param {boolean} isResting */
  rest(isResting) {
    this.#isResting = isResting;
    if (isResting) this.#stop();
  }

  #stop() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
