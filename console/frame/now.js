// The time, for what changes as it goes on.

import { useEffect, useState } from '../vendor/htm-preact.js';

/**
 * The time in ms since 1970, rendered anew each second.
 *
 * @param {boolean} [isNeeded]
 */
export function useNow(isNeeded = true) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!isNeeded) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [isNeeded]);
  return now;
}
