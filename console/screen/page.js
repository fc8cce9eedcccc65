// What a tablet on a wall shows, without anybody who touches it: the code to pair it with, and from then on its areas.

import { html, useEffect, useErrorBoundary, useState } from '../vendor/htm-preact.js';
import { HomeView } from './home-view.js';
import * as kept from './kept.js';
import { PairingView } from './pairing-view.js';

/** A page that broke is loaded again after this long: there is nobody to do it. */
const BROKEN_MS = 30_000;

export function Screen() {
  const [error] = useErrorBoundary();
  const [token, setToken] = useState(kept.token);
  /** Why it has to be paired again. */
  const [why, setWhy] = useState('');
  useEffect(() => {
    document.title = 'Screen · Bellwire';
    document.documentElement.classList.add('screen');
  }, []);
  useEffect(() => {
    if (error) setTimeout(() => location.reload(), BROKEN_MS);
  }, [error]);
  const paired = (/** @type {string} */ given) => {
    kept.keepToken(given);
    setWhy('');
    setToken(given);
  };
  const ended = (/** @type {string} */ said) => {
    kept.keepToken(null);
    setWhy(said);
    setToken(null);
  };
  if (error) return html`<main><section class="notice" role="alert"><h1>This page broke</h1><p>It is loaded again in a moment.</p></section></main>`;
  if (token) return html`<${HomeView} key=${token} token=${token} renewed=${paired} ended=${ended} />`;
  return html`<${PairingView} why=${why} paired=${paired} />`;
}
