// What the package offers.

/**
 * @typedef {import('./api.js').ApiOptions} ApiOptions
 * @typedef {import('./credential.js').GetToken} GetToken
 * @typedef {import('./credential.js').Showing} Showing
 * @typedef {import('./events.js').Events} Events
 * @typedef {import('./feed.js').Connection} Connection
 * @typedef {import('./feed.js').Feed} Feed
 * @typedef {import('./frames.js').AnyEvent} AnyEvent
 * @typedef {import('./frames.js').Heard} Heard
 * @typedef {import('./resources.js').Battery} Battery
 * @typedef {import('./resources.js').Booking} Booking
 * @typedef {import('./resources.js').InboxItem} InboxItem
 * @typedef {import('./resources.js').Station} Station
 * @typedef {import('./stations.js').Inventory} Inventory
 * @typedef {import('./stations.js').Known} KnownStation
 * @typedef {import('./stream.js').Condition} Condition
 * @typedef {import('./stream.js').StreamOptions} StreamOptions
 */

export { Api } from './api.js';
export { follow } from './feed.js';
export { ask, pages } from './http.js';
export { Inbox } from './inbox.js';
export { Lost, Refused } from './refused.js';
export { Stations, inventoryOf } from './stations.js';
export { Stream } from './stream.js';
export { utc } from './time.js';
export { Watched } from './watched.js';
