// Asks who one is.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { words } from '../live/api.js';
import { go, link } from './address.js';
import { Icon } from './icon.js';

/** @param {{ app: import('../main.js').App }} props */
export function SignIn({ app: { session, restart } }) {
  const [wrong, setWrong] = useState(session.token && session.kind === 'nobody' ? 'the token in the address is no good' : '');
  const [isBusy, setBusy] = useState(false);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => field(form.current, 'username').focus(), []);

  /** @param {SubmitEvent} event */
  const enter = async (event) => {
    event.preventDefault();
    setBusy(true);
    setWrong('');
    const [username, password] = [field(form.current, 'username'), field(form.current, 'password')];
    try {
      await session.signIn(username.value, password.value);
      form.current?.reset();
      if (location.hash === '#/sign-in') go('/');
      restart();
    } catch (error) {
      setWrong(words(error));
      password.select();
    } finally {
      setBusy(false);
    }
  };

  return html`
    <form id="enter" class="sign-in" ref=${form} onSubmit=${enter}>
      <h1><${Icon} name="bell" />Sign in to Bellwire</h1>
      <label>Username <input name="username" autocomplete="username" autocapitalize="off" spellcheck=${false} required /></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>
      <p id="wrong" class="wrong" role="alert">${wrong && wrong.charAt(0).toUpperCase() + wrong.slice(1)}</p>
      <button type="submit" class="primary" disabled=${isBusy}>${isBusy ? 'Signing in' : 'Sign in'}</button>
      ${session.kind === 'guest' && html`<a class="button quiet" href=${link('/#/')}>Go on as a guest</a>`}
    </form>
  `;
}

/**
 * @param {HTMLFormElement | null} form
 * @param {string} name
 */
function field(form, name) {
  return /** @type {HTMLInputElement} */ (form?.elements.namedItem(name));
}
