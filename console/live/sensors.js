// Devices and sensors: what the server listed, and what it told since: readings, whether a device is heard of, alarms.

import { pages } from './api.js';
import { Watched } from './watched.js';

/**
 * @typedef {'active' | 'inactive'} Status
 * @typedef {{ above: number | null, below: number | null, hysteresis: number, hold_off_s: number }} Alarm
 * @typedef {{ raw_days: number | null, hourly_days: number | null, daily_days: number | null }} Retention `null`: for good
 *
 * @typedef {object} Device
 * @property {number} id
 * @property {string} name
 * @property {Status} status
 * @property {number | null} statusAt since when, in ms since 1970, if that was told
 * @property {number | null} heardAt the time of its newest reading
 * @property {number} version counts the changes
 *
 * @typedef {{ state: 'above' | 'below', threshold: number | null, at: number | null }} Raised what raised an alarm, and when;
 *   `null`: before anything was told here
 *
 * @typedef {object} Sensor
 * @property {number} id
 * @property {number} deviceId
 * @property {string} type
 * @property {string} unit
 * @property {number} silenceS after so many seconds without a reading it counts as silent
 * @property {Alarm | null} alarm
 * @property {Retention} retention
 * @property {string} entityId what it is among the states
 * @property {number | null} value of its newest reading; `null`: it has none
 * @property {number | null} at the time of that
 * @property {Raised | null} raised
 * @property {number} flashAt when a reading was heard live, by `performance.now()`; 0: never
 * @property {number} version counts the changes
 *
 * @typedef {{ type: 'sensor_data_update', sensor_id: number, sensor_type: string, device_id: number, device_name: string,
 *   value: number, unit: string, timestamp: string }} Update
 * @typedef {{ sensor_id: number, state: 'above' | 'below' | 'normal', threshold: number | null, timestamp: string }} Told of an
 *   alarm
 */

/** Those of which no settings are known yet. */
const UNKNOWN = { silenceS: 0, alarm: null, retention: { raw_days: null, hourly_days: null, daily_days: null }, entityId: '' };

export class Sensors extends Watched {
  path = '/ws/sensor-data/';
  /** Devices and sensors come and go untold: so all is listed after a break. */
  isReplayedWhole = false;
  #complete = false;
  /** @type {Map<number, Device>} */
  devices = new Map();
  /** @type {Map<number, Sensor>} */
  sensors = new Map();
  /** Changes when devices or sensors come, go or are called otherwise, or an alarm is raised or over. */
  structure = 0;
  /** Changes when everything was listed anew. */
  listings = 0;
  /** Changes when readings may have been missed. */
  breaks = 0;
  /** Whether something was heard of that is not listed. */
  isStale = false;
  /** @type {Set<(update: Update, isNewest: boolean) => void>} Who hears each reading. */
  listeners = new Set();
  /** Listings begun, and the one that is shown. */
  #begun = 0;
  #shown = 0;
  /** Whether the latest readings were told at the start of this connection. */
  #hasReadings = false;
  /** @type {Set<number>} Devices whose status was told since a listing began: it may be older than that. */
  #told = new Set();

  /** @type {Record<string, string>} Who comes back is told what was missed, and is given a snapshot only where that is too much. */
  query = { alarms: '1', snapshot: '1' };

  get complete() {
    return this.#complete;
  }

