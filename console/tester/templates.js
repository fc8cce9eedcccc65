// Messages to begin with. `payload` is what Socket.IO carries as the event's argument; a plain message has
// `type` before it. What `isPlain` has no place in Socket.IO, which has pings of its own.

/** @type {{ event: string, payload: Record<string, unknown>, isPlain?: boolean }[]} */
export const TEMPLATES = [
  { event: 'states:create', payload: { entity_id: 'light.tester', state: 'on', attributes: { brightness: 100 } } },
  { event: 'states:get', payload: { entity_id: 'light.tester' } },
  { event: 'states:update', payload: { state_id: 1, state: 'off' } },
  { event: 'states:delete', payload: { state_id: 1 } },
  { event: 'states:list', payload: { limit: 10 } },
  { event: 'subscribe_entities', payload: { entity_ids: ['light.tester'] } },
  { event: 'ping', payload: { timestamp: '2026-01-01T00:00:00Z' }, isPlain: true },
];

/** Endpoints to begin with. */
export const PATHS = ['/api/ws', '/api/ws?since=now'];
