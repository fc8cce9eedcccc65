// The screens that ask to be let in, and a field for the code of one.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { useNow } from '../frame/now.js';
import { useWatched } from '../live/watched.js';
import { Approval } from './approval.js';

/** After its time a pairing goes when the server, whose clock counts, does not list it any more; it is asked this often. */
const ASKED_MS = 10_000;

/** @typedef {import('../main.js').App} App */

/** @param {{ app: App }} props */
export function Pairings({ app }) {
  const { areas } = app;
  useWatched(areas);
  const now = useNow(areas.pairings.all.size > 0);
  useExpiry(app, now);
  const [open, setOpen] = useState('');
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const all = [...areas.pairings.all.values()].sort((a, b) => a.createdAt.localeCompare(b.createdAt));
  const answered = () => {
    setOpen('');
    heading.current?.focus();
  };
  return html`
    <section class="pairings" aria-labelledby="pairings">
      <header>
        <h2 id="pairings" ref=${heading} tabindex="-1">Screens to pair <span class="count">${all.length.toLocaleString()}</span></h2>
      </header>
      ${all.length === 0 &&
      html`<p class="aside">None asks. One that opens <a href="/screen">${location.host}/screen</a> shows a code, and stands here.</p>`}
      <ul class="cards">
        ${all.map(
          (pairing) => html`
            <li key=${pairing.userCode} class="card pairing" data-code=${pairing.userCode}>
              <${Approval}
                app=${app}
                pairing=${pairing}
                now=${now}
                isOpen=${open === pairing.userCode}
                toggle=${() => setOpen(open === pairing.userCode ? '' : pairing.userCode)}
                answered=${answered}
              />
            </li>
          `,
        )}
      </ul>
      <${CodeField} app=${app} found=${setOpen} />
    </section>
  `;
}

/** @param {App} app @param {number} now */
export function useExpiry({ areas, session }, now) {
  const { act, send } = useAct(session);
  const asked = useRef(0);
  const isOver = [...areas.pairings.all.values()].some(({ expiresAt }) => Date.parse(expiresAt) <= now);
  useEffect(() => {
    if (!isOver || now - asked.current < ASKED_MS) return;
    asked.current = now;
    act(() => areas.listPairings((path) => send('GET', path)));
  }, [isOver, now]);
}

/**
 * A code as it is written: eight letters with a hyphen between.
 *
 * @param {string} text
 */
export function codeOf(text) {
  const letters = text.toUpperCase().replace(/[^A-Z0-9]/g, '');
  return letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : letters;
}

/**
 * Finds the pairing of a code among those that wait: what is not among them is not asked for, as wrong codes are
 * counted.
 *
 * @param {{ app: App, found: (code: string) => void, first?: string }} props
 */
export function CodeField({ app: { areas, session }, found, first = '' }) {
  const [typed, setTyped] = useState(first);
  const [missing, setMissing] = useState('');
  const { wrong, act, send } = useAct(session);
  const find = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const code = codeOf(typed);
    setMissing('');
    if (!areas.pairings.all.has(code) && !(await act(() => areas.listPairings((path) => send('GET', path))))) return;
    if (areas.pairings.all.has(code)) {
      setTyped('');
      found(code);
    } else {
      setMissing(code);
    }
  };
  return html`
    <form class="with-button" onSubmit=${find}>
      <label>Code on the screen
        <input
          class="mono code-field"
          value=${typed}
          placeholder="ABCD-EFGH"
          required
          autocomplete="off"
          autocapitalize="characters"
          spellcheck=${false}
          onInput=${(/** @type {any} */ event) => setTyped(event.target.value)}
        />
      </label>
      <button type="submit">Find</button>
      <${Wrong} words=${wrong || (missing && `no screen waits with the code ${missing}`)} />
    </form>
  `;
}
