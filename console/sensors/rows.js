// The rows of the list: raised alarms, then devices with their sensors, as a search and what is closed leave them.

import { nameOf } from './value.js';

/**
 * @typedef {import('../live/sensors.js').Device} Device
 * @typedef {import('../live/sensors.js').Sensor} Sensor
 * @typedef {{ key: string, kind: 'alarms', count: number, isOpen: boolean, group: number }} AlarmsRow
 * @typedef {{ key: string, kind: 'device', device: Device, count: number, raised: number, isOpen: boolean, group: number }} DeviceRow
 * @typedef {{ key: string, kind: 'alarm' | 'sensor', sensor: Sensor, device: Device, place: number, count: number,
 *   isOpen?: undefined, group: number }} SensorRow
 * @typedef {AlarmsRow | DeviceRow | SensorRow} Row `key` names it, `group` is the row of its group
 */

/** The key of the group of alarms, and that of a device. */
export const ALARMS = 'alarms';
/** @param {number} id */
export const deviceKey = (id) => `device-${id}`;
/** @param {number} id */
export const sensorKey = (id) => `sensor-${id}`;

/**
 * Devices and their sensors in the order of the list, and what a search looks at: made anew only when the structure
 * changes, as a list is searched with each letter.
 *
 * @typedef {{ sensor: Sensor, text: string, id: string }} Member
 * @typedef {{ device: Device, text: string, id: string, members: Member[], raised: number }} Group
 *
 * @param {import('../live/sensors.js').Sensors} sensors
 * @returns {{ groups: Group[], raised: Sensor[] }}
 */
export function groupsOf(sensors) {
  const groups = [...sensors.devices.values()].map((device) => ({ ...keyed(device), device, text: textOf(device), id: String(device.id), members: /** @type {Member[]} */ ([]), raised: 0 }));
  const ofDevice = new Map(groups.map((group) => [group.device.id, group]));
  for (const sensor of sensors.sensors.values()) {
    const group = ofDevice.get(sensor.deviceId);
    if (!group) continue;
    if (sensor.raised) group.raised += 1;
    group.members.push({ sensor, text: textOf(group.device, sensor), id: String(sensor.id) });
  }
  for (const { members } of groups) members.sort(byType);
  return { groups: groups.sort(byKey), raised: sensors.raised };
}

/**
 * @param {ReturnType<typeof groupsOf>} listed
 * @param {string} query every word of it must occur, or be the whole id: parts of ids are in too many of them
 * @param {Set<string>} closed groups that show no rows; a search opens all
 */
export function rowsOf({ groups, raised }, query, closed) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (/** @type {{ text: string, id: string }} */ { text, id }) => words.every((word) => text.includes(word) || word === id);
  const isOpen = (/** @type {string} */ key) => words.length > 0 || !closed.has(key);
  /** @type {Row[]} */
  const rows = [];
  const found = { devices: 0, sensors: 0 };
  /** @type {Map<Sensor, Device>} Those found whose alarm is raised. */
  const alarms = new Map();
  for (const group of groups) {
    const { device } = group;
    const members = group.members.filter(fits);
    if (members.length === 0 && !fits(group)) continue;
    found.devices += 1;
    found.sensors += members.length;
    const [key, count] = [deviceKey(device.id), members.length];
    rows.push({ key, kind: 'device', device, count, raised: group.raised, isOpen: isOpen(key), group: 0 });
    members.forEach(({ sensor }, at) => {
      if (group.raised > 0 && sensor.raised) alarms.set(sensor, device);
      if (isOpen(key)) rows.push({ key: sensorKey(sensor.id), kind: 'sensor', sensor, device, place: at + 1, count, group: 0 });
    });
  }
  if (alarms.size > 0) rows.unshift(...alarmRows(raised, alarms, isOpen(ALARMS)));
  let group = 0;
  rows.forEach((row, at) => {
    if (row.kind === 'device') group = at;
    row.group = group;
  });
  return { rows, found };
}

/** @param {Sensor[]} raised in their order @param {Map<Sensor, Device>} alarms those to show @param {boolean} isOpen @returns {Row[]} */
function alarmRows(raised, alarms, isOpen) {
  const count = alarms.size;
  const shown = isOpen ? raised.filter((sensor) => alarms.has(sensor)) : [];
  return [
    { key: ALARMS, kind: 'alarms', count, isOpen, group: 0 },
    ...shown.map((sensor, at) => {
      const device = /** @type {Device} */ (alarms.get(sensor));
      return { key: `alarm-${sensor.id}`, kind: /** @type {const} */ ('alarm'), sensor, device, place: at + 1, count, group: 0 };
    }),
  ];
}

/** What a search looks at. @param {Device} device @param {Sensor} [sensor] */
function textOf({ name, status }, sensor) {
  const about = sensor ? `${sensor.type} ${nameOf(sensor.type)} ${sensor.unit} ${sensor.entityId}${sensor.raised ? ' alarm' : ''}` : '';
  return `${name} ${status} ${about}`.toLowerCase();
}

/** Numbers in names count as numbers: `Tank 9` comes before `Tank 10`. @param {Device} it */
const keyed = (it) => ({ key: `${it.name.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, '0'))} ${it.id}` });
/** @param {{ key: string }} a @param {{ key: string }} b */
const byKey = (a, b) => (a.key < b.key ? -1 : 1);
/** @param {Member} a @param {Member} b */
const byType = ({ sensor: a }, { sensor: b }) => (a.type === b.type ? a.id - b.id : a.type < b.type ? -1 : 1);
