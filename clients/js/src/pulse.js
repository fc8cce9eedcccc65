// Whether the other end is still there. A network that went away says nothing, and a socket that is half open looks like a
// quiet one; so who has been quiet for long is asked, and who does not answer is gone.

/** After this long without a message the server is asked for one. */
const QUIET_MS = 30_000;
/** And it has this long to answer. */
const ANSWER_MS = 8_000;
/** A timer that is this late says that the page slept, not that nobody answered. */
const LATE_MS = 3_000;

export class Pulse {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #dueAt = 0;
  #heardAt = 0;
  #isAsked = false;

  /**
   * @param {() => void} ask sends what has to be answered
   * @param {() => void} gone nothing came in time
   */
  constructor(ask, gone) {
    this.ask = ask;
    this.gone = gone;
  }

  /** Waits for the first sign. @param {number} limitMs */
  begin(limitMs) {
    this.#isAsked = true;
    this.#wait(limitMs, () => this.gone());
  }

  /** Something came. It costs no timer: there may be thousands a second. */
  heard() {
    this.#heardAt = Date.now();
    if (!this.#isAsked) return;
    this.#isAsked = false;
    this.#wait(QUIET_MS, () => this.#look());
  }

  /** Asks now, unless it has, or something was heard within this time. @param {number} [quietMs] */
  check(quietMs = 0) {
    if (this.#timer !== undefined && !this.#isAsked && Date.now() - this.#heardAt >= quietMs) this.#ask();
  }

  end() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isAsked = false;
  }

  /** It may have been heard since the timer was set; and a clock may have been put back. */
  #look() {
    const leftMs = QUIET_MS - (Date.now() - this.#heardAt);
    if (leftMs > 0 && leftMs <= QUIET_MS) this.#wait(leftMs, () => this.#look());
    else this.#ask();
  }

  #ask() {
    this.#isAsked = true;
    this.ask();
    this.#wait(ANSWER_MS, () => (Date.now() - this.#dueAt > LATE_MS ? this.#ask() : this.gone()));
  }

  /** @param {number} ms @param {() => void} then */
  #wait(ms, then) {
    clearTimeout(this.#timer);
    this.#dueAt = Date.now() + ms;
    this.#timer = setTimeout(then, ms);
  }
}
