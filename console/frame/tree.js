// A list of groups that open and close: what keys do in it, what stays in view, and which groups are closed.

import { useState } from '../vendor/htm-preact.js';

/**
 * @typedef {{ key: string, group: number, isOpen?: boolean }} Row `group` is the row of its group; `isOpen`: of a group,
 *   whether it shows its rows
 */

/**
 * What keys do, by their names.
 *
 * @template {Row} R
 * @param {{ rows: R[], at: number, page: number, activate: (at: number) => void, toggle: (group: R) => void,
 *   enter: (row: R) => void }} list `at` is the active row, -1 if there is none; `page`: how many rows fit
 * @returns {Record<string, () => void>}
 */
export function actions({ rows, at, page, activate, toggle, enter }) {
  const row = rows[at];
  const isGroup = row?.isOpen !== undefined;
  const pick = () => row && enter(row);
  return {
    ArrowDown: () => activate(at + 1),
    ArrowUp: () => activate(at - 1),
    PageDown: () => activate(at + page),
    PageUp: () => activate(at - page),
    Home: () => activate(0),
    End: () => activate(rows.length - 1),
    ArrowLeft: () => {
      if (!row) return;
      if (!isGroup) activate(row.group);
      else if (row.isOpen) toggle(row);
    },
    ArrowRight: () => {
      if (isGroup) row.isOpen ? activate(at + 1) : toggle(row);
    },
    Enter: pick,
    ' ': pick,
  };
}

/**
 * The groups that show no rows, kept by the browser; and what opens or closes one.
 *
 * @param {string} key of what is kept
 * @returns {[Set<string>, (group: string) => void]}
 */
export function useClosed(key) {
  const [closed, setClosed] = useState(() => stored(key));
  const toggle = (/** @type {string} */ group) => {
    const next = new Set(closed);
    if (!next.delete(group)) next.add(group);
    setClosed(next);
    store(key, next);
  };
  return [closed, toggle];
}

/** @param {string} key */
function stored(key) {
  try {
    const stored = JSON.parse(localStorage.getItem(key) ?? '[]');
    return new Set(Array.isArray(stored) ? stored.map(String) : []);
  } catch {
    return new Set(/** @type {string[]} */ ([]));
  }
}

/** @param {string} key @param {Set<string>} closed */
function store(key, closed) {
  try {
    localStorage.setItem(key, JSON.stringify([...closed]));
  } catch {
    // It holds as long as the page.
  }
}
