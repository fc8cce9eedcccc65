// Asks for somebody, or for several: those who are known here, or anybody by their number.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { Icon } from '../frame/icon.js';
import { nameOf } from '../live/rooms.js';
import { Avatar, Presence } from './person.js';

/** So many are offered; who is not among them is searched for. */
const OFFERED_MAX = 50;
/** And so many of each kind are known. */
const ASKED_MAX = 500;
const NUMBER = /^[1-9]\d{0,17}$/;

/**
 * @typedef {import('../live/rooms.js').Person} Person
 * @typedef {import('../main.js').App} App
 *
 * @param {{ app: App, title: string, verb: string, isMany?: boolean, without: string[], children?: any,
 *   work: (chosen: Person[]) => Promise<unknown>, close: () => void }} props
 */
export function PickPeople({ app, title, verb, isMany, without, children, work, close }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const { wrong, act } = useAct(app.session);
  const [query, setQuery] = useState('');
  const [chosen, setChosen] = useState(/** @type {Person[]} */ ([]));
  const known = useKnown(app);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const offered = offersOf(known, query.trim(), new Set(without));

  /** @param {Person} person */
  const toggle = (person) => {
    const has = chosen.some(({ userID }) => userID === person.userID);
    const others = isMany ? chosen.filter(({ userID }) => userID !== person.userID) : [];
    setChosen(has ? others : [...others, person]);
  };
  /** @param {Event} event */
  const submit = async (event) => {
    event.preventDefault();
    // Who typed what fits one alone means that one.
    const meant = chosen.length === 0 && query.trim() !== '' && offered.length === 1 ? offered : chosen;
    if (meant.length === 0) return;
    if (await act(() => work(meant))) dialog.current?.close();
  };
  return html`
    <dialog class="confirm pick-people" ref=${dialog} aria-labelledby="pick-people" onClose=${close}>
      <form onSubmit=${submit}>
        <h2 id="pick-people">${title}</h2>
        ${children}
        <label class="search">
          <${Icon} name="search" />
          <input
            type="search"
            value=${query}
            placeholder="Name or number"
            aria-label="Name or number"
            autofocus
            autocomplete="off"
            autocapitalize="off"
            spellcheck=${false}
            onInput=${(/** @type {any} */ event) => setQuery(event.target.value)}
          />
        </label>
        ${isMany && chosen.length > 0 && html`<p class="chosen" role="status">${chosen.map(nameOf).join(', ')}</p>`}
        <ul>
          ${offered.map(
            (person) => html`
              <li key=${person.userID} data-user-id=${person.userID}>
                <label class="tick">
                  <input
                    type=${isMany ? 'checkbox' : 'radio'}
                    name="person"
                    checked=${chosen.some(({ userID }) => userID === person.userID)}
                    onChange=${() => toggle(person)}
                  />
                  <${Avatar} person=${person} />
                  <span class="name">${nameOf(person)}</span>
                  <span class="number">${person.userID}</span>
                  ${person.username && html`<${Presence} isOnline=${app.chat.isOnline(person.userID)} />`}
                </label>
              </li>
            `,
          )}
        </ul>
        ${offered.length === 0 && html`<p class="aside">${query ? 'Nobody here is called so. Anybody can be found by their number.' : 'Nobody is known here yet. Anybody can be found by their number.'}</p>`}
        <${Wrong} words=${wrong} />
        <div class="buttons">
          <button type="button" onClick=${() => dialog.current?.close()}>Cancel</button>
          <button type="submit" class="primary" aria-disabled=${chosen.length === 0}>${verb}</button>
        </div>
      </form>
    </dialog>
  `;
}

/** Those who are known here: who one writes with, who is online, who works in houses. @param {App} app */
function useKnown({ chat }) {
  const [told, setTold] = useState(/** @type {Person[]} */ ([]));
  useEffect(() => {
    for (const path of ['/api/houseworkers', '/api/chat/online']) {
      chat.ask(`${path}?limit=${ASKED_MAX}`).then(
        ({ items }) => setTold((before) => [...before, ...items]),
        () => undefined, // Then there are the others, and numbers.
      );
    }
  }, []);
  return useMemo(() => {
    const known = new Map(told.map(({ userID, username }) => [userID, username]));
    for (const { members } of chat.rooms.all.values()) for (const { userID, username } of members) known.set(userID, username);
    return [...known].map(([userID, username]) => ({ userID, username })).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  }, [told]);
}

/** @param {Person[]} known @param {string} query @param {Set<string>} without */
function offersOf(known, query, without) {
  const small = query.toLowerCase();
  const found = known.filter(({ userID, username }) => !without.has(userID) && (username.toLowerCase().includes(small) || userID === query));
  const isNobodyKnown = NUMBER.test(query) && !without.has(query) && !known.some(({ userID }) => userID === query);
  return [...(isNobodyKnown ? [{ userID: query, username: '' }] : []), ...found].slice(0, OFFERED_MAX);
}
