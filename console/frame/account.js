// Who is signed in, and the way in or out.

import { html, useState } from '../vendor/htm-preact.js';
import { words } from '../live/api.js';
import { useWatched } from '../live/watched.js';
import { link } from './address.js';

/** @param {{ app: import('../main.js').App, offersSignIn: boolean }} props `offersSignIn` to those whom no page asks */
export function Account({ app: { session, restart }, offersSignIn }) {
  useWatched(session);
  const [problem, setProblem] = useState('');
  const leave = async () => {
    try {
      await session.signOut();
      setProblem('');
      restart();
    } catch (error) {
      setProblem(words(error));
    }
  };
  if (session.kind === 'user') {
    return html`
      <span class="account">
        <span class="who" title=${`Signed in as ${session.name}`}>${session.name}</span>
        <button type="button" class="quiet" onClick=${leave}>Sign out</button>
        ${problem && html`<span class="wrong" role="alert">${problem}</span>`}
      </span>
    `;
  }
  if (session.kind === 'token') return html`<span class="account"><span class="who">${session.name} by token</span></span>`;
  const isGuest = session.kind === 'guest';
  if (!isGuest && !(session.kind === 'nobody' && offersSignIn)) return null;
  return html`
    <span class="account">${isGuest && html`<span class="who guest">Guest</span>`}<a class="button quiet" href=${link('/#/sign-in')}>Sign in</a></span>
  `;
}
