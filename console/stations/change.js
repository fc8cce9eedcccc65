// What somebody asks of the server here: one thing at a time, done once however often it is clicked or sent.

import { useRef, useState } from '../vendor/htm-preact.js';
import { newKey } from '../../clients/js/src/keys.js';
import { useAct } from '../frame/act.js';
import { Refused } from '../live/api.js';

/** What was not answered is sent again as the same for so long, in ms: later it is meant anew. */
const KEPT_MS = 60_000;

/**
 * @typedef {(what: string, work: (send: import('../frame/act.js').Send) => Promise<unknown>) => Promise<boolean>} Change
 *   `what` is at work then; whether it was done
 *
 * @param {import('../live/session.js').Session} session
 * @param {{ endedAt: number }} [made] what is made: what is asked for after some of it ended is meant anew
 */
export function useChange(session, made) {
  const { wrong, act, send } = useAct(session);
  const [busy, setBusy] = useState('');
  /** Of what was sent and not answered, and since when that is known. @type {{ current: Map<string, { key: string, since: number }> }} */
  const keys = useRef(new Map());

  /** @type {import('../frame/act.js').Send} */
  const once = async (method, path, body) => {
    if (method !== 'POST') return send(method, path, body);
    const what = `${path} ${JSON.stringify(body)}`;
    const kept = keys.current.get(what);
    const isMeant = kept && performance.now() - kept.since < KEPT_MS && kept.since >= (made?.endedAt ?? 0);
    const key = isMeant ? kept.key : newKey();
    keys.current.delete(what);
    try {
      return await send(method, path, body, key);
    } catch (error) {
      if (!isOfServer(error)) keys.current.set(what, { key, since: performance.now() });
      throw error;
    }
  };

  /** @type {Change} */
  const change = (what, work) =>
    act(async () => {
      setBusy(what);
      try {
        await work(once);
      } finally {
        setBusy('');
      }
    });
  return { wrong, busy, change };
}

/** Whether the server itself refused it: behind a proxy's own page it may have been done. @param {unknown} error */
function isOfServer(error) {
  return error instanceof Refused && error.code !== undefined && error.status !== 502 && error.status !== 504;
}

/**
 * What a click does: the second one of a double click, which may be on another button by then, does nothing.
 *
 * @param {() => void} work
 */
export const onceClicked = (work) => (/** @type {MouseEvent} */ event) => {
  if (event.detail <= 1) work();
};
