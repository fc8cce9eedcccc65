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
  { event: 'sensor_data', payload: { sensor_id: 1, value: 25.5 } },
  { event: 'sensor_data_batch', payload: { readings: [{ sensor_id: 1, value: 25.5 }, { sensor_id: 1, value: 26, timestamp: '2026-01-01T00:00:00Z' }] } },
  { event: 'ping', payload: { timestamp: '2026-01-01T00:00:00Z' }, isPlain: true },
];

/**
 * Where to connect, to begin with: over a plain WebSocket, or by Socket.IO; and what is sent there first.
 *
 * @type {{ name: string, path?: string, namespace?: string, event: string }[]}
 */
export const PLACES = [
  { name: 'States', path: '/api/ws', namespace: '/', event: 'states:create' },
  { name: 'States, with a cursor', path: '/api/ws?since=now', event: 'states:create' },
  { name: 'All sensors', path: '/ws/sensor-data/', namespace: '/sensors', event: 'sensor_data' },
  { name: 'All sensors: as they are, then alarms too', path: '/ws/sensor-data/?snapshot=1&alarms=1', event: 'sensor_data' },
  { name: 'All sensors: averages of 5 s', path: '/ws/sensor-data/?every=5s&agg=avg', event: 'sensor_data' },
  { name: 'Sensors of one device', path: '/ws/device/1/', event: 'sensor_data' },
  { name: 'One sensor', path: '/ws/sensor/1/', event: 'sensor_data' },
];
