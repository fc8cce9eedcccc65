// The batteries of a station. Whoever may book picks one here; staff add and remove them.

import { Component, html, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { Confirm } from '../frame/confirm.js';
import { Icon } from '../frame/icon.js';
import { infoOf } from '../live/at-station.js';
import { AddBattery } from './add-battery.js';
import { Act } from './parts.js';

/** So many are shown until one asks for more. */
const SHOWN = 100;
const WORDS = { available: 'Available', booked: 'Booked', collected: 'Collected' };

/**
 * @typedef {import('../live/at-station.js').Battery} Battery
 * @typedef {import('../main.js').App} App
 *
 * @param {{ app: App, at: import('../live/at-station.js').AtStation, station: import('../live/stations.js').Station,
 *   mayBook: boolean, own: Set<number>, busy: string, book: (battery: Battery) => void, say: (words: string) => void }} props
 *   `own`: those that one has booked oneself
 */
export function Batteries({ app, at, station, mayBook, own, busy, book, say }) {
  const [shown, setShown] = useState(SHOWN);
  const [isAdding, setAdding] = useState(false);
  const [removed, setRemoved] = useState(/** @type {Battery | null} */ (null));
  const add = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const { isStaff } = app.stations;
  const { batteries, wrong } = at;
  const close = () => {
    setAdding(false);
    add.current?.focus();
  };
  const remove = async (/** @type {import('../frame/act.js').Send} */ send) => {
    await send('DELETE', `/api/stations/${station.id}/batteries/${removed?.id}`);
    say(`Battery ${removed?.id} is removed`);
  };
  return html`
    <section class="batteries" aria-labelledby="batteries">
      <header>
        <h3 id="batteries" tabindex="-1" ref=${heading}>Batteries ${batteries && html`<span class="count">${batteries.length.toLocaleString()}</span>`}</h3>
        ${isStaff && html`<button type="button" ref=${add} aria-expanded=${isAdding} onClick=${() => setAdding(!isAdding)}>Add a battery</button>`}
      </header>
      ${isAdding && html`<${AddBattery} app=${app} station=${station} close=${close} say=${say} />`}
      <${Wrong} words=${wrong} />
      ${!batteries && !wrong && html`<p class="aside" role="status">Loading</p>`}
      ${batteries?.length === 0 && !isAdding && html`<p class="aside">There are none here.</p>`}
      <ul>
        ${batteries?.slice(0, shown).map(
          (battery) => html`
            <${BatteryRow}
              key=${battery.id}
              battery=${battery}
              isOwn=${own.has(battery.id)}
              mayBook=${mayBook && battery.status === 'available'}
              mayRemove=${isStaff && battery.status === 'available'}
              busy=${busy}
              book=${book}
              remove=${setRemoved}
            />
          `,
        )}
      </ul>
      ${batteries && batteries.length > shown && html`<button type="button" class="quiet" onClick=${() => setShown(shown + SHOWN)}>Show more</button>`}
      ${removed &&
      html`
        <${Confirm} title=${`Remove battery ${removed.id}?`} verb="Remove" session=${app.session} work=${remove} close=${() => setRemoved(null)} done=${() => heading.current?.focus()}>
          <p>${infoOf(removed)} is not at ${station.name} any more, and is forgotten.</p>
        </${Confirm}>
      `}
    </section>
  `;
}

/**
 * @typedef {{ battery: Battery, isOwn: boolean, mayBook: boolean, mayRemove: boolean, busy: string,
 *   book: (battery: Battery) => void, remove: (battery: Battery) => void }} Props
 *
 * @extends {Component<Props>}
 */
class BatteryRow extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) {
    const now = this.props;
    const isAtWork = (/** @type {Props} */ { busy, battery }) => busy === `book-${battery.id}`;
    const keys = /** @type {const} */ (['battery', 'isOwn', 'mayBook', 'mayRemove']);
    return keys.some((key) => next[key] !== now[key]) || isAtWork(now) !== isAtWork(next);
  }

  /** @param {Props} props */
  render({ battery, isOwn, mayBook, mayRemove, busy }) {
    const { id, name, model, status } = battery;
    return html`
      <li class=${`battery ${status}`} data-battery-id=${id}>
        <span class="number">${id}</span>
        <span class="name">${name} <span class="model">${model}</span></span>
        <span class="battery-status">${isOwn ? 'Booked by you' : WORDS[status]}</span>
        <span class="buttons">
          ${mayBook && html`<${Act} what=${`book-${id}`} busy=${busy} label=${`Book battery ${id}`} work=${() => this.props.book(battery)}>Book</${Act}>`}
          ${mayRemove && html`<button type="button" class="quiet square" aria-label=${`Remove battery ${id}`} title="Remove" onClick=${() => this.props.remove(battery)}><${Icon} name="minus" /></button>`}
        </span>
      </li>
    `;
  }
}
