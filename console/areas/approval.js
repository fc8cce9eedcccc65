// One screen that asks to be let in, and the answer.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { ago } from '../frame/times.js';
import { AreaTick, AreaTicks } from './area-ticks.js';

/**
 * @typedef {import('../live/areas.js').Pairing} Pairing
 * @typedef {import('../main.js').App} App
 */

/**
 * @param {{ app: App, pairing: Pairing, now: number, isOpen: boolean, toggle?: () => void,
 *   busy?: (isBusy: boolean) => void, answered: (what: 'approved' | 'denied', name: string) => void }} props without
 *   `toggle` it is open always; `busy` says whether an answer is under way
 */
export function Approval({ app, pairing, now, isOpen, toggle, busy, answered }) {
  const { userCode, name, clientId, createdAt, expiresAt } = pairing;
  const { wrong, act, send } = useAct(app.session);
  const path = `/api/pairing/${userCode}`;
  const asked = Date.parse(createdAt);
  /** @param {'approved' | 'denied'} what @param {string} method @param {object} [body] */
  const answer = async (what, method, body) => {
    busy?.(true);
    const given = await act(() => send('POST', `${path}/${method}`, body));
    busy?.(false);
    if (given) answered(what, /** @type {any} */ (body)?.name ?? name);
  };
  const again = clientId && (app.areas.clients.all.get(clientId)?.name ?? clientId);
  return html`
    <div class="asks">
      <p class="code mono">${userCode}</p>
      <div class="who-asks">
        <p class="name">${name}</p>
        <p class="aside">${again && `Is ${again} already, and stays it. `}Asked ${ago(asked)}, ${left(Date.parse(expiresAt) - Math.max(now, asked))}</p>
      </div>
      <div class="buttons">
        ${toggle && html`<button type="button" aria-expanded=${isOpen} aria-label=${`Approve ${name}`} onClick=${toggle}>Approve</button>`}
        <button type="button" aria-label=${`Deny ${name}`} onClick=${() => answer('denied', 'deny')}>Deny</button>
      </div>
    </div>
    ${isOpen && html`<${Terms} app=${app} pairing=${pairing} approve=${(/** @type {object} */ terms) => answer('approved', 'approve', terms)} />`}
    <${Wrong} words=${wrong} />
  `;
}

/** As what it is let in. @param {{ app: App, pairing: Pairing, approve: (terms: object) => void }} props */
function Terms({ app: { areas }, pairing: { name, clientId }, approve }) {
  const [typed, setTyped] = useState(name);
  const [chosen, setChosen] = useState(() => (clientId && areas.clients.all.get(clientId)?.areaIds) || []);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, []);
  /** @param {string} area @param {boolean} has */
  const tick = (area, has) => setChosen(has ? [...chosen, area] : chosen.filter((each) => each !== area));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    // An area may be gone by now.
    approve({ name: typed, areaIds: chosen.filter((area) => areas.areas.all.has(area)) });
  };
  return html`
    <form class="terms" aria-label=${`Approve ${name}`} onSubmit=${submit}>
      <label>Name
        <input ref=${field} value=${typed} required autocomplete="off" onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} />
      </label>
      <${AreaTicks}
        areas=${areas}
        tick=${(/** @type {import('../live/areas.js').Area} */ area) =>
          html`<${AreaTick} key=${area.id} area=${area} has=${chosen.includes(area.id)} set=${(/** @type {boolean} */ has) => tick(area.id, has)} />`}
      />
      <div class="buttons"><button type="submit" class="primary">Pair it</button></div>
    </form>
  `;
}

/** @param {number} ms */
function left(ms) {
  if (ms <= 0) return 'its time is over';
  const s = Math.ceil(ms / 1000);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')} left`;
}
