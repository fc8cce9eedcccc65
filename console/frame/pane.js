// What the page of one thing has, beside or in place of the list that it is in.

import { html } from '../vendor/htm-preact.js';
import { go, link } from './address.js';
import { Icon } from './icon.js';

/** The way back to the list, where that is not beside it. @param {{ to: string, label: string }} props */
export function Back({ to, label }) {
  return html`<a class="button quiet square back" href=${link(`/#${to}`)} aria-label=${label} title="Back (Esc)"><${Icon} name="back" /></a>`;
}

/** @param {{ to: string }} props */
export function Close({ to }) {
  return html`<button type="button" class="quiet square close" aria-label="Close" title="Close (Esc)" onClick=${() => go(to)}><${Icon} name="close" /></button>`;
}

/**
 * Stands in the place of the page until what it shows is known, or if there is none.
 *
 * @param {{ what: string, isKnown: boolean, heading: { current: HTMLElement | null }, to: string, label: string }} props
 */
export function Absent({ what, isKnown, heading, to, label }) {
  return html`
    <article class="entity-page" aria-labelledby="entity-name">
      <header>
        <${Back} to=${to} label=${label} />
        <div class="titles"><h2 id="entity-name" ref=${heading} tabindex="-1">${isKnown ? `There is no such ${what}` : 'Loading'}</h2></div>
        <${Close} to=${to} />
      </header>
      ${isKnown && html`<p class="aside">It was deleted, or was never there.</p>`}
    </article>
  `;
}
