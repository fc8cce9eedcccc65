// Where the code of a screen leads, `/pair?code=WDJB-MJHT`: who asks, and the answer.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { useNow } from '../frame/now.js';
import { useWatched } from '../live/watched.js';
import { Approval } from './approval.js';
import { OnlyAdmins } from './gate.js';
import { CodeField, codeOf, useExpiry } from './pairings.js';

/** @typedef {import('../main.js').App} App */

/** @param {{ app: App }} props */
export function PairPage({ app }) {
  return html`<${OnlyAdmins} app=${app}><${Content} app=${app} /></${OnlyAdmins}>`;
}

/** @param {{ app: App }} props */
function Content({ app }) {
  const { areas } = app;
  useWatched(areas);
  const now = useNow();
  useExpiry(app, now);
  const [code, setCode] = useState(() => codeOf(new URLSearchParams(location.search).get('code') ?? ''));
  const [answer, setAnswer] = useState(/** @type {{ what: 'approved' | 'denied', name: string } | null} */ (null));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (answer) heading.current?.focus();
  }, [answer]);
  // Who waits goes with the answer, which may be told before it is acknowledged.
  const [isAnswering, setAnswering] = useState(false);
  const last = useRef(areas.pairings.all.get(code));
  const pairing = areas.pairings.all.get(code) ?? (isAnswering ? last.current : undefined);
  last.current = pairing;
  const another = (/** @type {string} */ found) => {
    setCode(found);
    setAnswer(null);
  };
  return html`
    <div class="scrolls">
      <section class="pair" aria-labelledby="pair">
        <h1 id="pair" ref=${heading} tabindex="-1">${answer ? ANSWERS[answer.what](answer.name) : 'Pair a screen'}</h1>
        ${!answer &&
        pairing &&
        html`
          <div class="card pairing" data-code=${code}>
            <${Approval}
              key=${code}
              app=${app}
              pairing=${pairing}
              now=${now}
              isOpen
              busy=${setAnswering}
              answered=${(/** @type {'approved' | 'denied'} */ what, /** @type {string} */ name) => setAnswer({ what, name })}
            />
          </div>
        `}
        ${!answer && !pairing && html`<${Missing} app=${app} code=${code} found=${another} />`}
        ${answer?.what === 'approved' && html`<p>It shows its areas by now. Nothing needs to be done there.</p>`}
        <p><a href="/#/areas">All areas and clients</a></p>
      </section>
    </div>
  `;
}

const ANSWERS = {
  approved: (/** @type {string} */ name) => `${name} is paired`,
  denied: (/** @type {string} */ name) => `${name} was denied`,
};

/** @param {{ app: App, code: string, found: (code: string) => void }} props */
function Missing({ app, code, found }) {
  if (!app.areas.complete) return html`<p class="aside" role="status">Looking for it</p>`;
  return html`
    ${code
      ? html`
          <p role="status">
            No screen waits with the code <strong class="mono">${code}</strong>. It may have been answered already, or its time is over: then the
            screen shows another one.
          </p>
        `
      : html`<p>Type the code that the screen shows.</p>`}
    <${CodeField} app=${app} found=${found} />
  `;
}
