// Chooses entities, completed from those that are known: a combobox with a list, after the patterns of WAI-ARIA.

import { html, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { Icon } from '../frame/icon.js';
import { useWatched } from '../live/watched.js';
import { ENTITY_ID } from '../states/page.js';

/** So many are offered at once. */
const OFFERED_MAX = 8;
const WHOLE_ID = new RegExp(`^${ENTITY_ID}$`);

/** @typedef {{ id: string, name: string, isKnown: boolean }} Offer */

/**
 * @param {{ id: string, states: import('../live/states.js').States, ids: string[], set: (ids: string[]) => void }} props `id`:
 *   of the element that is typed in
 */
export function EntityPicker({ id, states, ids, set }) {
  useWatched(states);
  const [typed, setTyped] = useState('');
  const [isOpen, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const { structure } = states;
  const offers = useMemo(() => (isOpen ? offersOf(states, typed, ids) : []), [structure, typed, ids, isOpen]);
  const active = Math.min(at, offers.length - 1);
  const isShown = offers.length > 0;

  /** @param {string} text @param {boolean} isOpen whether what fits is shown */
  const type = (text, isOpen) => {
    setTyped(text);
    setAt(0);
    setOpen(isOpen);
  };
  /** @param {string[]} next */
  const put = (next) => {
    set(next);
    field.current?.focus();
  };
  /** @param {Offer} offer */
  const choose = (offer) => {
    type('', false);
    put([...ids, offer.id]);
  };
  /** @param {string} chosen */
  const remove = (chosen) => put(ids.filter((each) => each !== chosen));
  /** Who leaves with the whole id of an entity in the field meant it. */
  const leave = () => {
    const isMeant = states.entities.has(typed) && !ids.includes(typed);
    if (isMeant) set([...ids, typed]);
    type(isMeant ? '' : typed, false);
  };
  const canRemove = typed === '' && ids.length > 0;
  const onKeyDown = keys({
    ArrowDown: isShown ? () => setAt((active + 1) % offers.length) : () => setOpen(true),
    ArrowUp: isShown && (() => setAt((active - 1 + offers.length) % offers.length)),
    Enter: isShown && (() => choose(offers[active])),
    Escape: isShown && (() => setOpen(false)),
    Backspace: canRemove && (() => remove(ids[ids.length - 1])),
  });
  return html`
    <div class="picker" role="group" aria-label="Entities">
      <label for=${id}>Entities</label>
      <${Chosen} states=${states} ids=${ids} remove=${remove} />
      <div class="completed">
        <input
          id=${id}
          ref=${field}
          value=${typed}
          placeholder="Name or entity id"
          ...${combobox(id, isShown ? active : null)}
          onInput=${(/** @type {any} */ event) => type(event.target.value, true)}
          onClick=${() => setOpen(true)}
          onBlur=${leave}
          onKeyDown=${onKeyDown}
        />
        <${Offers} id=${id} offers=${offers} active=${active} choose=${choose} />
      </div>
      ${isOpen &&
      !isShown &&
      typed.trim() !== '' &&
      html`<p class="hint" role="status">Nothing like that is known. An entity id looks like light.porch.</p>`}
    </div>
  `;
}

/**
 * Does what a key means; a key that means nothing now, like Enter without a list, is the form's.
 *
 * @param {Record<string, false | (() => void)>} meanings
 */
const keys = (meanings) => (/** @type {KeyboardEvent} */ event) => {
  const act = meanings[event.key];
  if (!act || event.isComposing) return;
  event.preventDefault();
  act();
};

/** What a field with a list is, to those who do not see it. @param {string} id @param {number | null} active `null`: no list */
const combobox = (id, active) => ({
  role: 'combobox',
  'aria-expanded': active !== null,
  'aria-controls': `${id}-offers`,
  'aria-autocomplete': 'list',
  'aria-activedescendant': active === null ? undefined : `${id}-offer-${active}`,
  autocomplete: 'off',
  autocapitalize: 'off',
  spellcheck: false,
});

/** @param {{ states: import('../live/states.js').States, ids: string[], remove: (id: string) => void }} props */
function Chosen({ states, ids, remove }) {
  const item = (/** @type {string} */ id) => {
    const name = states.nameOf(id);
    return html`
      <li key=${id} title=${id}>
        ${name}<button type="button" class="quiet" aria-label=${`Remove ${name}`} onClick=${() => remove(id)}><${Icon} name="close" /></button>
      </li>
    `;
  };
  return html`<ul class="chips" aria-label="Chosen entities">${ids.map(item)}</ul>`;
}

/** @param {{ id: string, offers: Offer[], active: number, choose: (offer: Offer) => void }} props */
function Offers({ id, offers, active, choose }) {
  return html`
    <ul id=${`${id}-offers`} class="offers" role="listbox" aria-label="Entities that fit" hidden=${offers.length === 0}>
      ${offers.map(
        (offer, at) => html`
          <li
            key=${offer.id}
            id=${`${id}-offer-${at}`}
            role="option"
            aria-selected=${at === active}
            onMouseDown=${(/** @type {Event} */ event) => event.preventDefault()}
            onClick=${() => choose(offer)}
          >
            <span>${offer.name}</span><span class="entity-id">${offer.isKnown ? offer.id : 'not there yet'}</span>
          </li>
        `,
      )}
    </ul>
  `;
}

/**
 * What fits, those first that begin with what was typed; and what was typed, if it is an id that nothing has yet.
 *
 * @param {import('../live/states.js').States} states
 * @param {string} typed
 * @param {string[]} chosen
 * @returns {Offer[]}
 */
function offersOf({ entities }, typed, chosen) {
  const text = typed.trim().toLowerCase();
  const words = text.split(/\s+/).filter(Boolean);
  const taken = new Set(chosen);
  const found = [...entities.values()].filter((entity) => !taken.has(entity.id) && words.every((word) => entity.text.includes(word)));
  const ranked = found
    .map((entity) => ({ entity, rank: `${entity.sortKey.startsWith(text) || entity.id.startsWith(text) ? 0 : 1}${entity.sortKey}` }))
    .sort((a, b) => (a.rank < b.rank ? -1 : 1));
  const offers = ranked.slice(0, OFFERED_MAX).map(({ entity: { id, name } }) => ({ id, name, isKnown: true }));
  const isNew = WHOLE_ID.test(text) && !entities.has(text) && !taken.has(text);
  return isNew ? [...offers.slice(0, OFFERED_MAX - 1), { id: text, name: text, isKnown: false }] : offers;
}
