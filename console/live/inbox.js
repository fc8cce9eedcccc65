// What one has to know: the inbox of the client in `clients/js`, for whoever is signed in here.

import { Inbox as Kept } from '../../clients/js/src/inbox.js';
import { ask } from './api.js';
import { Connection } from './connection.js';

/** @typedef {import('../../clients/js/src/resources.js').InboxItem} Notification */

export class Inbox extends Kept {
  isForUsers = true;

  /** @param {import('./session.js').Session} session */
  constructor(session) {
    super({ ask: (path, options) => ask(path, { ...options, token: session.token }) });
    this.connection = new Connection(session, this);
  }

  get isEmpty() {
    return !this.complete;
  }
}
