// What somebody asks for with a click.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { ask, sentence, words } from '../live/api.js';

/** @typedef {(method: string, path: string, body?: object, key?: string) => Promise<any>} Send */

/**
 * Does one thing at a time, and says what was wrong with the last one, in words. Buttons stay as they are meanwhile:
 * one that is disabled loses the focus.
 *
 * @param {import('../live/session.js').Session} session
 */
export function useAct(session) {
  const [wrong, setWrong] = useState('');
  const isBusy = useRef(false);

  /** Whether it was done. @param {() => Promise<unknown>} work @returns {Promise<boolean>} */
  const act = async (work) => {
    if (isBusy.current) return false;
    isBusy.current = true;
    setWrong('');
    try {
      await work();
      return true;
    } catch (error) {
      setWrong(words(error));
      return false;
    } finally {
      isBusy.current = false;
    }
  };
  /** @type {Send} */
  const send = (method, path, body, key) => ask(path, { method, body, idempotencyKey: key, token: session.token });
  return { wrong, act, send };
}

/**
 * What is so or not: shown as it was asked for, until it has come to be, or was refused.
 *
 * @param {import('../live/session.js').Session} session
 * @param {boolean} is
 * @param {(send: Send, wanted: boolean) => Promise<unknown>} work
 */
export function useToggle(session, is, work) {
  const { wrong, act, send } = useAct(session);
  const [wanted, setWanted] = useState(/** @type {boolean | null} */ (null));
  useEffect(() => {
    if (wanted === is) setWanted(null);
  }, [wanted, is]);
  const set = async (/** @type {boolean} */ next) => {
    setWanted(next);
    if (!(await act(() => work(send, next)))) setWanted(null);
  };
  return { isOn: wanted ?? is, wrong, set };
}

/** What was wrong, as a sentence. @param {{ words: string }} props */
export function Wrong({ words }) {
  return words && html`<p class="wrong" role="alert">${sentence(words)}</p>`;
}
