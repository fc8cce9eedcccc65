// The code of a screen that is not paired, large, and as a QR code.

import { html, useEffect, useMemo, useState } from '../vendor/htm-preact.js';
import { useNow } from '../frame/now.js';
import { sentence } from '../live/api.js';
import { useWatched } from '../live/watched.js';
import * as kept from './kept.js';
import { Pairing } from './pairing.js';
import { QrCode } from './qr.js';

/** @param {{ why: string, paired: (token: string) => void }} props `why`: it was paired, and is not any more */
export function PairingView({ why, paired }) {
  const pairing = useMemo(() => new Pairing(kept.name(), paired), []);
  useWatched(pairing);
  useEffect(() => {
    pairing.ask();
    return () => pairing.end();
  }, []);
  const { is, trouble } = pairing;
  useEffect(() => {
    document.body.dataset.connection = trouble ? 'offline' : is;
  }, [is, trouble]);
  return html`
    <main class="pairing-screen">
      ${why && html`<p class="note" role="status">This screen is not paired any more. ${sentence(why)}</p>`}
      ${is === 'denied' ? html`<${Denied} retry=${() => pairing.ask()} />` : html`<${Code} pairing=${pairing} />`}
      ${trouble && html`<p class="trouble offline" role="status">${sentence(trouble)} It is tried again.</p>`}
      <${Name} pairing=${pairing} />
    </main>
  `;
}

/** @param {{ pairing: Pairing }} props */
function Code({ pairing: { code, uri, endsAt, name } }) {
  if (!code) return html`<h1>Asking for a code</h1>`;
  const address = new URL(uri);
  address.searchParams.set('code', code);
  return html`
    <div class="invitation">
      <div>
        <h1>Pair “${name}”</h1>
        <p>Scan this, or open <strong class="address">${uri.replace(/^https?:\/\//, '')}</strong> as an admin and type</p>
        <p class="code mono">${code}</p>
        <${Left} endsAt=${endsAt} />
      </div>
      <${QrCode} text=${address.href} />
    </div>
  `;
}

/** @param {{ endsAt: number }} props */
function Left({ endsAt }) {
  const s = Math.max(0, Math.ceil((endsAt - useNow()) / 1000));
  return html`<p class="left">Another code comes in ${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}</p>`;
}

/** @param {{ retry: () => void }} props */
function Denied({ retry }) {
  return html`
    <section class="denied" role="alert">
      <h1>It was denied</h1>
      <p>An admin did not let this screen in.</p>
      <button type="button" class="primary" onClick=${retry}>Try again</button>
    </section>
  `;
}

/** What admins call it; a code is for a name, so that another name needs another code. @param {{ pairing: Pairing }} props */
function Name({ pairing }) {
  const [typed, setTyped] = useState(pairing.name);
  const rename = (/** @type {Event} */ event) => {
    event.preventDefault();
    pairing.name = typed.trim();
    kept.keepName(pairing.name);
    pairing.ask();
  };
  return html`
    <form class="with-button" onSubmit=${rename}>
      <label>Name of this screen
        <input value=${typed} required autocomplete="off" onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} />
      </label>
      <button type="submit" disabled=${typed.trim() === '' || typed.trim() === pairing.name}>Use this name</button>
    </form>
  `;
}
