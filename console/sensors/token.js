// A token for the board of a device, shown once, with the line by which it posts.

import { html, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { whole } from '../frame/times.js';

const DAY_S = 86_400;
/** For how long tokens are good. */
const TERMS = [
  { name: '30 days', s: 30 * DAY_S },
  { name: 'a year', s: 365 * DAY_S },
  { name: '10 years', s: 3_650 * DAY_S },
];

/** @typedef {{ token: string, expiresAt: string }} Made */

/**
 * @param {{ app: import('../main.js').App, device: import('../live/sensors.js').Device,
 *   members: import('../live/sensors.js').Sensor[] }} props
 */
export function BoardToken({ app: { session }, device, members }) {
  const { wrong, act, send } = useAct(session);
  const [term, setTerm] = useState(1);
  const [made, setMade] = useState(/** @type {Made | null} */ (null));
  const make = (/** @type {Event} */ event) => {
    event.preventDefault();
    act(async () => setMade(await send('POST', '/api/tokens', { role: 'device', subject: String(device.id), ttl: TERMS[term].s })));
  };
  return html`
    <section class="board-token" aria-labelledby="board-token">
      <h3 id="board-token">Token for its board</h3>
      ${made
        ? html`<${Shown} made=${made} sensor=${members[0]} close=${() => setMade(null)} />`
        : html`
            <form class="with-button" onSubmit=${make}>
              <label>Good for
                <select value=${term} onChange=${(/** @type {any} */ event) => setTerm(Number(event.target.value))}>
                  ${TERMS.map(({ name }, at) => html`<option key=${name} value=${at}>${name}</option>`)}
                </select>
              </label>
              <button type="submit">Make a token</button>
              <${Wrong} words=${wrong} />
            </form>
          `}
    </section>
  `;
}

/** @param {{ made: Made, sensor: import('../live/sensors.js').Sensor | undefined, close: () => void }} props */
function Shown({ made: { token, expiresAt }, sensor, close }) {
  const id = sensor?.id ?? 1;
  const line = `curl -X POST ${location.origin}/api/sensors/${id}/readings -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '{"value": 25.5}'`;
  return html`
    <div class="card" role="status">
      <p><strong>It is shown this once.</strong> It posts for this device alone, until ${whole(Date.parse(expiresAt))}.</p>
      <${Copied} label="Token" text=${token} />
      <${Copied} label=${`How the board posts for sensor ${id}`} text=${line} />
      <div class="buttons"><button type="button" onClick=${close}>Done</button></div>
    </div>
  `;
}

/** @param {{ label: string, text: string }} props */
function Copied({ label, text }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      // Without a secure origin there is no clipboard: it can be selected.
    }
  };
  return html`
    <div class="copied">
      <h4>${label}</h4>
      <pre tabindex="0">${text}</pre>
      <button type="button" aria-label=${`Copy: ${label}`} onClick=${copy}>${isCopied ? 'Copied' : 'Copy'}</button>
    </div>
  `;
}
