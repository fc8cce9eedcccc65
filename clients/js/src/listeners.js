// Who hears what a stream tells.

/**
 * @typedef {(event: any) => void} Listener
 */

export class Listeners {
  /** @type {Map<string, Set<Listener>>} */
  #all = new Map();

  /** @param {string} type @param {Listener} listener @returns {() => void} ends it */
  add(type, listener) {
    const heard = this.#all.get(type) ?? new Set();
    this.#all.set(type, heard.add(listener));
    return () => {
      heard.delete(listener);
    };
  }

  /** Tells those who listen to `type`. One that throws keeps nothing from the others. @param {string} type @param {any} event */
  tell(type, event) {
    for (const listener of this.#all.get(type) ?? []) {
      try {
        listener(event);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** As an error that nobody caught. @param {unknown} error */
function report(error) {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
}
