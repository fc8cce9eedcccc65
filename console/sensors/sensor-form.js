// Adds a sensor to a device, or changes one.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { useChange } from './change.js';

/** Types and units to begin with. */
const TYPES = ['temperature', 'humidity', 'pressure', 'co2', 'ph', 'ec', 'light', 'moisture', 'water_level', 'power'];
const UNITS = ['celsius', 'percent', 'hPa', 'ppm', 'pH', 'mS/cm', 'lux', 'cm', 'watt'];

/**
 * @typedef {import('../live/sensors.js').Sensor} Sensor
 * @typedef {Record<string, string>} Typed what is in the fields, as text
 *
 * @param {{ app: import('../main.js').App, sensor: Sensor | null, deviceId: number, close: () => void }} props `sensor`:
 *   `null` if it is a new one
 */
export function SensorForm({ app, sensor, deviceId, close }) {
  const { wrong, change } = useChange(app);
  const [typed, setTyped] = useState(() => textsOf(sensor));
  const [hasAlarm, setHasAlarm] = useState(sensor?.alarm != null);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => /** @type {HTMLInputElement | null} */ (form.current?.elements.namedItem('type'))?.focus(), []);
  const field = (/** @type {string} */ name) => ({
    name,
    value: typed[name],
    onInput: (/** @type {any} */ event) => setTyped({ ...typed, [name]: event.target.value }),
  });
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const body = bodyOf(typed, hasAlarm);
    const isDone = await change((send) =>
      sensor ? send('PATCH', `/api/sensors/${sensor.id}`, body) : send('POST', '/api/sensors', { device_id: deviceId, ...body }),
    );
    if (isDone) close();
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    close();
  };
  return html`
    <form class="card sensor-form" ref=${form} aria-label=${sensor ? 'Change the sensor' : 'New sensor'} onSubmit=${save} onKeyDown=${onKeyDown}>
      <div class="fields">
        <label>Type <input ...${field('type')} required list="sensor-types" autocomplete="off" autocapitalize="off" spellcheck=${false} /></label>
        <label>Unit <input ...${field('unit')} list="sensor-units" autocomplete="off" autocapitalize="off" spellcheck=${false} /></label>
        <label>Silent after, in s <input ...${field('silence')} ...${WHOLE} required /></label>
      </div>
      <${Offers} id="sensor-types" all=${TYPES} />
      <${Offers} id="sensor-units" all=${UNITS} />
      <label class="tick"><input type="checkbox" checked=${hasAlarm} onChange=${(/** @type {any} */ event) => setHasAlarm(event.target.checked)} />Alarm</label>
      ${hasAlarm &&
      html`
        <div class="fields">
          <label>Above <input ...${field('above')} ...${NUMBER} placeholder="no threshold" /></label>
          <label>Below <input ...${field('below')} ...${NUMBER} placeholder="no threshold" /></label>
          <label title="How far back the value has to be for the alarm to be over">Hysteresis <input ...${field('hysteresis')} ...${NUMBER} min="0" required /></label>
          <label title="For so long after one was raised there is no other">Hold-off, in s <input ...${field('holdOff')} ...${WHOLE} required /></label>
        </div>
      `}
      <fieldset>
        <legend>How many days are kept</legend>
        <div class="fields">
          <label>Each reading <input ...${field('raw')} ...${WHOLE} placeholder="for good" /></label>
          <label>By the hour <input ...${field('hourly')} ...${WHOLE} placeholder="for good" /></label>
          <label>By the day <input ...${field('daily')} ...${WHOLE} placeholder="for good" /></label>
        </div>
      </fieldset>
      <${Wrong} words=${wrong} />
      <div class="buttons">
        <button type="submit" class="primary">${sensor ? 'Save' : 'Add it'}</button>
        <button type="button" onClick=${close}>Cancel</button>
      </div>
    </form>
  `;
}

const NUMBER = { type: 'number', step: 'any', inputmode: 'decimal' };
const WHOLE = { type: 'number', step: '1', min: '0', inputmode: 'numeric' };

/** @param {{ id: string, all: string[] }} props */
function Offers({ id, all }) {
  return html`<datalist id=${id}>${all.map((each) => html`<option key=${each} value=${each}></option>`)}</datalist>`;
}

/** What a field shows. @param {number | null} value */
const text = (value) => (value === null ? '' : String(value));

/** @param {Sensor | null} sensor @returns {Typed} */
function textsOf(sensor) {
  const { above = null, below = null, hysteresis = 0, hold_off_s: holdOff = 60 } = sensor?.alarm ?? {};
  const { raw_days: raw, hourly_days: hourly, daily_days: daily } = sensor?.retention ?? { raw_days: 730, hourly_days: 3_650, daily_days: null };
  return {
    ...{ type: sensor?.type ?? '', unit: sensor?.unit ?? '', silence: text(sensor?.silenceS ?? 300) },
    ...{ above: text(above), below: text(below), hysteresis: text(hysteresis), holdOff: text(holdOff) },
    ...{ raw: text(raw), hourly: text(hourly), daily: text(daily) },
  };
}

/** What is sent of it. @param {Typed} typed @param {boolean} hasAlarm */
function bodyOf(typed, hasAlarm) {
  const number = (/** @type {string} */ name) => (typed[name].trim() === '' ? null : Number(typed[name]));
  const alarm = { above: number('above'), below: number('below'), hysteresis: number('hysteresis'), hold_off_s: number('holdOff') };
  return {
    ...{ sensor_type: typed.type.trim(), unit: typed.unit.trim(), silence_s: number('silence') },
    alarm: hasAlarm ? alarm : null,
    retention: { raw_days: number('raw'), hourly_days: number('hourly'), daily_days: number('daily') },
  };
}
