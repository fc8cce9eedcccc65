// The console of Chromium's developer tools: what is entered there, and what a page prints.

import { doing } from './client.mjs';

export class Devtools {
  #session;
  #lines = [];
  #wake = () => {};

  constructor(page, session) {
    this.#session = session;
    page.on('console', (message) => {
      this.#lines.push({ text: message.text(), object: message.args()[1] });
      this.#wake();
    });
  }

  /** Those of a page. */
  static async of(page) {
    return new Devtools(page, await page.context().newCDPSession(page));
  }

  /** Enters code, as if it were pasted there; what it throws. A name that was declared there may be declared again. */
  async enters(expression) {
    const { exceptionDetails } = await this.#session.send('Runtime.evaluate', { expression, replMode: true });
    return exceptionDetails?.exception?.description;
  }

  /** Forgets what was printed so far. */
  forget() {
    this.#lines = [];
  }

  /** The texts of what was printed. */
  get texts() {
    return this.#lines.map(({ text }) => text);
  }

  /** Waits until so many lines were printed. */
  async count(least) {
    while (this.#lines.length < least) await new Promise((resolve) => (this.#wake = resolve));
  }

  /** Waits for a line of this text. */
  line(text) {
    return this.#waits(`the line "${text}"`, (line) => line.text === text || undefined);
  }

  /** Waits for an object that is printed behind this text, and of which this holds. */
  prints(text, holds) {
    return this.#waits(`an object behind "${text}"`, async (line) => {
      if (!line.text.startsWith(text)) return undefined;
      const object = await line.object.jsonValue();
      return holds(object) ? object : undefined;
    });
  }

  /** Looks at each line once, from the first on; the script's deadline bounds it. */
  async #waits(what, look) {
    doing(() => `it was waiting for ${what}; ${this.#lines.length} lines were printed`);
    for (let at = 0; ; at += 1) {
      await this.count(at + 1);
      const found = await look(this.#lines[at]);
      if (found !== undefined) return found;
    }
  }
}
