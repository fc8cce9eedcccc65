// All areas: each with what is in it, whether it is enabled, and who shows it.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong, useToggle } from '../frame/act.js';
import { Confirm } from '../frame/confirm.js';
import { byName } from '../live/areas.js';
import { useWatched } from '../live/watched.js';
import { AreaForm } from './area-form.js';

/**
 * @typedef {import('../live/areas.js').Area} Area
 * @typedef {import('../main.js').App} App
 */

/** @param {{ app: App }} props */
export function AreaList({ app }) {
  const { areas } = app;
  useWatched(areas);
  const [isMaking, setMaking] = useState(false);
  /** What is edited, as it was when that began: it stays, whatever becomes of it meanwhile. */
  const [edited, setEdited] = useState(/** @type {Area | null} */ (null));
  const make = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  // And where it was.
  const all = byName(edited ? new Map(areas.areas.all).set(edited.id, edited) : areas.areas.all);

  const made = () => {
    setMaking(false);
    make.current?.focus();
  };
  return html`
    <section class="areas" aria-labelledby="areas">
      <header>
        <h2 id="areas" ref=${heading} tabindex="-1">Areas <span class="count">${areas.areas.all.size.toLocaleString()}</span></h2>
        <button type="button" ref=${make} aria-expanded=${isMaking} onClick=${() => setMaking(!isMaking)}>New area</button>
      </header>
      ${isMaking && html`<div class="card"><${AreaForm} app=${app} area=${null} close=${made} /></div>`}
      ${all.length === 0 &&
      !isMaking &&
      html`<p class="aside">There are none yet. An area has a name and some entities, and is shown on the screens that it is assigned to.</p>`}
      <ul class="cards">
        ${all.map(
          (area) => html`
            <li key=${area.id} class=${`card area${area.isEnabled ? '' : ' disabled'}`} data-area-id=${area.id}>
              <${AreaCard}
                app=${app}
                area=${area}
                edited=${edited?.id === area.id ? edited : null}
                edit=${setEdited}
                deleted=${() => heading.current?.focus()}
              />
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/**
 * @param {{ app: App, area: Area, edited: Area | null, edit: (area: Area | null) => void, deleted: () => void }} props
 *   `edited`: what it was when editing began, if it is edited
 */
function AreaCard({ app, area, edited, edit, deleted }) {
  const [isAsked, setAsked] = useState(false);
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const wasEdited = useRef(false);
  useEffect(() => {
    if (wasEdited.current && !edited) button.current?.focus();
    wasEdited.current = edited !== null;
  }, [edited]);
  if (edited) return html`<${AreaForm} app=${app} area=${edited} close=${() => edit(null)} />`;

  const screens = byName(app.areas.clients.all)
    .filter(({ areaIds }) => areaIds.includes(area.id))
    .map(({ name }) => name)
    .join(', ');
  const remove = (/** @type {import('../frame/act.js').Send} */ send) => send('DELETE', `/api/areas/${area.id}`);
  return html`
    <header>
      <h3><span class="name">${area.name}</span> <span class="entity-id">${area.id}</span></h3>
      <${Enabled} app=${app} area=${area} />
    </header>
    <${Entities} states=${app.states} ids=${area.entityIds} />
    <footer>
      <p>${screens ? `On ${screens}` : 'On no screen'}</p>
      <div class="buttons">
        <button type="button" class="quiet" ref=${button} aria-label=${`Edit ${area.name}`} onClick=${() => edit(area)}>Edit</button>
        <button type="button" class="quiet" aria-label=${`Delete ${area.name}`} onClick=${() => setAsked(true)}>Delete</button>
      </div>
    </footer>
    ${isAsked &&
    html`
      <${Confirm} title=${`Delete ${area.name}?`} verb="Delete" session=${app.session} work=${remove} close=${() => setAsked(false)} done=${deleted}>
        <p>${screens ? `It goes from ${screens} at once.` : 'It is on no screen.'} Its entities stay.</p>
      </${Confirm}>
    `}
  `;
}

/** @param {{ app: App, area: Area }} props */
function Enabled({ app: { session }, area }) {
  const { isOn, wrong, set } = useToggle(session, area.isEnabled, (send, isEnabled) => send('PATCH', `/api/areas/${area.id}/toggle`, { isEnabled }));
  return html`
    <button type="button" class="switch quiet" role="switch" aria-checked=${isOn} aria-label=${`${area.name} is enabled`} onClick=${() => set(!isOn)}>
      ${isOn ? 'Enabled' : 'Disabled'}
    </button>
    <${Wrong} words=${wrong} />
  `;
}

/** @param {{ states: import('../live/states.js').States, ids: string[] }} props */
function Entities({ states, ids }) {
  useWatched(states);
  if (ids.length === 0) return html`<p class="aside">Without entities.</p>`;
  return html`
    <ul class="chips" aria-label="Entities">
      ${ids.map((id) => html`<li key=${id} title=${id}>${states.nameOf(id)}</li>`)}
    </ul>
  `;
}
