// The protocol tester: a connection as a client makes it, messages to send, and every frame with its time.

import { html, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { useWatched } from '../live/watched.js';
import { Compose } from './compose.js';
import { LogView } from './log-view.js';
import { Log } from './log.js';
import * as plain from './plain.js';
import { useSettings } from './settings.js';
import * as socketIo from './socket-io.js';
import { PLACES } from './templates.js';

const WORDS = { closed: 'Not connected', connecting: 'Connecting', reconnecting: 'Reconnecting', open: 'Connected' };
const LOOKS = { closed: 'signed-out', connecting: 'connecting', reconnecting: 'offline', open: 'live' };
/** What may be chosen of Socket.IO's transports. */
const TRANSPORTS = [
  { name: 'polling, then WebSocket', value: 'polling,websocket' },
  { name: 'WebSocket', value: 'websocket' },
  { name: 'polling', value: 'polling' },
];

/**
 * @typedef {import('./settings.js').Protocol} Protocol
 * @typedef {{ is: keyof typeof WORDS, attempt: number }} Condition
 */

/** @param {{ app: import('../main.js').App }} props */
export function Tester({ app: { session } }) {
  useWatched(session);
  const log = useMemo(() => new Log(), []);
  const [settings, set] = useSettings();
  // What may be secret is not kept.
  const [secrets, setSecrets] = useState({ token: '', auth: '{}' });
  const { protocol } = settings;
  const [condition, setCondition] = useState(/** @type {Condition} */ ({ is: 'closed', attempt: 0 }));
  /** Where only one of them has room: what is shown. */
  const [side, setSide] = useState(/** @type {'connection' | 'log'} */ ('connection'));
  const [wrong, setWrong] = useState('');
  const made = useRef(/** @type {any} */ (null));
  /** How often a place was chosen: with each comes what is sent there first. */
  const [choices, setChoices] = useState(0);

  const values = { ...settings, ...secrets };
  /** @param {any} change */
  const change = (change) => ('token' in change || 'auth' in change ? setSecrets({ ...secrets, ...change }) : set(change));
  const connect = (/** @type {Event} */ event) => {
    event.preventDefault();
    setWrong('');
    const is = (/** @type {Condition['is']} */ is, attempt = 0) => setCondition({ is, attempt });
    try {
      made.current = protocol === 'plain' ? openPlain(values, log, is) : openSocketIo(values, log, is);
      setSide('log');
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const disconnect = (/** @type {Event} */ event) => {
    event.preventDefault();
    made.current?.close();
  };
  /** @param {typeof PLACES[0]} place */
  const go = ({ path, namespace }) => {
    set(protocol === 'plain' ? { path } : { namespace });
    setChoices(choices + 1);
  };
  const isOpen = condition.is !== 'closed';
  return html`
    <div class=${`tester shows-${side}`}>
      <${Sides} side=${side} setSide=${setSide} condition=${condition} log=${log} />
      <section class=${`controls${isOpen ? ' open' : ''}`} aria-label="Connection">
        <h1>Protocol tester</h1>
        <form onSubmit=${connect}>
          <div class="choice" role="group" aria-label="Protocol">
            ${/** @type {Protocol[]} */ (['plain', 'socket.io']).map(
              (each) => html`
                <button key=${each} type="button" aria-pressed=${each === protocol} disabled=${isOpen} onClick=${() => set({ protocol: each })}>
                  ${each === 'plain' ? 'WebSocket' : 'Socket.IO'}
                </button>
              `,
            )}
          </div>
          <fieldset disabled=${isOpen}>
            <${Field} label="Server" value=${values.server} set=${(/** @type {string} */ server) => set({ server })} inputmode="url" />
            <${Places} settings=${settings} go=${go} />
            ${protocol === 'plain' ? html`<${PlainFields} values=${values} set=${change} />` : html`<${SocketIoFields} values=${values} set=${change} />`}
            <${Credential} values=${values} set=${change} session=${session} isPlain=${protocol === 'plain'} />
          </fieldset>
          <div class="connect">
            ${isOpen
              ? html`<button key="disconnect" type="button" onClick=${disconnect}>Disconnect</button>`
              : html`<button key="connect" type="submit" class="primary">Connect</button>`}
            <p class=${`condition ${LOOKS[condition.is]}`} role="status">${wordsOf(condition)}</p>
          </div>
          ${wrong && html`<p class="wrong" role="alert">${wrong}</p>`}
        </form>
        <${Compose}
          key=${`${protocol} ${choices}`}
          protocol=${protocol}
          first=${placeOf(settings)?.event}
          isOpen=${condition.is === 'open'}
          connection=${made}
          sent=${() => setSide('log')}
        />
      </section>
      <${LogView} log=${log} side=${side} />
    </div>
  `;
}

/** @param {Condition} condition */
const wordsOf = ({ is, attempt }) => (attempt > 0 ? `${WORDS[is]}, attempt ${attempt}` : WORDS[is]);

/**
 * Where there is no room for both: what is shown, the connection or the log.
 *
 * @param {{ side: string, setSide: (side: 'connection' | 'log') => void, condition: Condition, log: Log }} props
 */
function Sides({ side, setSide, condition, log }) {
  useWatched(log);
  return html`
    <div class="sides">
      <div class="choice" role="group" aria-label="Shown">
        <button type="button" aria-pressed=${side === 'connection'} onClick=${() => setSide('connection')}>Connection</button>
        <button type="button" aria-pressed=${side === 'log'} onClick=${() => setSide('log')}>
          Log <span class="count">${log.entries.length.toLocaleString()}</span>
        </button>
      </div>
      <p class=${`condition ${LOOKS[condition.is]}`} role="status">${wordsOf(condition)}</p>
    </div>
  `;
}

/** @param {{ values: any, set: (change: any) => void, session: import('../live/session.js').Session, isPlain: boolean }} props */
function Credential({ values, set, session, isPlain }) {
  const [isShown, setShown] = useState(false);
  const without = {
    user: `The session of ${session.name}`,
    guest: 'None: guests are let in',
    nobody: 'None: sign in, or give a token',
    token: 'None',
    unknown: 'The session, if there is one',
  };
  return html`
    <div class="secret">
      <${Field}
        label="Token"
        type=${isShown ? 'text' : 'password'}
        value=${values.token}
        set=${(/** @type {string} */ token) => set({ token: token.trim() })}
        placeholder=${without[session.kind]}
      />
      <button type="button" aria-pressed=${isShown} aria-label="Show what was typed as token" onClick=${() => setShown(!isShown)}>Show</button>
    </div>
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

/** Which place the settings name. @param {import('./settings.js').Settings} settings */
const placeOf = ({ protocol, path, namespace }) => PLACES.find((each) => (protocol === 'plain' ? each.path === path : each.namespace === namespace));

/** @param {{ settings: import('./settings.js').Settings, go: (place: typeof PLACES[0]) => void }} props */
function Places({ settings, go }) {
  const at = placeOf(settings);
  const offered = PLACES.filter(({ path, namespace }) => (settings.protocol === 'plain' ? path : namespace) !== undefined);
  return html`
    <label>Preset
      <select value=${at?.name ?? ''} onChange=${(/** @type {any} */ event) => go(offered.find(({ name }) => name === event.target.value) ?? offered[0])}>
        ${!at && html`<option value="" disabled>none of these</option>`}
        ${offered.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
    </label>
  `;
}

/** @param {{ values: any, set: (change: any) => void }} props */
function PlainFields({ values, set }) {
  return html`
    <${Field} label="Endpoint" value=${values.path} set=${(/** @type {string} */ path) => set({ path })} />
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
