// A choice among all areas.

import { html } from '../vendor/htm-preact.js';
import { byName } from '../live/areas.js';

/** @typedef {import('../live/areas.js').Area} Area */

/** @param {{ areas: import('../live/areas.js').Areas, tick: (area: Area) => any }} props `tick` renders the box of one */
export function AreaTicks({ areas, tick }) {
  const all = byName(areas.areas.all);
  return html`
    <fieldset class="ticks">
      <legend>Areas</legend>
      ${all.length === 0 && html`<p class="aside">There are none yet; they can be given later.</p>`}
      ${all.map(tick)}
    </fieldset>
  `;
}

/** @param {{ area: Area, has: boolean, set: (has: boolean) => void }} props */
export function AreaTick({ area: { name, isEnabled }, has, set }) {
  return html`
    <label class="tick">
      <input type="checkbox" checked=${has} onChange=${(/** @type {any} */ event) => set(event.target.checked)} />${name}${!isEnabled &&
      html`${' '}<span class="muted">(disabled)</span>`}
    </label>
  `;
}
