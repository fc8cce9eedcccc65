// What an application in TypeScript sees: this is compiled, and never run.

import { Api, Inbox, Lost, Refused, Stations, Stream, follow, utc } from '@bellwire/client';
import type { Booking, Condition, Events, Feed, Station } from '@bellwire/client';

const stream = new Stream({ url: 'https://live.example', path: '/ws/stations/', query: { snapshot: '1' }, token: 'secret' });

const end: () => void = stream.on('battery_booked', (event) => {
  const battery: number = event.battery_id;
  const cursor: string | undefined = event.cursor;
  // @ts-expect-error: this event has no total
  event.total_batteries;
  // @ts-expect-error: a number is no text
  const text: string = event.station_id;
  return [battery, cursor, text];
});
stream.on('station_status', ({ status }) => status === 'maintenance');
// @ts-expect-error: no such status
stream.on('station_status', ({ status }) => status === 'closed');
stream.on('reset', ({ reason, cursor }: { reason: string; cursor: string }) => [reason, cursor]);
stream.on('stations:snapshot', ({ data }) => data.map(({ available_batteries }) => available_batteries));
stream.on('*', (event) => event.type === 'inventory_update' && event.action === 'book');
stream.on('of_a_later_version', (event) => event.whatever);

const condition: Condition = stream.condition;
// @ts-expect-error: no such condition
stream.condition === 'done';

const booking: Promise<Booking> = stream.call('stations.book', { station_id: 1 }, { retry: true });
booking.catch((error: unknown) => {
  if (error instanceof Refused) return error.status + (error.retryAfterS ?? 0);
  return error instanceof Lost ? error.idempotencyKey : undefined;
});
// @ts-expect-error: a path is needed
new Stream({ url: 'https://live.example' });
new Stream({ path: '/api/ws', showing: 'message', getToken: async ({ isRefused, why }) => (isRefused ? why : null) });
// @ts-expect-error: no such way
new Stream({ path: '/api/ws', showing: 'header' });

const api = new Api({ url: 'https://live.example' });
async function stations() {
  for await (const station of api.list('/api/stations', { limit: 10 })) console.log((station as Station).name);
}

const feed: Feed = new Stations(api, 1);
follow(feed, { url: 'https://live.example' }).start();
// @ts-expect-error: a feed that knows nothing has nothing to go on from
follow(feed, { since: 'e.1' });
const inbox = new Inbox(api);
inbox.markRead('all');
// @ts-expect-error: ids are numbers
inbox.markRead(['1']);

const date: Date = utc('2024-02-27T10:30:00');
const names: (keyof Events)[] = ['battery_added', 'booking_ready'];
// @ts-expect-error: no such event
const wrong: keyof Events = 'battery_stolen';

export { condition, date, end, names, stations, wrong };
