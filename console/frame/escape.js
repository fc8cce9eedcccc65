// The key Escape.

import { useEffect, useRef } from '../vendor/htm-preact.js';

/**
 * Escape closes what is open. What that means counts from the very rendering on: a key may come before any effect runs.
 *
 * @param {(() => void) | undefined} close  absent: nothing is open
 * @param {{ isNearest?: boolean }} [how]  whether it comes before everything else, wherever the focus is; if not,
 *   something nearer may have taken the key, as an open dialog does
 */
export function useEscape(close, { isNearest = false } = {}) {
  const now = useRef(close);
  now.current = close;
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      if (event.key !== 'Escape' || event.isComposing || !now.current) return;
      if (!isNearest && (event.defaultPrevented || document.querySelector('dialog[open]'))) return;
      if (isNearest) event.preventDefault();
      now.current();
    };
    addEventListener('keydown', onKey, { capture: isNearest });
    return () => removeEventListener('keydown', onKey, { capture: isNearest });
  }, [isNearest]);
}
