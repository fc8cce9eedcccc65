// The protocol tester: a connection as a client makes it, messages to send, and every frame with its time.

import { html, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { useWatched } from '../live/watched.js';
import { Log } from './log.js';
import { LogView } from './log-view.js';
import { Compose } from './compose.js';
import * as plain from './plain.js';
import * as socketIo from './socket-io.js';
import { PATHS } from './templates.js';

const WORDS = { closed: 'Not connected', connecting: 'Connecting', open: 'Connected' };
/** What may be chosen of Socket.IO's transports. */
const TRANSPORTS = [
  { name: 'polling, then WebSocket', value: 'polling,websocket' },
  { name: 'WebSocket', value: 'websocket' },
  { name: 'polling', value: 'polling' },
];

/** @typedef {'plain' | 'socket.io'} Protocol */

/** @param {{ app: import('../main.js').App }} props */
export function Tester({ app: { session } }) {
  useWatched(session);
  const log = useMemo(() => new Log(), []);
  const [protocol, setProtocol] = useState(firstProtocol);
  const [condition, setCondition] = useState(/** @type {keyof typeof WORDS} */ ('closed'));
  const [values, setValues] = useState({
    ...{ server: location.origin, path: '/api/ws', token: '', how: 'message' },
    ...{ namespace: '/', socketIoPath: '/socket.io/', auth: '{}', transports: 'polling,websocket' },
    ...{ reconnects: true, acknowledges: true },
  });
  const [wrong, setWrong] = useState('');
  const made = useRef(/** @type {any} */ (null));

  /** @param {Partial<typeof values>} change */
  const set = (change) => setValues((before) => ({ ...before, ...change }));
  const connect = (/** @type {Event} */ event) => {
    event.preventDefault();
    setWrong('');
    try {
      made.current = protocol === 'plain' ? openPlain(values, log, setCondition) : openSocketIo(values, log, setCondition);
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const disconnect = (/** @type {Event} */ event) => {
    event.preventDefault();
    made.current?.close();
  };
  const isOpen = condition !== 'closed';
  return html`
    <div class="tester">
      <section class="controls" aria-label="Connection">
        <h1>Protocol tester</h1>
        <form onSubmit=${connect}>
          <div class="choice" role="group" aria-label="Protocol">
            ${/** @type {Protocol[]} */ (['plain', 'socket.io']).map(
              (each) => html`
                <button key=${each} type="button" aria-pressed=${each === protocol} disabled=${isOpen} onClick=${() => setProtocol(each)}>
                  ${each === 'plain' ? 'WebSocket' : 'Socket.IO'}
                </button>
              `,
            )}
          </div>
          <fieldset disabled=${isOpen}>
            <${Field} label="Server" value=${values.server} set=${(/** @type {string} */ server) => set({ server })} inputmode="url" />
            ${protocol === 'plain' ? html`<${PlainFields} values=${values} set=${set} />` : html`<${SocketIoFields} values=${values} set=${set} />`}
            <${Credential} values=${values} set=${set} session=${session} isPlain=${protocol === 'plain'} />
          </fieldset>
          <div class="connect">
            ${isOpen
              ? html`<button key="disconnect" type="button" onClick=${disconnect}>Disconnect</button>`
              : html`<button key="connect" type="submit" class="primary">Connect</button>`}
            <p class=${`condition ${{ closed: 'signed-out', connecting: 'connecting', open: 'live' }[condition]}`} role="status">${WORDS[condition]}</p>
          </div>
          ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
        </form>
        <${Compose} key=${protocol} protocol=${protocol} isOpen=${condition === 'open'} connection=${made} />
      </section>
      <${LogView} log=${log} />
    </div>
  `;
}

/** What whoever came by this address came for: document 001 is about Socket.IO, 002 about plain WebSockets. */
function firstProtocol() {
  return /** @type {Protocol} */ (location.pathname.startsWith('/docs/') ? 'socket.io' : 'plain');
}

/** @param {{ values: any, set: (change: any) => void, session: import('../live/session.js').Session, isPlain: boolean }} props */
function Credential({ values, set, session, isPlain }) {
  const without = {
    user: `The session of ${session.name}`,
    guest: 'None: guests are let in',
    nobody: 'None: sign in, or give a token',
    token: 'None',
    unknown: 'The session, if there is one',
  };
  return html`
    <${Field} label="Token" value=${values.token} set=${(/** @type {string} */ token) => set({ token: token.trim() })} placeholder=${without[session.kind]} />
    ${isPlain &&
    values.token &&
    html`
      <label>Shown as
        <select value=${values.how} onChange=${(/** @type {any} */ event) => set({ how: event.target.value })}>
          <option value="message">first message</option>
          <option value="query">?token= in the address</option>
        </select>
      </label>
    `}
  `;
}

/** @param {any} values @param {Log} log @param {(condition: any) => void} is */
function openPlain({ server, path, token, how }, log, is) {
  return plain.connect({ server: serverOf(server), path, token, how }, log, is);
}

/** @param {any} values @param {Log} log @param {(condition: any) => void} is */
function openSocketIo(values, log, is) {
  const { token, namespace, socketIoPath: path, reconnects, acknowledges } = values;
  const [server, transports] = [serverOf(values.server), values.transports.split(',')];
  const auth = objectOf(values.auth);
  const hasCookie = new URL(server).origin === location.origin;
  return socketIo.connect({ server, namespace, path, token, auth, transports, reconnects, acknowledges, hasCookie }, log, is);
}

/** An address of a server, also one of WebSockets, as `http` or `https`. @param {string} text */
function serverOf(text) {
  try {
    const url = new URL(text.trim().replace(/^ws/, 'http'));
    if (/^https?:$/.test(url.protocol)) return url.origin;
  } catch {
    // Said below.
  }
  throw new Error('Server: an address like http://localhost:8080');
}

/** @param {string} text */
function objectOf(text) {
  try {
    const value = JSON.parse(text || '{}');
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch {
    // Said below.
  }
  throw new Error('Auth: a JSON object');
}

/** @param {{ label: string, value: string, set: (value: string) => void, [attribute: string]: unknown }} props */
function Field({ label, value, set, ...attributes }) {
  return html`
    <label>${label}
      <input
        ...${attributes}
        value=${value}
        autocomplete="off"
        autocapitalize="off"
        spellcheck=${false}
        onInput=${(/** @type {any} */ event) => set(event.target.value)}
      />
    </label>
  `;
}

/** @param {{ values: any, set: (change: any) => void }} props */
function PlainFields({ values, set }) {
  return html`
    <${Field} label="Endpoint" value=${values.path} set=${(/** @type {string} */ path) => set({ path })} list="paths" />
    <datalist id="paths">${PATHS.map((path) => html`<option key=${path} value=${path}></option>`)}</datalist>
  `;
}

/** @param {{ values: any, set: (change: any) => void }} props */
function SocketIoFields({ values, set }) {
  const tick = (/** @type {string} */ name, /** @type {string} */ words) => html`
    <label class="tick">
      <input type="checkbox" checked=${values[name]} onChange=${(/** @type {any} */ event) => set({ [name]: event.target.checked })} />${words}
    </label>
  `;
  return html`
    <div class="two">
      <${Field} label="Namespace" value=${values.namespace} set=${(/** @type {string} */ namespace) => set({ namespace })} />
      <${Field} label="Path" value=${values.socketIoPath} set=${(/** @type {string} */ socketIoPath) => set({ socketIoPath })} />
    </div>
    <label>Transport
      <select value=${values.transports} onChange=${(/** @type {any} */ event) => set({ transports: event.target.value })}>
        ${TRANSPORTS.map(({ name, value }) => html`<option key=${value} value=${value}>${name}</option>`)}
      </select>
    </label>
    <${Field} label="Auth, JSON" value=${values.auth} set=${(/** @type {string} */ auth) => set({ auth })} class="mono" />
    ${tick('reconnects', 'Come back after a break')} ${tick('acknowledges', 'Acknowledge events that ask for it')}
  `;
}
