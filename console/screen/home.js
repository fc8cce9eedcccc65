// What a paired screen shows: its areas and the states of what is in them, over Socket.IO. A break is recovered from by
// the client itself; where the server cannot do that, everything is read anew.

import { Known, areaOf } from '../live/areas.js';
import { Refused, ask, pages } from '../live/api.js';
import { Watched, perFrame } from '../live/watched.js';
import { io } from '../vendor/socket.io.js';

/** The server has this long to answer. */
const ANSWER_MS = 10_000;
/** The pause before trying again what the server did not answer, from half of it to one and a half. */
const PAUSE_MS = 3_000;
/** What is told of an area that is shown. */
const AREA_EVENTS = ['area_added', 'area_updated', 'area_enabled', 'area_disabled'];

/**
 * @typedef {{ state: string, attributes: Record<string, unknown> }} Shown
 * @typedef {{ renewed: (token: string) => void, ended: (why: string) => void }} Ends `renewed`: it was paired anew, and
 *   has another token; `ended`: it is not paired any more
 */

export class Home extends Watched {
  /** @type {'connecting' | 'live' | 'offline'} */
  condition = 'connecting';
  /** @type {Known<import('../live/areas.js').Area>} */
  areas = new Known();
  /** @type {Map<string, Shown>} by entity */
  states = new Map();
  /** Whether it was all here once. */
  isLoaded = false;
  /** Whether what is here holds up to what was heard last. */
  #isWhole = false;
  #isEnded = false;
  #loading = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  /** Many areas may change at once. */
  #reread = perFrame(() => this.#load(false));
  /** There is a network again: no pause needs to be waited for. */
  #online = () => {
    if (this.condition === 'offline') this.socket.disconnect().connect();
  };

  /** @param {string} token @param {Ends} ends */
  constructor(token, ends) {
    super();
    this.token = token;
    this.ends = ends;
    const socket = io(location.origin, { auth: { token, recover: true }, forceNew: true, autoConnect: false });
    this.socket = socket;
    socket.on('connect', () => this.#connected());
    socket.on('disconnect', () => this.#lost(''));
    socket.on('connect_error', (error) => this.#lost(error.message));
    socket.on('token_revoked', ({ message }) => this.#end(message));
    socket.on('pairing_completed', ({ token }) => this.#renewed(token));
    socket.on('state_changed', (change) => this.#changed(change));
    socket.on('area_removed', ({ areaId }) => this.#told(() => this.areas.remove(areaId)));
    for (const event of AREA_EVENTS) {
      socket.on(event, (told) => this.#told(() => this.areas.put(told.areaId, areaOf(told))));
    }
  }

  begin() {
    addEventListener('online', this.#online);
    this.socket.connect();
  }

  end() {
    this.#isEnded = true;
    removeEventListener('online', this.#online);
    clearTimeout(this.#again);
    this.#reread.cancel();
    this.#loading.abort();
    this.socket.disconnect();
  }

  #connected() {
    if (this.socket.recovered && this.#isWhole) this.#is('live');
    else this.#load(true);
  }

  /**
   * Reads the states, after the areas if these are not known. Asking for all states also says that they are to be told
   * from then on, and the answer comes in order with them.
   *
   * @param {boolean} withAreas
   */
  async #load(withAreas) {
    clearTimeout(this.#again);
    this.#loading.abort();
    const { signal } = (this.#loading = new AbortController());
    const isAllMissing = withAreas || !this.#isWhole;
    this.#isWhole = false;
    try {
      if (isAllMissing) await this.areas.list(pages((path) => this.#ask(path, signal), '/api/areas'), ({ id }) => id);
      const { success, data, error } = await this.socket.timeout(ANSWER_MS).emitWithAck('subscribe_entities', {});
      if (signal.aborted) return;
      if (!success) throw new Error(error);
      this.states = new Map(data.map((/** @type {any} */ row) => [row.entity_id, row]));
      this.isLoaded = this.#isWhole = true;
      this.#is('live');
    } catch (error) {
      if (signal.aborted || !this.socket.connected) return;
      if (error instanceof Refused && error.status === 401) this.#end(error.message);
      else this.#again = setTimeout(() => this.#load(true), PAUSE_MS * (0.5 + Math.random()));
    }
  }

  /** @param {string} path @param {AbortSignal} signal */
  async #ask(path, signal) {
    const answer = await ask(path, { token: this.token, signal, credentials: 'omit' });
    signal.throwIfAborted();
    return answer;
  }

  /** What is told of an area holds at once; what may be read then is asked for. @param {() => void} apply */
  #told(apply) {
    apply();
    this.tell();
    this.#reread.ask();
  }

  /** @param {{ entity_id: string, new_state: Shown | null }} change */
  #changed({ entity_id: id, new_state: state }) {
    if (state) this.states.set(id, state);
    else this.states.delete(id);
    this.tell();
  }

  /**
   * What could not be reached is tried again by the client. Who was refused is not paired any more; who was sent away
   * without a word asks whether they are.
   *
   * @param {string} refusal
   */
  #lost(refusal) {
    if (this.#isEnded) return;
    this.#is('offline');
    if (this.socket.active) return;
    if (refusal) this.#end(refusal);
    else this.#again = setTimeout(() => this.socket.connect(), PAUSE_MS * (0.5 + Math.random()));
  }

  /** @param {string} token */
  #renewed(token) {
    this.end();
    this.ends.renewed(token);
  }

  /** @param {string} why */
  #end(why) {
    this.end();
    this.ends.ended(why);
  }

  /** @param {Home['condition']} condition */
  #is(condition) {
    this.condition = condition;
    this.tell();
  }
}
