// The page of one device: whether it is heard of, its sensors; and, for admins, its name, its status, a token for its
// board, and its end.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { go, link } from '../frame/address.js';
import { Confirm } from '../frame/confirm.js';
import { useNow } from '../frame/now.js';
import { Absent, Back, Close } from '../frame/pane.js';
import { ago, recent, whole } from '../frame/times.js';
import { useWatched } from '../live/watched.js';
import { useChange } from './change.js';
import { Condition, raisedWords } from './row.js';
import { SensorForm } from './sensor-form.js';
import { BoardToken } from './token.js';
import { Value, nameOf } from './value.js';

/**
 * @typedef {import('../live/sensors.js').Sensor} Sensor
 * @typedef {import('../live/sensors.js').Device} Device
 * @typedef {import('../main.js').App} App
 */

/** @param {{ app: App, id: number }} props */
export function DevicePane({ app, id }) {
  const { sensors, session } = app;
  useWatched(sensors, session);
  useNow();
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const device = sensors.devices.get(id);
  if (!device) return html`<${Absent} what="device" isKnown=${sensors.complete} heading=${heading} to="/sensors" label="Back to all sensors" />`;
  const members = [...sensors.sensors.values()].filter(({ deviceId }) => deviceId === id).sort((a, b) => (a.type < b.type ? -1 : a.type > b.type ? 1 : a.id - b.id));
  const isAdmin = session.role === 'admin';
  const { statusAt, heardAt } = device;
  return html`
    <article class="entity-page device-page" aria-labelledby="entity-name" data-device=${id}>
      <header>
        <${Back} to="/sensors" label="Back to all sensors" />
        <div class="titles">
          <h2 id="entity-name" ref=${heading} tabindex="-1">${device.name}</h2>
          <p class="of"><${Condition} device=${device} /></p>
        </div>
        <${Close} to="/sensors" />
      </header>
      <dl class="facts">
        <div><dt>Device</dt><dd>${id}</dd></div>
        <div><dt>Heard</dt><dd>${heardAt === null ? 'never' : html`<span title=${whole(heardAt)}>${recent(heardAt)}, ${ago(heardAt)}</span>`}</dd></div>
        ${statusAt !== null &&
        html`<div><dt>${device.status === 'active' ? 'Active' : 'Inactive'} since</dt><dd title=${whole(statusAt)}>${recent(statusAt)}, ${ago(statusAt)}</dd></div>`}
      </dl>
      <${Members} app=${app} device=${device} members=${members} isAdmin=${isAdmin} />
      ${isAdmin && html`<${Rename} app=${app} device=${device} /><${Heard} app=${app} device=${device} /><${BoardToken} app=${app} device=${device} members=${members} /><${End} app=${app} device=${device} count=${members.length} />`}
    </article>
  `;
}

