// Begins: puts together what the pages share, and shows the page that the address names.

import { html, render } from './vendor/htm-preact.js';
import { Frame } from './frame/frame.js';
import { Connection } from './live/connection.js';
import { Session } from './live/session.js';
import { States } from './live/states.js';

const session = new Session(new URLSearchParams(location.search).get('token'));
const states = new States();
const connection = new Connection(session, states);

/** @typedef {{ session: Session, states: States, connection: Connection }} App what pages are given */

render(html`<${Frame} app=${{ session, states, connection }} />`, document.body);
