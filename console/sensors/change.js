// What admins change, and looking at what others did: of both the server tells nothing by itself.

import { useEffect } from '../vendor/htm-preact.js';
import { useAct } from '../frame/act.js';

/** Something unknown was heard of; more of it may come at once. */
const STALE_MS = 500;
/** What others changed is seen after so long at most. */
const LOOKED_MS = 60_000;

/**
 * Does one thing at a time, looks at what came of it, and says what was wrong.
 *
 * @param {import('../main.js').App} app
 */
export function useChange({ session, sensors }) {
  const { wrong, act, send } = useAct(session);
  /** Whether it was done. @param {(send: import('../frame/act.js').Send) => Promise<unknown>} work */
  const change = (work) =>
    act(async () => {
      await work(send);
      await sensors.list((path) => send('GET', path));
    });
  return { wrong, change };
}

/** Looks again at what there is, when something unknown was heard of, and now and then. @param {import('../main.js').App} app */
export function useRefresh({ session, sensors, sensorsConnection }) {
  const { act, send } = useAct(session);
  const isLive = sensorsConnection.condition === 'live';
  const { isStale, listings } = sensors;
  useEffect(() => {
    if (!isLive) return undefined;
    const look = () => document.hidden || act(() => sensors.list((path) => send('GET', path)));
    const timer = setInterval(look, isStale ? STALE_MS : LOOKED_MS);
    return () => clearInterval(timer);
  }, [isLive, isStale, listings]);
}
