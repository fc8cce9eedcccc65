// A field that searches a list, and the keys that hold on a page with one.

import { html, useLayoutEffect } from '../vendor/htm-preact.js';
import { Icon } from './icon.js';

/**
 * @param {{ field: { current: HTMLInputElement | null }, label: string, query: string,
 *   setQuery: (query: string) => void, leave: () => void }} props `leave` goes on to what was found
 */
export function Search({ field, label, query, setQuery, leave }) {
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (!['Escape', 'ArrowDown', 'Enter'].includes(event.key)) return;
    event.preventDefault();
    if (event.key === 'Escape' && query) setQuery('');
    else leave();
  };
  return html`
    <label class="search">
      <${Icon} name="search" />
      <input
        id="filter"
        type="search"
        ref=${field}
        value=${query}
        placeholder="Search"
        aria-label=${label}
        aria-keyshortcuts="/"
        autocomplete="off"
        autocapitalize="off"
        spellcheck=${false}
        onInput=${(/** @type {any} */ event) => setQuery(event.target.value)}
        onKeyDown=${onKeyDown}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  `;
}

/**
 * Keys that hold wherever the focus is: `/` searches, Escape leaves what is shown beside the list.
 *
 * @param {{ current: HTMLInputElement | null }} search
 * @param {(() => void) | undefined} leave
 * @param {unknown[]} on what `leave` depends on
 */
export function useShortcuts(search, leave, on) {
  // With what is shown, and not after it was drawn: who is quick would press Escape for nothing.
  useLayoutEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
      if (event.key === '/' && !isTyping(event)) {
        event.preventDefault();
        search.current?.focus();
        search.current?.select();
      } else if (event.key === 'Escape' && leave && event.target !== search.current) {
        leave();
      }
    };
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, on);
}

/** Whether a key goes into a field. @param {KeyboardEvent} event */
function isTyping({ target }) {
  return target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');
}
