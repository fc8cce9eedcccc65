// Who books batteries in the scripts about stations, where, and how what is told is compared: the station, the batteries
// and the user of the document "WebSocket API Documentation" (004). A demo has the station; elsewhere an admin makes it.

import { check, requests, same, short } from './client.mjs';

/** Stands in an expected frame for the time of now. */
export const NOW = Symbol('the time of now');

/** The document's address: scripts have another port, and nothing else, in its place. */
const HOST_IN_DOCUMENT = 'localhost:8000';

const BARE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;
const MINUTE_MS = 60_000;
const PASSWORD = 'correct horse';
/** Whose bookings these are, and what others see of that. */
const EMAIL = 'user@example.com';
const MASKED = 'u***@example.com';
const DOWNTOWN = { station_id: 1, station_name: 'Downtown Station' };
const STATIONS = [['Downtown Station', 18], ['Airport Station', 8]];
const BATTERY = { name: 'Tesla Battery', model: 'Model 3' };
/** What the document has: of 18 batteries 3 are booked. */
const BOOKED = 3;

/** The text of a file of the document, with the server's port. */
export function ported(text, address, what) {
  check(text.includes(HOST_IN_DOCUMENT), `${what}: the address to replace is not in it`);
  return text.replaceAll(HOST_IN_DOCUMENT, localhost(address));
}

/** A server's address by the name that the document has for the machine. */
export function localhost(address) {
  return `localhost:${address.split(':').at(-1)}`;
}

/** A server with the document's station, which has 15 batteries for who comes and 3 that are booked. */
export class Town {
  #admin;
  #jane;

  /** `token` is an admin's, of a demo too. */
  static async at({ address, token, demo }) {
    const town = new Town();
    town.#admin = requests({ address, token });
    const user = { password: PASSWORD, email: EMAIL };
    if (demo) {
      await town.#asks('PATCH', '/api/users/2', user, 200);
    } else {
      await town.#asks('POST', '/api/users', { username: 'jane', ...user }, 201);
      await town.#builds(address);
    }
    const { body } = await requests({ address })('POST', '/api/auth/login', town.account);
    check(body?.token, `jane signs in: ${short(body)}`);
    town.token = body.token;
    town.#jane = requests({ address, token: body.token });
    const { body: station } = await requests({ address })('GET', '/api/stations/1');
    same(station, { ...ROW, available_batteries: 15, booked_batteries: 3 }, 'the station, to who looks');
    return town;
  }

  /** Who signs in. */
  account = { username: 'jane', password: PASSWORD };

