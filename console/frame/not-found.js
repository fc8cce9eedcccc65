// Says that there is no page at an address.

import { html } from '../vendor/htm-preact.js';
import { here, link } from './address.js';

export function NotFound() {
  return html`
    <section id="not-found" class="notice">
      <h2>There is no such page</h2>
      <p>Nothing is at <code>${here().replace(/^\/(?=#)/, '')}</code>. A link may be old, or was copied in part.</p>
      <a class="button" href=${link('/#/')}>All states</a>
    </section>
  `;
}
