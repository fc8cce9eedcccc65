// Somebody who books batteries one after the other, whatever becomes of the server meanwhile, and what has to be told of
// that: each decision once, in order.

import { randomUUID } from 'node:crypto';
import { same, short } from './client.mjs';
import * as expected from './stations_cast.mjs';

const { batteryBooked, batteryCollected, inventory } = expected;
/** How long to wait before a request that was lost is sent again. */
const PAUSE_MS = 20;

export class Bustle {
  /** What is told of the station, and to the user. */
  told = [];
  inbox = [];
  /** All counters that there were, `[available, booked]` each. */
  counters = [[15, 3]];
  #address;
  #token;
  #admin;
  #rounds = 0;

  /** `token` is of who books, `admin` an admin's. */
  constructor(address, token, admin) {
    [this.#address, this.#token, this.#admin] = [address, token, admin];
  }

  /** Books so many batteries, to 15 in all. Every other one is collected, those between are given back. */
  async runs(rounds) {
    for (let round = 0; round < rounds; round += 1) {
      const battery_id = (this.#rounds += 1);
      const booking = await this.#asks('POST', '/api/stations/1/bookings', { battery_id });
      this.#tells('book', -1, 1, (counters) => batteryBooked(battery_id, ...counters));
      await this.#asks('POST', `/api/bookings/${booking.id}/ready`, undefined, this.#admin);
      this.inbox.push(expected.bookingConfirmed(booking), expected.bookingReady(booking));
      if (battery_id % 2 === 0) {
        await this.#asks('POST', `/api/bookings/${booking.id}/collect`);
        this.#tells('collect', 0, -1, (counters) => batteryCollected(battery_id, ...counters));
      } else {
        await this.#asks('DELETE', `/api/bookings/${booking.id}`);
        this.#tells('update', 1, -1);
        this.inbox.push(expected.BOOKING_CANCELLED);
      }
    }
  }

  #tells(action, available, booked, first) {
    const before = this.counters.at(-1);
    const counters = [before[0] + available, before[1] + booked];
    this.counters.push(counters);
    this.told.push(...(first ? [first(counters)] : []), inventory(...counters, action));
  }

  /** Asks until it is answered, with one key: so it is done once. */
  async #asks(method, path, body, token = this.#token) {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', 'Idempotency-Key': randomUUID() };
    for (;;) {
      const response = await this.#sends(path, { method, headers, body: body && JSON.stringify(body) });
      if (response && response.status !== 503) {
        same(response.status < 300, true, `${method} ${path} answers ${response.status} ${short(response.text)}`);
        return response.text === '' ? null : JSON.parse(response.text);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #sends(path, request) {
    try {
      const response = await fetch(`http://${this.#address}${path}`, request);
      return { status: response.status, text: await response.text() };
    } catch {
      return undefined;
    }
  }
}

/** Throws unless exactly this was told, in this order. The cursors are left out. */
export function toldOnce(events, wanted, what) {
  const types = (frames) => frames.map(({ type, battery_id = '', action = '' }) => `${type} ${battery_id}${action}`);
  same(types(events), types(wanted), what);
  for (const [at, { cursor: _, ...event }] of events.entries()) expected.told(event, wanted[at], `${what}, ${at}`);
}
