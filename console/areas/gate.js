// Says to all but admins that a page is not for them, and lets an admin in.

import { html, useEffect } from '../vendor/htm-preact.js';
import { SignIn } from '../frame/sign-in.js';
import { useWatched } from '../live/watched.js';

/**
 * What an admin sees; the live connection is there while it is shown.
 *
 * @param {{ app: import('../main.js').App, children?: any }} props
 */
export function OnlyAdmins({ app, children }) {
  const { session, connection, areasConnection } = app;
  useWatched(session);
  const isAdmin = session.role === 'admin';
  useEffect(() => connection.start(), []);
  useEffect(() => {
    if (!isAdmin) return undefined;
    areasConnection.start();
    return () => areasConnection.stop();
  }, [isAdmin]);
  if (isAdmin) return children;
  if (session.kind === 'unknown') return html`<div class="notice" role="status"><p>Asking the server who you are</p></div>`;
  return html`
    <div class="scrolls">
      <section id="only-admins" class="notice small">
        <h2>Areas are for admins</h2>
        <p>${session.kind === 'guest' ? 'You are here as a guest' : `You are here as ${session.name}`}, and so cannot see or change them.</p>
      </section>
      <${SignIn} app=${app} />
    </div>
  `;
}