  async #builds(address) {
    for (const [at, [name, batteries]] of STATIONS.entries()) {
      await this.#asks('POST', '/api/stations', { name }, 201);
      for (let each = 0; each < batteries; each += 1) {
        await this.#asks('POST', `/api/stations/${at + 1}/batteries`, BATTERY, 201);
      }
    }
    const { userId: subject } = await this.#asks('POST', '/api/users', { username: 'john' }, 201);
    const { token } = await this.#asks('POST', '/api/tokens', { role: 'user', subject, scopes: [], ttl: 3600 }, 201);
    const john = requests({ address, token });
    for (let battery_id = 18; battery_id > 18 - BOOKED; battery_id -= 1) {
      same((await john('POST', '/api/stations/1/bookings', { battery_id })).status, 201, 'what John books');
    }
  }

  #asks(method, path, body, status) {
    return asked(this.#admin, method, path, body, status);
  }

  /** Jane books a battery, or any; the booking. */
  books(battery_id, station = 1) {
    return asked(this.#jane, 'POST', `/api/stations/${station}/bookings`, { battery_id }, 201);
  }

  /** Staff say that a booked battery can be collected. */
  readies({ id }) {
    return this.#asks('POST', `/api/bookings/${id}/ready`, undefined, 200);
  }

  /** Jane has collected it. */
  collects({ id }) {
    return asked(this.#jane, 'POST', `/api/bookings/${id}/collect`, undefined, 200);
  }

  /** Jane does not want it. */
  cancels({ id }) {
    return asked(this.#jane, 'DELETE', `/api/bookings/${id}`, undefined, 204);
  }

  /** Staff bring a battery that was not there before. */
  adds(id) {
    return this.#asks('POST', '/api/stations/1/batteries', { ...BATTERY, id }, 201);
  }

  /** Staff say whether the station works. */
  becomes(status) {
    return this.#asks('PATCH', '/api/stations/1', { status }, 200);
  }

  /** The document's notification is sent to all. */
  notifies() {
    const { title, message, level } = SYSTEM_UPDATE;
    return this.#asks('POST', '/api/notifications', { to: 'all', title, message, level }, 201);
  }
}

const ROW = { id: 1, name: DOWNTOWN.station_name, status: 'online', available_batteries: 15, booked_batteries: 3, total_batteries: 18 };

/** What a request is answered. What was undone, as the machine was busy (503), is asked again. */
async function asked(send, method, path, body, wanted) {
  for (let tries = 0; ; tries += 1) {
    const { status, body: answer } = await send(method, path, body);
    if (status === 503 && tries < 5) continue;
    same(status, wanted, `${method} ${path} answers ${short(answer)}, its status`);
    return answer;
  }
}

// What is told, with the document's keys in the document's order.

export const greeting = (place) => ({
  type: 'connection_established',
  message: `Connected to ${place}`,
  ...(place === 'station_1' && { station_id: 1 }),
  ...(place === 'all_stations' && { station_id: null }),
});

export const inventory = (available, booked, action) => ({
  type: 'inventory_update',
  ...DOWNTOWN,
  available_batteries: available,
  booked_batteries: booked,
  total_batteries: available + booked,
  timestamp: NOW,
  action,
});

/** A booking, as all see it, or with `EMAIL` staff. */
export const batteryBooked = (battery_id, available, booked, isStaff = false) => ({
  type: 'battery_booked',
  ...DOWNTOWN,
  battery_id,
  available_batteries: available,
  booked_batteries: booked,
  user: isStaff ? EMAIL : MASKED,
  timestamp: NOW,
});

export const batteryCollected = (battery_id, available, booked) => ({
  type: 'battery_collected',
  ...DOWNTOWN,
  battery_id,
  available_batteries: available,
  booked_batteries: booked,
  timestamp: NOW,
});

export const batteryAdded = (battery_id, available, booked) => ({
  type: 'battery_added',
  ...DOWNTOWN,
  battery_id,
  available_batteries: available,
  total_batteries: available + booked,
  timestamp: NOW,
});

export const stationStatus = (status, message) => ({
  type: 'station_status',
  ...DOWNTOWN,
  status,
  message,
  timestamp: NOW,
});

export const bookingConfirmed = ({ id }, station_name = DOWNTOWN.station_name) => ({
  type: 'booking_confirmed',
  booking_id: id,
  station_name,
  battery_info: `${BATTERY.name} - ${BATTERY.model}`,
  message: `Battery booked successfully at ${station_name}`,
  timestamp: NOW,
});

export const bookingReady = ({ id }) => ({
  type: 'booking_ready',
  booking_id: id,
  station_name: DOWNTOWN.station_name,
  message: `Your battery is ready for collection at ${DOWNTOWN.station_name}`,
  timestamp: NOW,
});

export const SYSTEM_UPDATE = {
  type: 'notification',
  title: 'System Update',
  message: 'New features available!',
  level: 'info',
  timestamp: NOW,
};

export const BOOKING_CANCELLED = {
  type: 'notification',
  title: 'Booking cancelled',
  message: `Your booking at ${DOWNTOWN.station_name} was cancelled`,
  level: 'warning',
  timestamp: NOW,
};

/** Throws unless a frame is this one, its keys in this order. */
export function told(actual, expected, what) {
  const wanted = { ...expected, ...(expected.timestamp === NOW && { timestamp: near(actual, what) }) };
  const text = (value) => JSON.stringify(value);
  check(text(actual) === text(wanted), `${what}: expected ${text(wanted)}, got ${text(actual)}`);
}

/** The time of a frame, if it is that of now, in UTC, without zone and fraction. */
function near(actual, what) {
  const timestamp = actual?.timestamp;
  const age = Math.abs(Date.now() - Date.parse(`${timestamp}Z`));
  check(BARE.test(timestamp) && age < MINUTE_MS, `${what}: the time in ${short(actual)}`);
  return timestamp;
}

/** Throws unless these frames are told in this order, and those of one decision with one time. */
export function toldTogether(actual, expected, what) {
  same(actual.map(({ type }) => type), expected.map(({ type }) => type), what);
  for (const [at, wanted] of expected.entries()) told(actual[at], wanted, what);
  same(new Set(actual.map(({ timestamp }) => timestamp)).size, 1, `${what}: how many different times they have`);
}
