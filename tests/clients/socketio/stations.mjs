// Stations, bookings and notifications with the unmodified socket.io-client: events by their names, with the payloads of
// the document "WebSocket API Documentation" (004); calls that are acknowledged, and refused by that.
//
//   node stations.mjs --client socket.io-client-4.8 --transport polling|websocket|upgrade --address HOST:PORT
//     --token ADMIN [--demo]
//
// `--demo`: the server is one.

import { doing, same, script } from '../client.mjs';
import * as expected from '../stations_cast.mjs';
import { Dialer } from './peer.mjs';

const text = { type: 'string', required: true };
const OPTIONS = { client: text, transport: text, demo: { type: 'boolean' } };
const { batteryAdded, batteryBooked, batteryCollected, greeting, inventory, stationStatus } = expected;
/** Whoever asks this is answered once everything before has come. */
const NOTHING = ['stations.get', { station_id: 1 }];

/** Somebody, and the connection. */
class Person {
  constructor(name, peer) {
    Object.assign(this, { name, peer });
  }

  /** Throws unless these are the next events, each with one argument; those of one decision have one time. */
  async hears(...frames) {
    const told = [];
    for (const { type } of frames) {
      doing(`waiting for ${type} of ${this.name}`);
      const [name, ...payloads] = await this.peer.next();
      same(payloads.length, 1, `arguments of ${name} of ${this.name}`);
      told.push({ type: name, ...payloads[0] });
    }
    expected.toldTogether(told, frames, `what ${this.name} is told next`);
  }

  /** What a call is acknowledged with, which must succeed. */
  async asks(event, request) {
    doing(`waiting for the acknowledgement of ${event} of ${this.name}`);
    const { data, ...rest } = await this.peer.ask(event, request);
    same(rest, { success: true }, `the acknowledgement of ${event}`);
    return data;
  }

  /** Throws unless a call is refused in these words, by its acknowledgement, and by an event to who asks for none. */
  async isRefused(event, request, message) {
    doing(`waiting for the refusal of ${event} of ${this.name}`);
    same(await this.peer.ask(event, request), { message }, `the acknowledgement of ${event}`);
    this.peer.socket.emit(event, request);
    await this.hears({ type: 'error', message });
  }
}

await script(60, OPTIONS, async ({ address, token, demo, client, transport }) => {
  const town = await expected.Town.at({ address, token, demo });
  const dial = new Dialer(client, transport);
  const enters = async (name, namespace, auth) => {
    doing(`waiting for ${name} to be connected`);
    return new Person(name, await dial.connect(address, { namespace, auth }));
  };
  const anybody = await enters('anybody', '/stations', {});
  const staff = await enters('staff', '/stations', { token });
  const jane = await enters('jane', '/stations', { token: town.token });
  for (const person of [anybody, staff, jane]) await person.hears(greeting('all_stations'));
  const topics = ['station/1', 'notifications'];
  const named = await enters('who names topics', '/', { token: town.token, topics });
  await named.hears(greeting('notifications'));
  const everybody = [anybody, staff, jane, named];
  const quiet = async () => {
    for (const { peer } of everybody) await peer.settles(...NOTHING);
  };

  const booking = await jane.asks('stations.book', { station_id: 1, battery_id: 5 });
  same([booking.battery_id, booking.user_id, booking.status], [5, '2', 'confirmed'], 'the booking');
  const held = inventory(14, 4, 'book');
  await anybody.hears(batteryBooked(5, 14, 4), held);
  await staff.hears(batteryBooked(5, 14, 4, true), held);
  await jane.hears(batteryBooked(5, 14, 4), held);
  await named.hears(batteryBooked(5, 14, 4), held, expected.bookingConfirmed(booking));
  const ready = await staff.asks('bookings.ready', { booking_id: booking.id });
  same(ready, { ...booking, status: 'ready' }, 'the booking that can be collected');
  await named.hears(expected.bookingReady(booking));
  await quiet();

  await jane.isRefused('stations.book', { station_id: 1, battery_id: 5 }, 'battery 5 is not available');
  await jane.isRefused('stations.book', { station_id: 9 }, 'Station not found: 9');
  await anybody.isRefused('stations.book', { station_id: 1 }, 'authentication required');
  await staff.isRefused('bookings.collect', { booking_id: 9999 }, 'Booking not found: 9999');

  same((await jane.asks('bookings.collect', { booking_id: booking.id })).status, 'collected', 'the booking');
  const brought = { station_id: 1, battery_id: 50, name: 'Tesla Battery', model: 'Model 3' };
  same((await staff.asks('batteries.add', brought)).id, 50, 'the battery that was brought');
  await staff.asks('stations.change', { station_id: 1, status: 'maintenance' });
  await staff.asks('stations.change', { station_id: 1, status: 'online' });
  for (const person of everybody) {
    await person.hears(batteryCollected(5, 14, 3), inventory(14, 3, 'collect'));
    await person.hears(batteryAdded(50, 15, 3), inventory(15, 3, 'add'));
    await person.hears(stationStatus('maintenance', 'Station is under maintenance'), inventory(18, 0, 'update'));
    await person.hears(stationStatus('online', 'Station is now operational'));
  }
  await quiet();

  // Another station is none of theirs who named one; who names it as well hears of it.
  await jane.asks('stations.book', { station_id: 2 });
  for (const { peer } of [anybody, staff, jane]) {
    for (const name of ['battery_booked', 'inventory_update']) same((await peer.next())[0], name, 'what is told of it');
  }
  await named.hears(expected.bookingConfirmed({ id: booking.id + 1 }, 'Airport Station'));
  await quiet();
  const subscribed = await named.peer.ask('subscribe', { topics: ['station/2'] });
  same(subscribed, { success: true, topics: ['station/1', 'notifications', 'station/2'] }, 'what is then listened to');
  await town.notifies();
  await named.hears(expected.SYSTEM_UPDATE);
  await quiet();
  for (const { peer } of everybody) peer.close();
  return `ok: ${client} over ${transport} is told what happens at stations`;
});
