// Values of sensors as people read them.

import { html } from '../vendor/htm-preact.js';

/** What units that are written as words look like. */
const SIGNS = new Map([
  ['celsius', '°C'],
  ['fahrenheit', '°F'],
  ['kelvin', 'K'],
  ['percent', '%'],
  ['degrees', '°'],
  ['volt', 'V'],
  ['ampere', 'A'],
  ['watt', 'W'],
  ['pascal', 'Pa'],
  ['hectopascal', 'hPa'],
  ['lux', 'lx'],
]);

/** A unit as it stands behind a value. @param {string} unit */
export const sign = (unit) => SIGNS.get(unit.toLowerCase()) ?? unit;

const NUMBER = new Intl.NumberFormat(undefined, { maximumFractionDigits: 6 });
const ROUNDED = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 });

/** A value as it was measured. @param {number} value */
export const exact = (value) => (isPlain(value) ? NUMBER.format(value) : String(value));
/** A value that was computed: an average has no end of digits. @param {number} value */
export const rounded = (value) => (isPlain(value) ? ROUNDED.format(value) : value.toPrecision(5));

/** Whether it is written without an exponent. @param {number} value */
const isPlain = (value) => value === 0 || (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e12);

/** A value with its unit, as words. @param {number} value @param {string} unit @param {(value: number) => string} [words] */
export const withUnit = (value, unit, words = exact) => `${words(value)}${unit && ` ${sign(unit)}`}`;

/** @param {{ value: number | null, unit: string }} props */
export function Value({ value, unit }) {
  if (value === null) return html`<span class="state none">no reading</span>`;
  return html`<span class="state">${exact(value)}</span>${unit && html`${' '}<span class="unit" title=${unit}>${sign(unit)}</span>`}`;
}

/** Types whose letters are not those of a word. */
const NAMES = new Map([
  ['ph', 'pH'],
  ['co2', 'CO₂'],
  ...['ec', 'tds', 'orp', 'voc', 'tvoc', 'uv', 'par', 'ppfd', 'rssi', 'pm1', 'pm10'].map((type) => /** @type {[string, string]} */ ([type, type.toUpperCase()])),
  ['pm25', 'PM2.5'],
  ['pm2_5', 'PM2.5'],
]);

/** What a sensor is called: its type, as words. @param {string} type */
export function nameOf(type) {
  const words = type.replaceAll('_', ' ').trim();
  return NAMES.get(type.toLowerCase()) ?? (words.charAt(0).toUpperCase() + words.slice(1) || type);
}
