// The page of all sensors, and beside it, or in its place where there is no room, that of one sensor or device.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { go, link } from '../frame/address.js';
import { Icon } from '../frame/icon.js';
import { useMedia } from '../frame/media.js';
import { Search, useShortcuts } from '../frame/search.js';
import { useClosed } from '../frame/tree.js';
import { useWatched } from '../live/watched.js';
import { useRefresh } from './change.js';
import { DevicePane, NewDevice } from './device.js';
import { SensorList, shownKey, useListed } from './list.js';
import { SensorPane } from './sensor.js';
import { nameOf } from './value.js';

/** List and page stand side by side from this width on; rows have one line from there on, too. */
const SPLIT = '(min-width: 60rem)';
const ONE_LINE = '(min-width: 48rem)';
/** Lines that stand for rows while these are loaded. */
const SKELETON_LEN = 14;
/** Where is kept which devices show no sensors. */
const CLOSED_KEY = 'bellwire.closed-devices';

/** @param {{ app: import('../main.js').App, params: string[] }} props */
export function SensorsPage({ app, params: [kind, id] }) {
  const { sensors, sensorsConnection, session } = app;
  useWatched(sensors, sensorsConnection, session);
  useEffect(() => {
    sensorsConnection.start();
    return () => sensorsConnection.stop();
  }, []);
  useRefresh(app);
  const [query, setQuery] = useState('');
  const isSplit = useMedia(SPLIT);
  const hasOneLine = useMedia(ONE_LINE);
  const search = useRef(/** @type {HTMLInputElement | null} */ (null));
  const list = useRef(/** @type {{ focus: () => void } | null} */ (null));
  useShortcuts(search, id ? () => go('/sensors') : undefined, [id]);

  // Who comes back from a sensor goes on where they were.
  const before = useRef(id);
  useEffect(() => {
    if (before.current && !id) list.current?.focus();
    before.current = id;
  }, [id]);

  const isAdmin = session.role === 'admin';
  const [closed, toggle] = useClosed(CLOSED_KEY);
  const listed = useListed(sensors, query, closed);
  const found = query ? listed.found : null;
  const isNarrow = !hasOneLine || (isSplit && !!id);
  return html`
    <div class=${`overview${id ? ' with-entity' : ''}${sensorsConnection.condition === 'live' ? '' : ' stale'}`}>
      ${(isSplit || !id) &&
      html`
        <section class="list" aria-label="Sensors">
          <div class="bar">
            <h1 class="out-of-sight">Sensors</h1>
            <${Search}
              field=${search}
              label="Search by device, type or id"
              query=${query}
              setQuery=${setQuery}
              leave=${() => list.current?.focus()}
            />
            <p id="count" role="status">${countWords(sensors, found, isNarrow)}</p>
            ${isAdmin &&
            html`
              <a class="button add" href=${link('/#/sensors/new')} title="New device" aria-label="New device"><${Icon} name="plus" /><span>New device</span></a>
            `}
          </div>
          ${body(app, query, found, () => setQuery('')) ??
          html`<${SensorList} ...${{ app, listed, toggle, query, isNarrow }} shown=${shownKey(kind, id)} handle=${list} />`}
        </section>
      `}
      ${id && pane(app, kind, id)}
    </div>
  `;
}

/** @param {import('../main.js').App} app @param {string} kind @param {string} id */
function pane(app, kind, id) {
  if (id === 'new') return html`<${NewDevice} key="new" app=${app} />`;
  const props = { key: `${kind}${id}`, app, id: Number(id) };
  return kind ? html`<${DevicePane} ...${props} />` : html`<${SensorPane} ...${props} />`;
}

/**
 * @param {import('../live/sensors.js').Sensors} sensors
 * @param {{ devices: number, sensors: number } | null} found
 * @param {boolean} isBrief
 */
function countWords({ devices, sensors, complete }, found, isBrief) {
  if (!complete && devices.size === 0) return '';
  const count = (/** @type {number} */ number, /** @type {string} */ what) => `${number.toLocaleString()} ${what}${number === 1 ? '' : 's'}`;
  if (found) return `${found.sensors.toLocaleString()} of ${count(sensors.size, 'sensor')}`;
  return isBrief ? count(sensors.size, 'sensor') : `${count(devices.size, 'device')}, ${count(sensors.size, 'sensor')}`;
}

/**
 * What stands in the place of the list when there is nothing to list.
 *
 * @param {import('../main.js').App} app
 * @param {string} query
 * @param {{ devices: number } | null} found
 * @param {() => void} clear
 */
function body({ sensors, sensorsConnection, session }, query, found, clear) {
  if (sensors.devices.size === 0 && !sensors.complete) {
    const { condition } = sensorsConnection;
    if (condition === 'refused') return html`<div class="notice"></div>`;
    const isWaiting = condition === 'offline';
    return html`
      <div class=${`skeleton${isWaiting ? ' still' : ''}`} role="status" aria-label=${isWaiting ? 'Nothing loaded yet' : 'Loading sensors'}>
        ${Array.from({ length: SKELETON_LEN }, (_, at) => html`<div key=${at}><i></i><i></i><i></i></div>`)}
      </div>
    `;
  }
  if (sensors.devices.size === 0) {
    return html`
      <div id="empty" class="notice">
        <h2>No devices yet</h2>
        <p>A device is a board with sensors; it posts what they measure. ${session.role !== 'admin' && 'Admins add them.'}</p>
        ${session.role === 'admin' && html`<a class="button" href=${link('/#/sensors/new')}>New device</a>`}
      </div>
    `;
  }
  if (!found || found.devices > 0) return null;
  return html`
    <div id="empty" class="notice">
      <h2>Nothing matches “${query.trim()}”</h2>
      <p>Names of devices, types, units and ids are searched, and “inactive” or “alarm”; every word must occur.</p>
      <button type="button" onClick=${clear}>Clear the search</button>
    </div>
  `;
}

/** What the page shows, for the title of the window. @param {import('../main.js').App} app @param {string[]} params */
export function titleOf({ sensors }, [kind, id]) {
  if (kind) return sensors.devices.get(Number(id))?.name ?? '';
  const sensor = sensors.sensors.get(Number(id));
  return sensor ? `${nameOf(sensor.type)}, ${sensors.devices.get(sensor.deviceId)?.name}` : '';
}
