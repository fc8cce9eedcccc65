// What the package offers.

/**
 * @typedef {import('./bellwire.js').BellwireOptions} BellwireOptions
 * @typedef {import('./notifications.js').ShownNotifications} ShownNotifications
 * @typedef {import('./station.js').ShownStation} ShownStation
 */

export { Bellwire } from './bellwire.js';
export { useStationWebSocket, useUserNotifications } from './document.js';
export { useNotifications } from './notifications.js';
export { BellwireProvider, useBellwire } from './provider.js';
export { useStation } from './station.js';
