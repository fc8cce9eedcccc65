// How the tester connects, kept over a reload; what may be secret is not among it.

import { useState } from '../vendor/htm-preact.js';

/** What the page opens with at first. */
const FIRST = {
  ...{ server: location.origin, path: '/api/ws', how: 'message' },
  ...{ namespace: '/', socketIoPath: '/socket.io/', transports: 'polling,websocket' },
  ...{ reconnects: true, acknowledges: true },
};

/**
 * @typedef {'plain' | 'socket.io'} Protocol
 * @typedef {typeof FIRST & { protocol: Protocol }} Settings
 */

/**
 * The settings, kept by the browser for this tab.
 *
 * @returns {[Settings, (change: Partial<Settings>) => void]}
 */
export function useSettings() {
  const [settings, setSettings] = useState(stored);
  const set = (/** @type {Partial<Settings>} */ change) => {
    const next = { ...settings, ...change };
    setSettings(next);
    // An address may hold a credential.
    const kept = { ...next, path: /[?&](token|ticket)=/.test(next.path) ? FIRST.path : next.path };
    try {
      sessionStorage.setItem(key(), JSON.stringify(kept));
    } catch {
      // They hold as long as the page.
    }
  };
  return [settings, set];
}

/** One for each address: they begin with different protocols. */
const key = () => `bellwire.tester ${location.pathname}`;

/** @returns {Settings} */
function stored() {
  const first = /** @type {Settings} */ ({ ...FIRST, ...firstPlace() });
  try {
    const kept = JSON.parse(sessionStorage.getItem(key()) ?? '{}');
    const known = Object.entries(first).map(([name, value]) => [name, typeof kept[name] === typeof value ? kept[name] : value]);
    return Object.fromEntries(known);
  } catch {
    return first;
  }
}

/**
 * What whoever came by this address came for: document 001 is about Socket.IO, 002 about sensors over plain WebSockets.
 *
 * @returns {{ protocol: Protocol, path?: string }}
 */
function firstPlace() {
  return location.pathname.startsWith('/docs/') ? { protocol: 'socket.io' } : { protocol: 'plain', path: '/ws/sensor-data/' };
}
