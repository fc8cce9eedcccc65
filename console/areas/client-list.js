// All clients: who is there, which areas they show, what they were sent.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct, useToggle } from '../frame/act.js';
import { Confirm } from '../frame/confirm.js';
import { Icon } from '../frame/icon.js';
import { useNow } from '../frame/now.js';
import { ago, whole } from '../frame/times.js';
import { byName } from '../live/areas.js';
import { useWatched } from '../live/watched.js';
import { AreaTick, AreaTicks } from './area-ticks.js';
import { Trace } from './trace.js';

/**
 * @typedef {import('../live/areas.js').Area} Area
 * @typedef {import('../live/areas.js').Client} Client
 * @typedef {import('../main.js').App} App
 */

/** @param {{ app: App }} props */
export function ClientList({ app }) {
  const { areas } = app;
  useWatched(areas);
  useNow();
  const [open, setOpen] = useState('');
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const all = byName(areas.clients.all);
  const count = all.filter(({ online }) => online).length;
  return html`
    <section class="clients" aria-labelledby="clients">
      <header>
        <h2 id="clients" ref=${heading} tabindex="-1">Clients <span class="count">${all.length.toLocaleString()}</span></h2>
        ${all.length > 0 && html`<p class="aside">${count.toLocaleString()} live</p>`}
      </header>
      ${all.length === 0 && html`<p class="aside">No screen is paired yet.</p>`}
      <ul class="cards">
        ${all.map(
          (client) => html`
            <li key=${client.id} class="card client" data-client-id=${client.id}>
              <${ClientCard}
                app=${app}
                client=${client}
                isOpen=${open === client.id}
                toggle=${() => setOpen(open === client.id ? '' : client.id)}
                deleted=${() => heading.current?.focus()}
              />
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** @param {{ app: App, client: Client, isOpen: boolean, toggle: () => void, deleted: () => void }} props */
function ClientCard({ app, client, isOpen, toggle, deleted }) {
  const { id, name, areaIds } = client;
  const names = areaIds.map((area) => app.areas.areas.all.get(area)?.name ?? area);
  return html`
    <h3>
      <button type="button" class="disclosure quiet" aria-expanded=${isOpen} aria-controls=${`details-${id}`} onClick=${toggle}>
        <${Icon} name="chevron" />
        <span class="name">${name}</span>
        <${Presence} client=${client} />
      </button>
    </h3>
    <p class="shows">${names.length === 0 ? 'Shows no area' : `Shows ${names.join(', ')}`} <span class="entity-id">${id}</span></p>
    <div id=${`details-${id}`} class="details" hidden=${!isOpen}>
      ${isOpen && html`<${Details} app=${app} client=${client} deleted=${deleted} />`}
    </div>
  `;
}

/** @param {{ client: Client }} props */
function Presence({ client: { online, lastSeen, revoked } }) {
  if (revoked) return html`<span class="condition refused">Revoked</span>`;
  if (online) return html`<span class="condition live">Live</span>`;
  const at = lastSeen === null ? null : Date.parse(lastSeen);
  if (at === null) return html`<span class="condition signed-out">Never seen</span>`;
  return html`<span class="condition signed-out" title=${whole(at)}>Away, seen ${ago(at)}</span>`;
}

/** @param {{ app: App, client: Client, deleted: () => void }} props */
function Details({ app, client, deleted }) {
  return html`
    <${Rename} app=${app} client=${client} />
    <${Assigned} app=${app} client=${client} />
    <${Ends} app=${app} client=${client} deleted=${deleted} />
    <${Trace} app=${app} id=${client.id} />
  `;
}

/** @param {{ app: App, client: Client }} props */
function Rename({ app: { session }, client: { id, name } }) {
  const [typed, setTyped] = useState(name);
  const { wrong, act, send } = useAct(session);
  useEffect(() => setTyped(name), [name]);
  const rename = (/** @type {Event} */ event) => {
    event.preventDefault();
    act(() => send('PATCH', `/api/clients/${id}`, { name: typed }));
  };
  return html`
    <form class="with-button" onSubmit=${rename}>
      <label>Name <input value=${typed} required autocomplete="off" onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></label>
      <button type="submit" disabled=${typed === name}>Rename</button>
      <${Wrong} words=${wrong} />
    </form>
  `;
}

/** @param {{ app: App, client: Client }} props */
function Assigned({ app: { areas, session }, client }) {
  const tick = (/** @type {Area} */ area) => html`<${Assign} key=${area.id} session=${session} client=${client} area=${area} />`;
  return html`<${AreaTicks} areas=${areas} tick=${tick} />`;
}

/** @param {{ session: import('../live/session.js').Session, client: Client, area: Area }} props */
function Assign({ session, client: { id, areaIds }, area }) {
  const { isOn, wrong, set } = useToggle(session, areaIds.includes(area.id), (send, has) =>
    send(has ? 'PUT' : 'DELETE', `/api/clients/${id}/areas/${area.id}`),
  );
  return html`
    <${AreaTick} area=${area} has=${isOn} set=${set} />
    <${Wrong} words=${wrong} />
  `;
}

/** @param {{ app: App, client: Client, deleted: () => void }} props */
function Ends({ app: { session }, client: { id, name, revoked }, deleted }) {
  const [asked, setAsked] = useState(/** @type {'' | 'revoke' | 'delete'} */ (''));
  const close = () => setAsked('');
  const revoke = (/** @type {import('../frame/act.js').Send} */ send) => send('POST', `/api/clients/${id}/revoke`);
  const remove = (/** @type {import('../frame/act.js').Send} */ send) => send('DELETE', `/api/clients/${id}`);
  return html`
    <div class="buttons">
      ${!revoked && html`<button type="button" onClick=${() => setAsked('revoke')}>Revoke access</button>`}
      <button type="button" onClick=${() => setAsked('delete')}>Delete</button>
    </div>
    ${asked === 'revoke' &&
    html`
      <${Confirm} title=${`Revoke the access of ${name}?`} verb="Revoke" session=${session} work=${revoke} close=${close}>
        <p>It is told so, and shows nothing any more until it is paired again.</p>
      </${Confirm}>
    `}
    ${asked === 'delete' &&
    html`
      <${Confirm} title=${`Delete ${name}?`} verb="Delete" session=${session} work=${remove} close=${close} done=${deleted}>
        <p>It is forgotten, with what it was sent. To come back it is paired as a new one.</p>
      </${Confirm}>
    `}
  `;
}
