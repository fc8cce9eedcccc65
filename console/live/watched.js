// Things that change, and who looks at them.

import { useEffect, useReducer } from '../vendor/htm-preact.js';

export { Watched } from '../../clients/js/src/watched.js';

/**
 * Renders the component that calls it again when one of `things` has changed, at most once per frame: a
 * thousand changes a second are sixty renderings.
 *
 * @param {import('../../clients/js/src/watched.js').Watched[]} things
 */
export function useWatched(...things) {
  const [, render] = useReducer((/** @type {number} */ count, _) => count + 1, 0);
  useEffect(() => {
    const frame = perFrame(() => render(undefined));
    const ends = things.map((thing) => thing.watch(frame.ask));
    return () => {
      ends.forEach((end) => end());
      frame.cancel();
    };
  }, things);
}

/**
 * `ask` has `run` called in the next frame, once however often it was asked.
 *
 * @param {() => void} run
 */
export function perFrame(run) {
  let asked = 0;
  return {
    ask() {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        run();
      });
    },
    cancel() {
      cancelAnimationFrame(asked);
      asked = 0;
    },
  };
}
