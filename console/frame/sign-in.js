// Asks who one is.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { words } from '../live/api.js';
import { go, link } from './address.js';
import { Icon } from './icon.js';

/** Whom a demo has, with this password. */
const SAMPLES = ['john_doe', 'jane', 'sara_cleaner', 'mike_butler'];
const SAMPLE_PASSWORD = 'demo';

/** @param {{ app: import('../main.js').App, why?: string }} props `why` one has to, where guests are let in */
export function SignIn({ app: { session, restart }, why }) {
  const [wrong, setWrong] = useState(session.token && session.kind === 'nobody' ? 'the token in the address is no good' : '');
  const [isBusy, setBusy] = useState(false);
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => field(form.current, 'username').focus(), []);

  /** @param {SubmitEvent} event */
  const enter = (event) => {
    event.preventDefault();
    const [username, password] = [field(form.current, 'username'), field(form.current, 'password')];
    return as(username.value, password.value);
  };
  /** @param {string} username @param {string} password */
  const as = async (username, password) => {
    setBusy(true);
    setWrong('');
    try {
      await session.signIn(username, password);
      form.current?.reset();
      if (isPage()) go(wayBack());
      restart();
    } catch (error) {
      setWrong(words(error));
      field(form.current, 'password').select();
    } finally {
      setBusy(false);
    }
  };

  const isDemo = why !== undefined && session.kind === 'guest';
  return html`
    <form id="enter" class="sign-in" ref=${form} onSubmit=${enter}>
      <h1><${Icon} name="bell" />Sign in to Bellwire</h1>
      ${why && html`<p>${why}</p>`}
      <label>Username <input name="username" autocomplete="username" autocapitalize="off" spellcheck=${false} required /></label>
      <label>Password <input name="password" type="password" autocomplete="current-password" required /></label>
      <p id="wrong" class="wrong" role="alert">${wrong && wrong.charAt(0).toUpperCase() + wrong.slice(1)}</p>
      <button type="submit" class="primary" disabled=${isBusy}>${isBusy ? 'Signing in' : 'Sign in'}</button>
      ${isDemo &&
      html`
        <fieldset>
          <legend>In a demo, as one of its users</legend>
          <div class="buttons">
            ${SAMPLES.map((name) => html`<button type="button" key=${name} disabled=${isBusy} onClick=${() => as(name, SAMPLE_PASSWORD)}>${name}</button>`)}
          </div>
        </fieldset>
      `}
      ${session.kind === 'guest' && html`<a class="button quiet" href=${link(`/#${isPage() ? wayBack() : '/'}`)}>Go on as a guest</a>`}
    </form>
  `;
}

/** `#/sign-in` is a page of its own; what stands behind it is the page that one came from. */
const PAGE = '#/sign-in';
const isPage = () => location.hash.startsWith(PAGE);
const wayBack = () => location.hash.slice(PAGE.length) || '/';

/**
 * @param {HTMLFormElement | null} form
 * @param {string} name
 */
function field(form, name) {
  return /** @type {HTMLInputElement} */ (form?.elements.namedItem(name));
}
