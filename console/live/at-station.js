// What is at one station: its batteries, and, for staff, all live bookings of them. Events tell what became of a battery;
// where they do not tell enough, as of one that is given back, all is asked anew.

import { Refused, ask, pages, words } from './api.js';
import { liveOf } from './bookings.js';
import { Lookup } from './lookup.js';
import { Watched } from './watched.js';

/** What nothing tells of, as that another one of the staff marked a booking ready, is seen after so long. */
const LOOKED_MS = 30_000;

/**
 * @typedef {import('../../clients/js/src/resources.js').Battery} Battery
 * @typedef {import('./bookings.js').Booking} Booking
 */

export class AtStation extends Watched {
  /** By id; `null`: not known yet. @type {Battery[] | null} */
  batteries = null;
  /** All live ones, for staff, the oldest first. @type {Booking[] | null} */
  bookings = null;
  /** Who booked a battery, as it was told. @type {Map<number, string>} */
  bookedBy = new Map();
  /** Why something is not known. */
  wrong = '';
  /** Of which listing of stations that holds: what was told between two was not heard. */
  #listings = 0;
  #batteries = new Lookup(() => this.#tries(() => this.#listBatteries()));
  #bookings = new Lookup(() => this.#tries(() => this.#listBookings()));

  /**
   * @param {import('./session.js').Session} session
   * @param {import('./stations.js').Stations} stations
   * @param {number} id
   */
  constructor(session, stations, id) {
    super();
    this.session = session;
    this.stations = stations;
    this.id = id;
    this.#listings = stations.listings;
  }

  /** Follows, until what is returned is called. */
  start() {
    this.stations.listeners.add(this.#hear);
    const timer = setInterval(() => document.hidden || this.#bookings.ask(), LOOKED_MS);
    return () => {
      this.stations.listeners.delete(this.#hear);
      clearInterval(timer);
      this.#batteries.stop();
      this.#bookings.stop();
    };
  }

  /** Looks at all of it. */
  look() {
    if (this.#listings !== this.stations.listings) this.bookedBy.clear();
    this.#listings = this.stations.listings;
    this.#batteries.now();
    this.#bookings.now();
  }

  /** Looks at bookings again, soon. */
  lookAtBookings() {
    this.#bookings.ask();
  }

  /** What is called what, if that is known. @param {number} id */
  nameOf(id) {
    const battery = this.batteries?.find((each) => each.id === id);
    return battery && infoOf(battery);
  }

  /** @param {import('./stations.js').Told} told */
  #hear = (told) => {
    const { type, station_id: stationId, battery_id: batteryId, user } = told;
    if (stationId !== this.id) return;
    if (type === 'battery_booked' && batteryId) {
      if (user) this.bookedBy.set(batteryId, user);
      this.#set(batteryId, 'booked');
      this.#bookings.ask();
    } else if (type === 'battery_collected' && batteryId) {
      this.#set(batteryId, 'collected');
      if (this.bookings) this.bookings = this.bookings.filter(({ battery_id: id }) => id !== batteryId);
      if (this.#bookings.isBusy) this.#bookings.ask();
    } else if (type === 'inventory_update') {
      this.#compare(told);
    }
    this.tell();
  };

  /** Looks again, if the counts are others than those of what is known. @param {import('./stations.js').Told} told */
  #compare({ available_batteries: available, total_batteries: total }) {
    const { batteries } = this;
    const isSame = batteries?.length === total && batteries?.filter(({ status }) => status === 'available').length === available;
    if (!isSame || this.#batteries.isBusy) this.#batteries.ask();
    if (!isSame) this.#bookings.ask();
  }

  /** @param {number} id @param {Battery['status']} status */
  #set(id, status) {
    const known = this.batteries?.find((each) => each.id === id);
    if (!known || !this.batteries || this.#batteries.isBusy) this.#batteries.ask();
    if (this.batteries && status === 'collected') this.batteries = this.batteries.filter((each) => each.id !== id);
    else if (this.batteries) this.batteries = this.batteries.map((each) => (each.id === id ? { ...each, status } : each));
  }

  /** @param {string} path @returns {Promise<any>} */
  #ask = (path) => ask(path, { token: this.session.token });

  /** @param {() => Promise<void>} list */
  async #tries(list) {
    try {
      await list();
      this.wrong = '';
    } catch (error) {
      // That it is gone is said by the page; that there is no network, by the connection.
      this.wrong = error instanceof Refused && error.status !== 404 ? words(error) : '';
    }
    this.tell();
  }

  async #listBatteries() {
    /** @type {Battery[]} */
    const all = [];
    for await (const page of pages(this.#ask, `/api/stations/${this.id}/batteries`)) all.push(...page);
    const known = new Map(this.batteries?.map((battery) => [battery.id, battery]));
    // What is the same stays the same object, and is not drawn again.
    this.batteries = all.map((battery) => sameAs(known.get(battery.id), battery));
  }

  async #listBookings() {
    this.bookings = this.stations.isStaff ? await liveOf(this.#ask, { station_id: String(this.id) }) : null;
  }
}

/** @param {Battery | undefined} known @param {Battery} battery */
function sameAs(known, battery) {
  const isSame = known && known.status === battery.status && known.name === battery.name && known.model === battery.model;
  return isSame ? known : battery;
}

/** A battery as notifications call it. @param {Battery} battery */
export const infoOf = ({ name, model }) => `${name} - ${model}`;
