// Writes a message: from a template, edited as JSON, sent with a click or Ctrl and Enter.

import { html, useState } from '../vendor/htm-preact.js';
import { parse } from './bytes.js';
import { TEMPLATES } from './templates.js';

/** @param {typeof TEMPLATES[0]} template */
const plainText = ({ event, payload }) => JSON.stringify({ type: event, ...payload }, null, 2);
/** @param {typeof TEMPLATES[0]} template */
const argsText = ({ payload }) => JSON.stringify([payload], null, 2);

/**
 * @param {{ protocol: import('./page.js').Protocol, first?: string, isOpen: boolean, connection: { current: any },
 *   sent: () => void }} props `first`: the event that it begins with
 */
export function Compose({ protocol, first, isOpen, connection, sent }) {
  const [chosen, setChosen] = useState(() => Math.max(TEMPLATES.findIndex(({ event }) => event === first), 0));
  const [plain, setPlain] = useState(plainText(TEMPLATES[chosen]));
  const [event, setEvent] = useState(TEMPLATES[chosen].event);
  const [args, setArgs] = useState(argsText(TEMPLATES[chosen]));
  const [asksForAck, setAsksForAck] = useState(true);
  const isPlain = protocol === 'plain';
  const [text, setText] = isPlain ? [plain, setPlain] : [args, setArgs];
  const problem = check(text, isPlain);

  /** @param {number} at */
  const choose = (at) => {
    setChosen(at);
    setPlain(plainText(TEMPLATES[at]));
    setEvent(TEMPLATES[at].event);
    setArgs(argsText(TEMPLATES[at]));
  };
  const canSend = isOpen && (isPlain || (!problem && event !== ''));
  const send = (/** @type {Event} */ submitted) => {
    submitted.preventDefault();
    if (!canSend) return;
    // Indented to be read; sent as programs write it. What is no JSON goes as it stands.
    if (isPlain) connection.current.send(problem ? text : JSON.stringify(JSON.parse(text)));
    else connection.current.emit(event, parse(text), asksForAck);
    sent();
  };

  return html`
    <form class="compose" aria-label="Message" onSubmit=${send}>
      <label>Template
        <select value=${chosen} onChange=${(/** @type {any} */ changed) => choose(Number(changed.target.value))}>
          ${TEMPLATES.map(({ event, isPlain: isOnlyPlain }, at) => (isPlain || !isOnlyPlain) && html`<option key=${event} value=${at}>${event}</option>`)}
        </select>
      </label>
      ${!isPlain &&
      html`<label>Event <input class="mono" value=${event} spellcheck=${false} onInput=${(/** @type {any} */ typed) => setEvent(typed.target.value)} /></label>`}
      <label>${isPlain ? 'Message' : 'Arguments, a JSON array'}
        <textarea
          rows="9"
          class="mono"
          value=${text}
          spellcheck=${false}
          onInput=${(/** @type {any} */ typed) => setText(typed.target.value)}
          onKeyDown=${(/** @type {KeyboardEvent} */ key) => key.key === 'Enter' && (key.ctrlKey || key.metaKey) && send(key)}
        ></textarea>
      </label>
      ${!isPlain &&
      html`
        <p class="hint">Bytes are written as <code>{"$bytes": "AQID"}</code>, in base64.</p>
        <label class="tick">
          <input type="checkbox" checked=${asksForAck} onChange=${(/** @type {any} */ ticked) => setAsksForAck(ticked.target.checked)} />Ask for an acknowledgement
        </label>
      `}
      <div class="connect">
        <button type="submit" class=${canSend ? 'primary' : ''} disabled=${!canSend} title="Ctrl and Enter">Send</button>
        <p class="hint" role="status">${problem}</p>
      </div>
    </form>
  `;
}

/** What is wrong with a text, in words; empty if nothing is. @param {string} text @param {boolean} isPlain */
function check(text, isPlain) {
  try {
    const value = isPlain ? JSON.parse(text) : parse(text);
    return isPlain || Array.isArray(value) ? '' : 'Arguments are a JSON array.';
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    return isPlain ? 'No JSON: it is sent as it stands.' : 'This is no JSON.';
  }
}
