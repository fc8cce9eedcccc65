// A list at the server, page by page.

import { useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { words } from '../live/api.js';

/** Items of a page. */
const PAGE_LEN = 50;

/**
 * @template T
 * @typedef {{ items: T[], next: string | null, isLoaded: boolean, wrong: string, again: () => Promise<void>, more: () => Promise<void> }} Listing
 *   `again`: from the beginning; what is shown stays until it is there
 */

/**
 * @template T
 * @param {(path: string) => Promise<{ items: T[], next: string | null }>} ask
 * @param {string} path
 * @param {boolean} isReady
 * @returns {Listing<T>}
 */
export function useListing(ask, path, isReady) {
  const [listed, setListed] = useState({ path: '', items: /** @type {T[]} */ ([]), next: /** @type {string | null} */ (null) });
  const [wrong, setWrong] = useState('');
  const begun = useRef(0);
  /** @param {string | null} cursor @param {T[]} before */
  const load = async (cursor, before) => {
    const loading = (begun.current += 1);
    try {
      const query = new URLSearchParams({ limit: String(PAGE_LEN), ...(cursor && { cursor }) });
      const { items, next } = await ask(`${path}?${query}`);
      if (loading !== begun.current) return;
      setListed({ path, items: [...before, ...items], next });
      setWrong('');
    } catch (error) {
      if (loading === begun.current) setWrong(words(error));
    }
  };
  useEffect(() => {
    if (isReady) load(null, []);
    return () => void (begun.current += 1);
  }, [path, isReady]);
  const isLoaded = listed.path === path;
  return {
    ...{ items: isLoaded ? listed.items : [], next: isLoaded ? listed.next : null, isLoaded, wrong },
    again: () => load(null, []),
    more: () => load(listed.next, listed.items),
  };
}
