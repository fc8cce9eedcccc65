// What several pages of stations have.

import { html } from '../vendor/htm-preact.js';
import { STATUS_WORDS } from '../live/stations.js';
import { onceClicked } from './change.js';

/** How long a change is shown, in ms; the animation in `stations.css` takes as long. */
const CHANGE_MS = 2_000;

/**
 * What is counted, and how that is called.
 *
 * @typedef {'available' | 'booked' | 'total'} Count
 * @type {Record<Count, string>}
 */
export const NAMES = { available: 'Available', booked: 'Booked', total: 'In all' };
export const COUNTS = /** @type {Count[]} */ (Object.keys(NAMES));

/** By how much a count has changed just now; 0: it has not. @param {import('../live/stations.js').Station} station @param {Count} what */
export const changeOf = ({ change, changedAt }, what) => (changedAt > 0 && performance.now() - changedAt < CHANGE_MS ? change[what] : 0);

/** A count, and for a moment that it is another one. @param {{ station: import('../live/stations.js').Station, what: Count }} props */
export function Counted({ station, what }) {
  // Another name for each change, so that the animation begins anew.
  const isNew = changeOf(station, what) !== 0;
  return html`<b class=${`counted${isNew ? ` changed-${station.changes % 2}` : ''}`} data-count=${what}>${station.counts[what].toLocaleString()}</b>`;
}

/** How a status looks; the classes are those of connections. */
const LOOKS = { online: 'live', maintenance: 'catching-up', offline: 'signed-out' };

/** @param {{ status: import('../live/stations.js').Status }} props */
export function StatusLabel({ status }) {
  return html`<span class=${`condition ${LOOKS[status] ?? ''}`}>${STATUS_WORDS[status] ?? status}</span>`;
}

/** How much of it is there, as a line. @param {{ counts: import('../live/stations.js').Counts }} props */
export function Meter({ counts: { available, booked, total } }) {
  const part = (/** @type {number} */ count) => ({ width: `${total === 0 ? 0 : (100 * count) / total}%` });
  return html`<span class="meter" aria-hidden="true"><i class="available" style=${part(available)}></i><i class="booked" style=${part(booked)}></i></span>`;
}

/**
 * A button that shows whether it is at work. It stays as it is meanwhile, so that the focus stays with it.
 *
 * @param {{ what: string, busy: string, work: () => void, children?: any, class?: string, label?: string, isOff?: boolean }} props
 *   `what` it does, `busy`: what is at work
 */
export function Act({ what, busy, work, children, class: name = '', label, isOff }) {
  const isAtWork = busy === what;
  return html`
    <button
      type="button"
      class=${`${name}${isAtWork ? ' at-work' : ''}`}
      aria-label=${label}
      title=${label}
      aria-busy=${isAtWork}
      aria-disabled=${isOff || isAtWork ? 'true' : undefined}
      onClick=${onceClicked(() => isOff || work())}
    >
      ${children}
    </button>
  `;
}

/** So many, in words. @param {number} count @param {string} what @param {string} [many] */
export const count = (count, what, many = `${what}s`) => `${count.toLocaleString()} ${count === 1 ? what : many}`;
