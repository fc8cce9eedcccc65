// The list of devices and their sensors, with raised alarms at its top: a tree of which only the rows in view exist.

import { html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { go } from '../frame/address.js';
import { useNow } from '../frame/now.js';
import { actions } from '../frame/tree.js';
import { VirtualList } from '../frame/virtual.js';
import { useWatched } from '../live/watched.js';
import { AlarmsRow, DeviceRow, SensorRow, rowId } from './row.js';
import { deviceKey, groupsOf, rowsOf, sensorKey } from './rows.js';
import { Sparks } from './sparks.js';

/** In px, as in `sensors.css`. */
const HEIGHTS = { wide: { alarms: 36, alarm: 36, device: 38, sensor: 34 }, narrow: { alarms: 44, alarm: 54, device: 48, sensor: 54 } };

/**
 * @typedef {import('./rows.js').Row} Row
 * @typedef {ReturnType<typeof useListed>} Listed
 *
 * @param {{ app: import('../main.js').App, listed: Listed, toggle: (key: string) => void, query: string, shown: string,
 *   isNarrow: boolean, handle: { current: { focus: () => void } | null } }} props `shown`: the key of the row whose page
 *   is open
 */
export function SensorList({ app: { sensors, session }, listed: { rows, places }, toggle, query, shown, isNarrow, handle }) {
  useWatched(sensors);
  const now = useNow();
  const sparks = useSparks(sensors, session);
  const [active, setActive] = useState(shown);
  const list = useRef(/** @type {VirtualList | null} */ (null));
  const heights = HEIGHTS[isNarrow ? 'narrow' : 'wide'];
  const tops = useMemo(() => {
    let top = 0;
    return [0, ...rows.map(({ kind }) => (top += heights[kind]))];
  }, [rows, heights]);
  const activeKey = places.has(active) ? active : '';

  useEffect(() => {
    if (list.current?.element) list.current.element.scrollTop = 0;
  }, [query]);
  useEffect(() => {
    if (shown) setActive(shown);
    const at = places.get(shown);
    if (at !== undefined) list.current?.centre(at);
  }, [shown, isNarrow, sensors.complete]);
  handle.current = { focus: () => list.current?.element?.focus() };

  /** @param {number} at */
  const activate = (at) => {
    const place = Math.min(Math.max(at, 0), rows.length - 1);
    if (!rows[place]) return;
    setActive(rows[place].key);
    list.current?.reveal(place, heights.device);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const act = actions({
      ...{ rows, at: places.get(activeKey) ?? -1, page: list.current?.page ?? 1, activate },
      toggle: (row) => toggle(row.key),
      enter: (row) => (row.kind === 'alarms' ? toggle(row.key) : go(addressOf(row))),
    })[event.key];
    if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };

  /** @param {number} at @param {number} top */
  const row = (at, top) => {
    const row = rows[at];
    const common = { key: row.key, row, top, isActive: row.key === activeKey, isShown: row.key === shown, onPick: setActive };
    if (row.kind === 'alarms') return html`<${AlarmsRow} ...${common} onToggle=${toggle} />`;
    if (row.kind === 'device') return html`<${DeviceRow} ...${common} onToggle=${toggle} />`;
    return html`<${SensorRow} ...${common} version=${row.sensor.version} now=${now} spark=${sparks.of(row.sensor.id)} sparks=${sparks} />`;
  };
  const pinned = (/** @type {number} */ first, /** @type {number} */ scrolled) => pin(rows, tops, { first, scrolled }, { toggle, pick: setActive });
  return html`
    <${VirtualList}
      tops=${tops}
      row=${row}
      pinned=${pinned}
      handle=${(/** @type {VirtualList | null} */ made) => (list.current = made)}
      attributes=${{
        class: `states sensors${isNarrow ? ' narrow' : ''}`,
        id: 'sensors',
        role: 'tree',
        tabindex: '0',
        'aria-label': 'Devices and their sensors',
        'aria-activedescendant': activeKey ? rowId(activeKey) : undefined,
        onKeyDown,
      }}
    />
  `;
}

/** The page of a row. @param {import('./rows.js').DeviceRow | import('./rows.js').SensorRow} row */
const addressOf = (row) => (row.kind === 'device' ? `/sensors/device/${row.device.id}` : `/sensors/${row.sensor.id}`);

/** The key of the row whose page it is. @param {string} kind @param {string} id */
export const shownKey = (kind, id) => (id === '' || id === 'new' ? '' : kind ? deviceKey(Number(id)) : sensorKey(Number(id)));

/**
 * The group of the first row in view stays in view, until the next one pushes it away.
 *
 * @param {Row[]} rows
 * @param {number[]} tops
 * @param {{ first: number, scrolled: number }} view
 * @param {{ toggle: (key: string) => void, pick: (key: string) => void }} does
 */
function pin(rows, tops, { first, scrolled }, { toggle, pick }) {
  const at = rows[first].group;
  const group = rows[at];
  let next = at + 1;
  while (next < rows.length && rows[next].group === at) next += 1;
  const pushed = Math.min(0, tops[next] - scrolled - (tops[at + 1] - tops[at]));
  const common = { row: group, top: pushed, isActive: false, isPinned: true, onToggle: toggle, onPick: pick };
  return html`
    <div role="none" class="pin">${group.kind === 'alarms' ? html`<${AlarmsRow} ...${common} />` : html`<${DeviceRow} ...${common} />`}</div>
  `;
}

/**
 * The rows, where each is by its key, and how many were found.
 *
 * @param {import('../live/sensors.js').Sensors} sensors
 * @param {string} query
 * @param {Set<string>} closed
 */
export function useListed(sensors, query, closed) {
  const { structure } = sensors;
  const groups = useMemo(() => groupsOf(sensors), [structure]);
  return useMemo(() => {
    const { rows, found } = rowsOf(groups, query, closed);
    return { rows, found, places: new Map(rows.map((row, at) => [row.key, at])) };
  }, [groups, query, closed]);
}

/**
 * @param {import('../live/sensors.js').Sensors} sensors
 * @param {import('../live/session.js').Session} session
 */
function useSparks(sensors, session) {
  const sparks = useMemo(() => new Sparks(session), []);
  useWatched(sparks);
  const { breaks } = sensors;
  useEffect(() => void (breaks > 0 && sparks.forget()), [breaks]);
  useEffect(() => {
    /** @type {(update: import('../live/sensors.js').Update, isNewest: boolean) => void} */
    const heard = (update, isNewest) => sparks.hear(update, isNewest);
    sensors.listeners.add(heard);
    return () => {
      sensors.listeners.delete(heard);
      sparks.stop();
    };
  }, []);
  return sparks;
}
