// Rows of the list of sensors.

import { Component, html } from '../vendor/htm-preact.js';
import { Icon } from '../frame/icon.js';
import { ago, recent, whole } from '../frame/times.js';
import { pathOf } from './sparks.js';
import { Value, nameOf, withUnit } from './value.js';

/** How long a reading is shown by a colour, in ms; the animation in `states.css` takes as long. */
const FLASH_MS = 1500;

/** The element of a row. @param {string} key */
export const rowId = (key) => `row-${key}`;

/**
 * A sensor under its device, or among the alarms. It renders again only if something that it shows has changed.
 *
 * @typedef {{ row: import('./rows.js').SensorRow, version: number, top: number, now: number,
 *   spark: import('./sparks.js').Spark | null, sparks: import('./sparks.js').Sparks, isActive: boolean, isShown: boolean,
 *   onPick: (key: string) => void }} Props `now`: the time, by which it says how long ago things were
 *
 * @extends {Component<Props>}
 */
export class SensorRow extends Component {
  componentDidMount() {
    if (this.props.row.kind === 'sensor') this.props.sparks.want(this.props.row.sensor.id);
  }

  componentWillUnmount() {
    this.props.sparks.leave(this.props.row.sensor.id);
  }

  /** @param {Props} next */
  shouldComponentUpdate(next) {
    const now = this.props;
    return (
      next.row !== now.row ||
      next.version !== now.version ||
      next.top !== now.top ||
      next.now !== now.now ||
      next.spark !== now.spark ||
      next.isActive !== now.isActive ||
      next.isShown !== now.isShown
    );
  }