  /** What was complete and is not any more lacks readings, too. */
  set complete(is) {
    if (this.#complete && !is) [this.#hasReadings, this.breaks] = [false, this.breaks + 1];
    this.#complete = is;
  }

  get isEmpty() {
    return this.devices.size === 0;
  }

  /** Those whose alarm is raised, the newest first. */
  get raised() {
    const raised = [...this.sensors.values()].filter((sensor) => sensor.raised !== null);
    return raised.sort((a, b) => (b.raised?.at ?? 0) - (a.raised?.at ?? 0) || a.id - b.id);
  }

  /** Thousands of sensors are too many for a snapshot: then they are listed, page by page. */
  asksLess() {
    return 'snapshot' in this.query && delete this.query.snapshot;
  }

  /** @param {any} message */
  hear(message) {
    if (message.type === 'sensor_data_update') this.#read(message, true);
    else if (message.type === 'device_status') this.#status(message);
    else if (message.type === 'sensor_alarm') this.#alarm(message);
    else if (message.type === 'sensors:snapshot') this.#snapshot(message);
    else return;
    this.tell();
  }

  /**
   * Names and settings; and readings, unless they were told.
   *
   * @param {(path: string) => Promise<any>} ask
   */
  async list(ask) {
    const listing = (this.#begun += 1);
    this.#told.clear();
    const devices = await all(pages(ask, '/api/devices'));
    const sensors = await all(pages(ask, '/api/sensors'));
    const readings = this.#hasReadings ? [] : await all(pages(ask, '/api/readings'));
    if (listing < this.#shown) return;
    this.#shown = listing;
    for (const device of devices) this.#putDevice(device);
    for (const sensor of sensors) this.#putSensor(sensor);
    for (const reading of readings) this.#read(reading, false);
    // No listing says what is raised; the values do, but for what is within a hysteresis or was held off.
    for (const { sensor_id: id } of readings) this.#imply(this.sensors.get(id));
    this.#keepOnly(this.devices, devices);
    this.#keepOnly(this.sensors, sensors);
    [this.complete, this.#hasReadings, this.isStale] = [true, true, false];
    this.structure += 1;
    this.listings += 1;
    this.tell();
  }

  forget() {
    this.devices.clear();
    this.sensors.clear();
    [this.complete, this.#hasReadings, this.isStale] = [false, false, false];
    this.structure += 1;
    this.tell();
  }

  /** @param {{ devices: any[], data: Update[], alarms: Told[] }} snapshot */
  #snapshot({ devices, data, alarms }) {
    for (const device of devices) this.#status(device);
    for (const update of data) this.#read(update, false);
    const raised = new Map(alarms.map((told) => [told.sensor_id, told]));
    for (const sensor of this.sensors.values()) {
      const told = raised.get(sensor.id);
      // It bears the time of the newest reading, not of the one that raised it.
      const at = sensor.raised?.state === told?.state ? (sensor.raised?.at ?? null) : null;
      this.#is(sensor, told && told.state !== 'normal' ? { state: told.state, threshold: told.threshold, at } : null);
    }
    this.#hasReadings = true;
  }

  /**
   * A reading; the newest one is what the sensor shows. Two within a second bear the same time.
   *
   * @param {Update} update
   * @param {boolean} isLive
   */
  #read(update, isLive) {
    const { sensor_id: id, device_id: deviceId, device_name: name, sensor_type: type, unit, value, timestamp } = update;
    const at = Date.parse(timestamp);
    const device = this.#device(deviceId, name);
    const known = this.sensors.get(id);
    const sensor = known ?? this.#made(id, deviceId, { ...UNKNOWN, type, unit });
    const isNewest = sensor.at === null || at >= sensor.at;
    if (isNewest) {
      Object.assign(sensor, { value, at });
      if (isLive) sensor.flashAt = performance.now();
      sensor.version += 1;
    }
    if (device.heardAt === null || at > device.heardAt) device.heardAt = at;
    device.version += 1;
    if (!known || sensor.deviceId !== deviceId || sensor.type !== type || sensor.unit !== unit) this.isStale = this.complete;
    if (!isLive) return;
    for (const listener of this.listeners) listener(update, isNewest);
  }

  /** @param {{ device_id: number, device_name: string, status: Status, timestamp: string }} told */
  #status({ device_id: id, device_name: name, status, timestamp }) {
    const device = this.#device(id, name);
    this.#told.add(id);
    if (device.status !== status) this.structure += 1;
    Object.assign(device, { status, statusAt: Date.parse(timestamp) });
    device.version += 1;
  }

  /** @param {Told} told */
  #alarm({ sensor_id: id, state, threshold, timestamp }) {
    const sensor = this.sensors.get(id);
    if (sensor) this.#is(sensor, state === 'normal' ? null : { state, threshold, at: Date.parse(timestamp) });
  }

  /** @param {Sensor | undefined} sensor */
  #imply(sensor) {
    if (!sensor?.alarm || sensor.value === null || sensor.raised) return;
    const { above, below } = sensor.alarm;
    if (above !== null && sensor.value > above) this.#is(sensor, { state: 'above', threshold: above, at: null });
    else if (below !== null && sensor.value < below) this.#is(sensor, { state: 'below', threshold: below, at: null });
  }

  /** @param {Sensor} sensor @param {Raised | null} raised */
  #is(sensor, raised) {
    const { raised: before } = sensor;
    if (before?.state === raised?.state && before?.threshold === raised?.threshold && before?.at === raised?.at) return;
    sensor.raised = raised;
    sensor.version += 1;
    this.structure += 1;
  }

  /** A device as it is called now. @param {number} id @param {string} name @returns {Device} */
  #device(id, name) {
    const known = this.devices.get(id);
    if (known) {
      if (known.name !== name) {
        known.name = name;
        this.structure += 1;
      }
      return known;
    }
    /** @type {Device} */
    const made = { id, name, status: 'inactive', statusAt: null, heardAt: null, version: 0 };
    this.devices.set(id, made);
    this.structure += 1;
    this.isStale = this.complete;
    return made;
  }

  /** @param {{ id: number, name: string, status: Status }} listed */
  #putDevice({ id, name, status }) {
    const device = this.#device(id, name);
    if (!this.#told.has(id)) device.status = status;
    device.version += 1;
  }

  /** @param {any} listed */
  #putSensor({ id, device_id: deviceId, sensor_type: type, unit, silence_s: silenceS, alarm, retention, entity_id: entityId }) {
    const settings = { deviceId, type, unit, silenceS, alarm, retention, entityId };
    const sensor = this.sensors.get(id) ?? this.#made(id, deviceId, settings);
    Object.assign(sensor, settings);
    sensor.version += 1;
  }

  /** @param {number} id @param {number} deviceId @param {Pick<Sensor, 'type' | 'unit' | 'silenceS' | 'alarm' | 'retention' | 'entityId'>} settings */
  #made(id, deviceId, settings) {
    /** @type {Sensor} */
    const made = { id, deviceId, ...settings, value: null, at: null, raised: null, flashAt: 0, version: 0 };
    this.sensors.set(id, made);
    this.structure += 1;
    return made;
  }

  /** @param {Map<number, unknown>} known @param {{ id: number }[]} listed */
  #keepOnly(known, listed) {
    const ids = new Set(listed.map(({ id }) => id));
    for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
  }
}

/** @template T @param {AsyncIterable<T[]>} pages @returns {Promise<T[]>} */
async function all(pages) {
  const items = [];
  for await (const page of pages) items.push(...page);
  return items;
}
