// A state with its unit, wherever one is shown.

import { html } from '../vendor/htm-preact.js';
import { hasValue } from '../live/states.js';
import { momentOf, readable, whole } from './times.js';

/** @param {{ state: string, unit: string }} props */
export function State({ state, unit }) {
  const moment = momentOf(state);
  return html`
    <span class="state" title=${moment === null ? undefined : `${whole(moment)} (${state})`}>${readable(state)}</span>
    ${unit && hasValue(state) ? html`${' '}<span class="unit">${unit}</span>` : ''}
  `;
}
