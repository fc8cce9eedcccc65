// An entity's attributes, as they are: names as they are written, values as text.

import { html } from '../vendor/htm-preact.js';

/** @param {{ attributes: Record<string, unknown> }} props */
export function Attributes({ attributes }) {
  const entries = Object.entries(attributes);
  return html`
    <section class="attributes" aria-labelledby="attributes">
      <h3 id="attributes">Attributes</h3>
      ${entries.length === 0
        ? html`<p class="aside">It has none.</p>`
        : html`
            <table>
              <tbody>
                ${entries.map(
                  ([name, value]) => html`<tr key=${name}><th scope="row">${breakable(name)}</th><td><${Value} value=${value} /></td></tr>`,
                )}
              </tbody>
            </table>
          `}
    </section>
  `;
}

/** A name that may be broken behind each `_`, and so not inside a word. @param {string} name */
function breakable(name) {
  return name.split(/(?<=_)/).map((part) => html`${part}<wbr />`);
}

/** @param {{ value: unknown }} props */
function Value({ value }) {
  if (value === null) return html`<span class="muted">null</span>`;
  if (typeof value === 'string') return value === '' ? html`<span class="muted">empty</span>` : value;
  if (typeof value !== 'object') return String(value);
  const isShort = Array.isArray(value) && value.every((each) => each === null || typeof each !== 'object');
  return isShort ? value.map(String).join(', ') || html`<span class="muted">empty</span>` : html`<pre>${JSON.stringify(value, null, 2)}</pre>`;
}