/** @param {{ app: App, device: Device, members: Sensor[], isAdmin: boolean }} props */
function Members({ app, device, members, isAdmin }) {
  const [isMaking, setMaking] = useState(false);
  const add = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const close = () => {
    setMaking(false);
    add.current?.focus();
  };
  return html`
    <section class="members" aria-labelledby="members">
      <header>
        <h3 id="members">Sensors</h3>
        ${isAdmin && html`<button type="button" ref=${add} aria-expanded=${isMaking} onClick=${() => setMaking(!isMaking)}>Add a sensor</button>`}
      </header>
      ${isMaking && html`<${SensorForm} app=${app} sensor=${null} deviceId=${device.id} close=${close} />`}
      ${members.length === 0 && !isMaking && html`<p class="aside">It has none yet.</p>`}
      <ul>
        ${members.map(
          (sensor) => html`
            <li key=${sensor.id}>
              <a class=${sensor.raised ? 'raised' : ''} href=${link(`/#/sensors/${sensor.id}`)}>
                <span class="name">${nameOf(sensor.type)}</span>
                <span class="by">${raisedWords(sensor)}</span>
                <span class="value"><${Value} value=${sensor.value} unit=${sensor.unit} /></span>
                <span class="when">${sensor.at === null ? '' : ago(sensor.at)}</span>
              </a>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** @param {{ app: App, device: Device }} props */
function Rename({ app, device: { id, name } }) {
  const [typed, setTyped] = useState(name);
  const { wrong, change } = useChange(app);
  useEffect(() => setTyped(name), [name]);
  const rename = (/** @type {Event} */ event) => {
    event.preventDefault();
    change((send) => send('PATCH', `/api/devices/${id}`, { name: typed }));
  };
  return html`
    <form class="with-button" onSubmit=${rename}>
      <label>Name <input value=${typed} required autocomplete="off" onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></label>
      <button type="submit" disabled=${typed === name}>Rename</button>
      <${Wrong} words=${wrong} />
    </form>
  `;
}

/** @param {{ app: App, device: Device }} props */
function Heard({ app, device: { id, status } }) {
  const { wrong, change } = useChange(app);
  const set = (/** @type {string} */ next) => next !== status && change((send) => send('PATCH', `/api/devices/${id}`, { status: next }));
  return html`
    <section class="status" aria-labelledby="status">
      <h3 id="status">Status</h3>
      <div class="choice" role="group" aria-labelledby="status">
        ${['active', 'inactive'].map(
          (each) => html`<button key=${each} type="button" aria-pressed=${each === status} onClick=${() => set(each)}>${each === 'active' ? 'Active' : 'Inactive'}</button>`,
        )}
      </div>
      <p class="hint">It follows by itself: active from a reading on, inactive when all its sensors are silent.</p>
      <${Wrong} words=${wrong} />
    </section>
  `;
}

/** @param {{ app: App, device: Device, count: number }} props */
function End({ app, device: { id, name }, count }) {
  const [isAsked, setAsked] = useState(false);
  const remove = async (/** @type {import('../frame/act.js').Send} */ send) => {
    await send('DELETE', `/api/devices/${id}`);
    await app.sensors.list((path) => send('GET', path));
  };
  return html`
    <div class="buttons"><button type="button" onClick=${() => setAsked(true)}>Delete the device</button></div>
    ${isAsked &&
    html`
      <${Confirm} title=${`Delete ${name}?`} verb="Delete" session=${app.session} work=${remove} close=${() => setAsked(false)} done=${() => go('/sensors')}>
        <p>${count === 0 ? 'It has no sensors.' : `Its ${count === 1 ? 'sensor goes' : `${count} sensors go`} with it, and all their readings.`} Tokens of its board end.</p>
      </${Confirm}>
    `}
  `;
}

/** @param {{ app: App }} props */
export function NewDevice({ app }) {
  const { session } = app;
  useWatched(session);
  const [typed, setTyped] = useState('');
  const { wrong, change } = useChange(app);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => field.current?.focus(), []);
  const make = async (/** @type {Event} */ event) => {
    event.preventDefault();
    let id = 0;
    const isDone = await change(async (send) => ({ id } = await send('POST', '/api/devices', { name: typed })));
    if (isDone) go(`/sensors/device/${id}`);
  };
  return html`
    <article class="entity-page device-page" aria-labelledby="entity-name">
      <header>
        <${Back} to="/sensors" label="Back to all sensors" />
        <div class="titles"><h2 id="entity-name">New device</h2></div>
        <${Close} to="/sensors" />
      </header>
      ${session.role === 'admin'
        ? html`
            <form class="with-button" onSubmit=${make}>
              <label>Name <input ref=${field} value=${typed} required autocomplete="off" onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></label>
              <button type="submit" class="primary">Create</button>
              <${Wrong} words=${wrong} />
            </form>
            <p class="aside">Then it gets its sensors, and its board a token to post with.</p>
          `
        : html`<p class="aside">Devices are made by admins.</p>`}
    </article>
  `;
}
