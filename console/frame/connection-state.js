// Whether what is shown is true now: a word in the header, and a bar below it when it is not.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { sentence } from '../live/api.js';
import { useWatched } from '../live/watched.js';

const WORDS = {
  connecting: 'Connecting',
  'catching-up': 'Catching up',
  live: 'Live',
  offline: 'Offline',
  refused: 'Refused',
  'signed-out': 'Signed out',
};

/** @param {{ connection: import('../live/connection.js').Connection }} props */
export function ConnectionState({ connection }) {
  useWatched(connection);
  const { condition } = connection;
  return html`<p id="connection" class=${`condition ${condition}`} role="status">${WORDS[condition]}</p>`;
}

/** @param {{ connection: import('../live/connection.js').Connection }} props */
export function Trouble({ connection }) {
  useWatched(connection);
  const { condition, why, retryAt } = connection;
  const left = useSecondsTo(retryAt);
  if (condition !== 'offline' && condition !== 'refused') return null;
  const isOffline = condition === 'offline';
  const shown = connection.feed.isEmpty ? 'Nothing is loaded yet.' : 'What you see may be out of date.';
  const what = isOffline ? shown : 'The server does not let this page in.';
  return html`
    <div class=${`trouble ${condition}`}>
      <p>
        <strong>${WORDS[condition]}.</strong> ${what}
        ${why && html` <span class="why">${sentence(why)}</span>`}
      </p>
      <p class="retry">
        ${isOffline && html`<span>${left > 0 ? `Trying again in ${left} s` : 'Trying again'}</span>`}
        <button type="button" onClick=${() => connection.connect()}>${isOffline ? 'Retry now' : 'Try again'}</button>
      </p>
    </div>
  `;
}

/**
 * How many seconds are left, rendered each second.
 *
 * @param {number} at ms since 1970; 0: no time
 */
function useSecondsTo(at) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!at) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [at]);
  return Math.ceil((at - now) / 1000);
}
