// What an admin does to areas and to the screens that have them, over REST, for scripts whose clients hear of it; and
// the shapes of what they hear.

import { check, keys, requests, same, short } from './client.mjs';

/** The keys of an event about an area, in the documented order. */
export const AREA_KEYS = ['areaId', 'name', 'entityIds', 'isEnabled', 'message', 'timestamp'];

/** What a screen is told that its access has ended. */
export const REVOKED = { message: 'Your access has been revoked by admin' };

/** What the greeting says can be heard. */
const FEATURES = ['area_updates', 'area_assignments', 'token_revocation', 'pairing', 'event_history'];
const MILLISECONDS = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** Requests of an admin, each of which must succeed. They give what is answered. */
export class Admin {
  #send;
  #anyone;

  constructor({ address, token }) {
    /** Requests of who has another token. */
    this.as = (other) => requests({ address, token: other });
    this.#send = this.as(token);
    this.#anyone = this.as();
  }

  async #expects(status, method, path, body, send = this.#send) {
    const answer = await send(method, path, body);
    same(answer.status, status, `${method} ${path} answers ${short(answer.body)}, its status`);
    return answer.body;
  }

  makes(name, entityIds) {
    return this.#expects(201, 'POST', '/api/areas', { name, entityIds });
  }

  area(id) {
    return this.#expects(200, 'GET', `/api/areas/${id}`);
  }

  changes(id, change) {
    return this.#expects(200, 'PUT', `/api/areas/${id}`, change);
  }

  async changesAll(items) {
    return (await this.#expects(200, 'PATCH', '/api/areas', { items })).items;
  }

  toggles(id) {
    return this.#expects(200, 'PATCH', `/api/areas/${id}/toggle`);
  }

  deletes(id) {
    return this.#expects(204, 'DELETE', `/api/areas/${id}`);
  }

  client(id) {
    return this.#expects(200, 'GET', `/api/clients/${id}`);
  }

  assigns(clientId, areaId) {
    return this.#expects(200, 'PUT', `/api/clients/${clientId}/areas/${areaId}`);
  }

  unassigns(clientId, areaId) {
    return this.#expects(204, 'DELETE', `/api/clients/${clientId}/areas/${areaId}`);
  }

  revokes(clientId) {
    return this.#expects(200, 'POST', `/api/clients/${clientId}/revoke`);
  }

  sets(entityId, state) {
    return this.#send('POST', `/api/states/${entityId}`, { state });
  }

  approves(userCode, areaIds) {
    return this.#expects(200, 'POST', `/api/pairing/${userCode}/approve`, { areaIds });
  }

  denies(userCode) {
    return this.#expects(204, 'POST', `/api/pairing/${userCode}/deny`);
  }

  /** Begins a pairing: of a new screen, or with its token of one that is paired. */
  asksToPair(name, send = this.#anyone) {
    return this.#expects(201, 'POST', '/api/pairing', { name }, send);
  }

  /** A screen asks whether it was approved: whatever is answered. */
  polls(deviceCode) {
    return this.#anyone('POST', '/api/pairing/token', { deviceCode });
  }

  /** A new screen with these areas: `{token, clientId, assignedAreas}`. */
  async pairs(name, areaIds) {
    const { deviceCode, userCode } = await this.asksToPair(name);
    await this.approves(userCode, areaIds);
    return this.#expects(200, 'POST', '/api/pairing/token', { deviceCode }, this.#anyone);
  }
}

/**
 * An admin, an area, and a screen that has it: with the token of the demo's screen those that the demo has, else new
 * ones.
 */
export async function cast({ address, token, screen }) {
  const admin = new Admin({ address, token });
  if (screen) return { admin, area: await admin.area('area_123'), clientId: 'client_123', screen };
  const area = await admin.makes('Kitchen', ['light.kitchen']);
  const { clientId, token: paired } = await admin.pairs('Kitchen tablet', [area.id]);
  return { admin, area, clientId, screen: paired };
}

/** Throws unless `data` is what a client with this id is greeted with. */
export function greeting(data, clientId, what = 'the greeting') {
  keys(data, ['clientId', 'message', 'features', 'timestamp'], what);
  const { timestamp, ...rest } = data;
  same(rest, { clientId, message: 'Connected to real-time events', features: FEATURES }, what);
  check(MILLISECONDS.test(timestamp), `${what}: timestamp is ${short(timestamp)}`);
}

/** Throws unless `data` says what happened (`updated`) to such an area. */
export function areaEvent(data, happened, { id, name, entityIds, isEnabled }, more = []) {
  const what = `area_${happened}`;
  keys(data, [...AREA_KEYS, ...more], what);
  const { areaId, message, timestamp } = data;
  same([areaId, data.name, data.entityIds, data.isEnabled], [id, name, entityIds, isEnabled], what);
  same(message, `Area has been ${happened} by admin`, what);
  check(MILLISECONDS.test(timestamp), `${what}: timestamp is ${short(timestamp)}`);
}

/** Throws unless `data` is the event of a refusal with this code. */
export function refused(data, code, what) {
  keys(data, ['error', 'code', 'timestamp'], what);
  same(data.code, code, `${what}: ${short(data.error)}`);
  check(typeof data.error === 'string' && MILLISECONDS.test(data.timestamp), `${what}: ${short(data)}`);
}
