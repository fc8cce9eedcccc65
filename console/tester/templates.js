// Messages to begin with. `payload` is what Socket.IO carries as the event's argument; a plain message has
// `type` before it.

/** @type {{ name: string, event: string, payload: Record<string, unknown> }[]} */
export const TEMPLATES = [
  { name: 'Create a state', event: 'states:create', payload: { entity_id: 'light.tester', state: 'on', attributes: { brightness: 100 } } },
  { name: 'Get a state', event: 'states:get', payload: { entity_id: 'light.tester' } },
  { name: 'Update a row', event: 'states:update', payload: { state_id: 1, state: 'off' } },
  { name: 'Delete a row', event: 'states:delete', payload: { state_id: 1 } },
  { name: 'List states', event: 'states:list', payload: { limit: 10 } },
  { name: 'Subscribe to entities', event: 'subscribe_entities', payload: { entity_ids: ['light.tester'] } },
  { name: 'Ping', event: 'ping', payload: { timestamp: '2026-01-01T00:00:00Z' } },
];

/** Endpoints to begin with. */
export const PATHS = ['/api/ws', '/api/ws?since=now'];
