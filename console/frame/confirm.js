// Asks once more before something that cannot be taken back.

import { html, useLayoutEffect, useRef } from '../vendor/htm-preact.js';
import { Wrong, useAct } from './act.js';

/**
 * @param {{ title: string, verb: string, leave?: string, children?: any, session: import('../live/session.js').Session,
 *   work: (send: import('./act.js').Send) => Promise<unknown>, close: () => void, done?: () => void }} props
 *   `leave`: what it is called to leave all as it is; `close` when it is not asked any more, `done` when the work is
 */
export function Confirm({ title, verb, leave = 'Cancel', children, session, work, close, done }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const { wrong, act, send } = useAct(session);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const confirm = async () => {
    if (!(await act(() => work(send)))) return;
    // Then what is behind it can have the focus.
    dialog.current?.close();
    done?.();
  };
  return html`
    <dialog class="confirm" ref=${dialog} aria-labelledby="confirm" onClose=${close}>
      <h2 id="confirm">${title}</h2>
      ${children}
      <${Wrong} words=${wrong} />
      <div class="buttons">
        <button type="button" autofocus onClick=${() => dialog.current?.close()}>${leave}</button>
        <button type="button" class="danger" onClick=${confirm}>${verb}</button>
      </div>
    </dialog>
  `;
}