  /** @param {Props} props */
  render({ row, version, top, now, spark, isActive, isShown, onPick }) {
    const { key, kind, sensor, device, place, count } = row;
    const isAlarm = kind === 'alarm';
    // Another name for each reading, so that the animation begins anew.
    const isNew = sensor.flashAt > 0 && performance.now() - sensor.flashAt < FLASH_MS;
    const classes = ['row', kind, isActive && 'active', isNew && !isAlarm && `flash-${version % 2}`, sensor.raised && 'raised', device.status === 'inactive' && 'silent'];
    return html`
      <a
        id=${rowId(key)}
        class=${classes.filter(Boolean).join(' ')}
        href=${`#/sensors/${sensor.id}`}
        data-sensor-id=${sensor.id}
        role="treeitem"
        aria-level="2"
        aria-posinset=${place}
        aria-setsize=${count}
        aria-selected=${isShown && !isAlarm}
        tabindex="-1"
        style=${{ transform: `translateY(${top}px)` }}
        onClick=${() => onPick(key)}
      >
        <span class="name" title=${`Sensor ${sensor.id}`}>${nameOf(sensor.type)}${isAlarm && html`${' '}<span class="of">${device.name}</span>`}</span>
        <span class=${`value${sensor.value === null ? ' muted' : ''}`}><${Value} value=${sensor.value} unit=${sensor.unit} /></span>
        ${isAlarm
          ? html`<span class="by">${raisedWords(sensor)}</span><span class="since">${sinceWords(sensor)}</span><${When} at=${sensor.raised?.at ?? null} />`
          : html`
              <span class="last-hour">${spark && html`<${Line} points=${spark.points} now=${now} />`}</span>
              <span class="by">${raisedWords(sensor)}</span>
              <${When} at=${sensor.at} />
            `}
      </a>
    `;
  }
}

/** What raised its alarm. @param {import('../live/sensors.js').Sensor} sensor */
export function raisedWords({ raised, unit }) {
  return raised && (raised.threshold === null ? raised.state : `${raised.state} ${withUnit(raised.threshold, unit)}`);
}

/** Since when. @param {import('../live/sensors.js').Sensor} sensor */
const sinceWords = ({ raised }) => raised?.at != null && `since ${recent(raised.at)}`;

/** @param {{ points: import('./sparks.js').Point[], now: number }} props */
function Line({ points, now }) {
  return html`
    <svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true" focusable="false">
      <path d=${pathOf(points, now)} fill="none" vector-effect="non-scaling-stroke" />
    </svg>
  `;
}

/** How long ago something was. @param {{ at: number | null }} props */
export function When({ at }) {
  if (at === null) return html`<span class="when"></span>`;
  return html`<time class="when" dateTime=${new Date(at).toISOString()} title=${whole(at)}>${ago(at)}</time>`;
}

/**
 * @param {{ row: import('./rows.js').DeviceRow, top: number, isActive: boolean, isShown?: boolean, isPinned?: boolean,
 *   onToggle: (key: string) => void, onPick: (key: string) => void }} props
 */
export function DeviceRow({ row, top, isActive, isShown, isPinned, onToggle, onPick }) {
  const { key, device, count, raised, isOpen } = row;
  const toggle = (/** @type {Event} */ event) => {
    event.preventDefault();
    event.stopPropagation();
    onToggle(key);
  };
  return html`
    <a
      ...${roleOf(row, isPinned)}
      aria-selected=${isPinned ? undefined : isShown === true}
      class=${`row device group${isActive && !isPinned ? ' active' : ''}${isOpen ? ' open' : ''}${isPinned ? ' pinned' : ''}`}
      href=${`#/sensors/device/${device.id}`}
      data-device-id=${isPinned ? undefined : device.id}
      tabindex="-1"
      style=${{ transform: `translateY(${top}px)` }}
      onClick=${() => onPick(key)}
    >
      <span class="opens" onClick=${toggle} title=${isOpen ? 'Close' : 'Open'}><${Icon} name="chevron" /></span>
      <span class="name">${device.name}</span>
      ${raised > 0 && html`<span class="alarms" title="Raised alarms">${raised}<span> ${raised === 1 ? 'alarm' : 'alarms'}</span></span>`}
      <span class="count">${count} ${count === 1 ? 'sensor' : 'sensors'}</span>
      <${Condition} device=${device} />
    </a>
  `;
}

/** Whether a device is heard of, and since when it is so. @param {{ device: import('../live/sensors.js').Device }} props */
export function Condition({ device: { status, statusAt, heardAt } }) {
  const isActive = status === 'active';
  const at = isActive ? heardAt : (heardAt ?? statusAt);
  const since = statusAt === null ? '' : `${isActive ? 'Active' : 'Inactive'} since ${recent(statusAt)}`;
  const heard = heardAt === null ? 'never heard' : `heard ${ago(heardAt)}`;
  return html`
    <span class=${`condition ${isActive ? 'live' : 'signed-out'}`} title=${since}>
      ${isActive ? 'Active' : 'Inactive'}<span class="heard">, ${at === null ? 'never heard' : heard}</span>
    </span>
  `;
}

/** @param {{ row: import('./rows.js').AlarmsRow, top: number, isActive: boolean, isPinned?: boolean, onToggle: (key: string) => void }} props */
export function AlarmsRow({ row, top, isActive, isPinned, onToggle }) {
  const { key, count, isOpen } = row;
  return html`
    <div
      ...${roleOf(row, isPinned)}
      class=${`row alarms group${isActive && !isPinned ? ' active' : ''}${isOpen ? ' open' : ''}${isPinned ? ' pinned' : ''}`}
      style=${{ transform: `translateY(${top}px)` }}
      onClick=${() => onToggle(key)}
    >
      <span class="opens"><${Icon} name="chevron" /></span><span class="name">Raised alarms</span><span class="count">${count}</span>
    </div>
  `;
}

/**
 * What stays at the top repeats a row that is there already, for those who see.
 *
 * @param {{ key: string, isOpen: boolean }} row
 * @param {boolean} [isPinned]
 */
function roleOf({ key, isOpen }, isPinned) {
  return isPinned ? { 'aria-hidden': 'true' } : { id: rowId(key), role: 'treeitem', 'aria-level': '1', 'aria-expanded': String(isOpen) };
}
