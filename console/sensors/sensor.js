// The page of one sensor: what it says now, how that came to be, its readings, and how it is set up.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { go, link } from '../frame/address.js';
import { Confirm } from '../frame/confirm.js';
import { useNow } from '../frame/now.js';
import { Absent, Back, Close } from '../frame/pane.js';
import { ago, recent, whole } from '../frame/times.js';
import { useWatched } from '../live/watched.js';
import { Chart } from './chart.js';
import { Readings } from './readings.js';
import { Condition, raisedWords } from './row.js';
import { SensorForm } from './sensor-form.js';
import { Value, nameOf, withUnit } from './value.js';

/**
 * @typedef {import('../live/sensors.js').Sensor} Sensor
 * @typedef {import('../live/sensors.js').Device} Device
 * @typedef {import('../main.js').App} App
 */

/** @param {{ app: App, id: number }} props */
export function SensorPane({ app, id }) {
  const { sensors, session } = app;
  useWatched(sensors, session);
  useNow();
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  const sensor = sensors.sensors.get(id);
  const device = sensor && sensors.devices.get(sensor.deviceId);
  if (!sensor || !device) return html`<${Absent} what="sensor" isKnown=${sensors.complete} heading=${heading} to="/sensors" label="Back to all sensors" />`;
  return html`
    <article class="entity-page sensor-page" aria-labelledby="entity-name" data-sensor=${id}>
      <header>
        <${Back} to="/sensors" label="Back to all sensors" />
        <div class="titles">
          <h2 id="entity-name" ref=${heading} tabindex="-1">${nameOf(sensor.type)}</h2>
          <p class="of">
            <a href=${link(`/#/sensors/device/${device.id}`)}>${device.name}</a> <${Condition} device=${device} />
          </p>
        </div>
        <${Close} to="/sensors" />
      </header>
      <${Now} sensor=${sensor} />
      <${Chart} app=${app} sensor=${sensor} />
      <${Readings} app=${app} sensor=${sensor} />
      <${Settings} app=${app} sensor=${sensor} device=${device} />
    </article>
  `;
}

/** @param {{ sensor: Sensor }} props */
function Now({ sensor }) {
  const { value, unit, at, raised, alarm } = sensor;
  return html`
    <div class=${`now${raised ? ' raised' : ''}`}>
      <p class="value" aria-live="off"><${Value} value=${value} unit=${unit} /></p>
      <dl>
        <div><dt>Measured</dt><dd>${at === null ? 'never' : html`<span title=${whole(at)}>${recent(at)}, ${ago(at)}</span>`}</dd></div>
        <div>
          <dt>Alarm</dt>
          <dd role="status" class="alarm">
            ${raised
              ? html`<strong>${raisedWords(sensor)}</strong>${raised.at !== null && html` since <span title=${whole(raised.at)}>${recent(raised.at)}, ${ago(raised.at)}</span>`}`
              : alarm
                ? `none; ${alarmWords(alarm, unit)}`
                : 'not set up'}
          </dd>
        </div>
      </dl>
    </div>
  `;
}

/** When an alarm is raised. @param {import('../live/sensors.js').Alarm} alarm @param {string} unit */
function alarmWords({ above, below }, unit) {
  const parts = [above !== null && `above ${withUnit(above, unit)}`, below !== null && `below ${withUnit(below, unit)}`].filter(Boolean);
  return parts.length === 0 ? 'it has no threshold' : `raised ${parts.join(' or ')}`;
}

/** @param {number | null} days */
const keptWords = (days) => (days === null ? 'for good' : `${days.toLocaleString()} ${days === 1 ? 'day' : 'days'}`);

/** @param {{ app: App, sensor: Sensor, device: Device }} props */
function Settings({ app, sensor, device }) {
  const [isEdited, setEdited] = useState(false);
  const [isAsked, setAsked] = useState(false);
  const edit = useRef(/** @type {HTMLButtonElement | null} */ (null));
  const isAdmin = app.session.role === 'admin';
  const closed = () => {
    setEdited(false);
    setTimeout(() => edit.current?.focus());
  };
  const remove = async (/** @type {import('../frame/act.js').Send} */ send) => {
    await send('DELETE', `/api/sensors/${sensor.id}`);
    await app.sensors.list((path) => send('GET', path));
  };
  return html`
    <section class="settings" aria-labelledby="settings">
      <header>
        <h3 id="settings">Settings</h3>
        ${isAdmin &&
        !isEdited &&
        html`
          <div class="buttons">
            <button type="button" ref=${edit} onClick=${() => setEdited(true)}>Change</button>
            <button type="button" onClick=${() => setAsked(true)}>Delete</button>
          </div>
        `}
      </header>
      ${isEdited ? html`<${SensorForm} app=${app} sensor=${sensor} deviceId=${sensor.deviceId} close=${closed} />` : html`<${Facts} sensor=${sensor} />`}
      ${isAsked &&
      html`
        <${Confirm}
          title=${`Delete ${nameOf(sensor.type)} of ${device.name}?`}
          verb="Delete"
          session=${app.session}
          work=${remove}
          close=${() => setAsked(false)}
          done=${() => go(`/sensors/device/${device.id}`)}
        >
          <p>All its readings go with it.</p>
        </${Confirm}>
      `}
    </section>
  `;
}

/** @param {{ sensor: Sensor }} props */
function Facts({ sensor: { id, type, unit, silenceS, alarm, retention, entityId } }) {
  const { raw_days: raw, hourly_days: hourly, daily_days: daily } = retention;
  return html`
    <dl class="facts">
      <div><dt>Sensor</dt><dd>${id}, <code>${type}</code> in <code>${unit || 'no unit'}</code></dd></div>
      <div><dt>Among the states</dt><dd><a href=${link(`/#/entity/${entityId}`)}>${entityId}</a></dd></div>
      <div><dt>Silent</dt><dd>after ${silenceS.toLocaleString()} s without a reading</dd></div>
      <div>
        <dt>Alarm</dt>
        <dd>
          ${alarm
            ? `${alarmWords(alarm, unit)}; over when ${withUnit(alarm.hysteresis, unit)} back; not again for ${alarm.hold_off_s.toLocaleString()} s`
            : 'none'}
        </dd>
      </div>
      <div><dt>Kept</dt><dd>readings ${keptWords(raw)}, by the hour ${keptWords(hourly)}, by the day ${keptWords(daily)}</dd></div>
    </dl>
  `;
}
