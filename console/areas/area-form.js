// Makes an area, or changes one. Who changes it sends which version they saw; if somebody else was there first, both
// are shown side by side.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { Refused } from '../live/api.js';
import { useWatched } from '../live/watched.js';
import { EntityPicker } from './entity-picker.js';

/**
 * @typedef {import('../live/areas.js').Area} Area
 * @typedef {{ name: string, entityIds: string[] }} Content what is edited of an area
 */

const EMPTY = { name: '', entityIds: [] };
/** Statuses that say that it was changed since, or is gone. */
const CHANGED = [404, 409, 412];

/** @param {{ app: import('../main.js').App, area: Area | null, close: () => void }} props `area`: as editing began; `null`: a new one */
export function AreaForm({ app, area, close }) {
  const [base, setBase] = useState(/** @type {Area | null} */ (area));
  const [mine, setMine] = useState(/** @type {Content} */ (area ?? EMPTY));
  const { now, isGone, look } = useNewest(app, area);
  const { wrong, act, send } = useAct(app.session);
  const theirs = base && now && !isSame(now, base) ? now : null;
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => {
    const name = /** @type {HTMLInputElement | undefined} */ (form.current?.elements.namedItem('name'));
    name?.focus();
    name?.select();
  }, []);

  const make = () => send('POST', '/api/areas', { name: mine.name, entityIds: mine.entityIds });
  /** @param {Area} seen @returns {Promise<unknown>} */
  const change = async (seen) => {
    try {
      return await send('PATCH', `/api/areas/${seen.id}`, { ...changes(base ?? seen, mine), expectedUpdatedAt: seen.updatedAt });
    } catch (error) {
      if (!(error instanceof Refused && CHANGED.includes(error.status))) throw error;
      const found = await look();
      // What was changed is not what is edited here: whether it is enabled.
      if (found && found.updatedAt !== seen.updatedAt && base && isSame(found, base)) return change(found);
      return STAYS;
    }
  };
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (theirs) return;
    if (base && !isGone && isSame(mine, base)) {
      close();
      return;
    }
    let isDone = false;
    await act(async () => {
      const answer = await (base && !isGone ? change(now ?? base) : make());
      isDone = answer !== STAYS;
    });
    if (isDone) close();
  };
  /** @param {Content} content goes on with it, over what is there now */
  const goOn = (content) => {
    setBase(theirs);
    setMine(content);
  };
  return html`
    <form class="area-form" ref=${form} aria-label=${area ? `Edit ${area.name}` : 'New area'} onSubmit=${save} onKeyDown=${onEscape(close)}>
      <label>Name
        <input
          name="name"
          value=${mine.name}
          required
          autocomplete="off"
          onInput=${(/** @type {any} */ event) => setMine({ ...mine, name: event.target.value })}
        />
      </label>
      <${EntityPicker}
        id=${`entities-${area?.id ?? 'new'}`}
        states=${app.states}
        ids=${mine.entityIds}
        set=${(/** @type {string[]} */ entityIds) => setMine({ ...mine, entityIds })}
      />
      ${theirs && base && html`<${Conflict} states=${app.states} theirs=${theirs} mine=${mine} base=${base} goOn=${goOn} />`}
      ${isGone &&
      html`<p class="conflict" role="alert"><strong>Somebody else deleted this area meanwhile.</strong> What you typed can be kept as a new one.</p>`}
      <${Wrong} words=${wrong} />
      <div class="buttons">
        <button type="submit" class="primary" disabled=${theirs !== null}>${isGone || !area ? 'Create' : 'Save'}</button>
        <button type="button" onClick=${close}>Cancel</button>
      </div>
    </form>
  `;
}

/** What `change` gives when nothing was saved, and why is shown. */
const STAYS = Symbol('stays');

/**
 * What the area is now, as far as is known here; and a way to ask.
 *
 * @param {import('../main.js').App} app
 * @param {Area | null} area
 */
function useNewest({ areas, session }, area) {
  useWatched(areas);
  const [found, setFound] = useState(/** @type {Area | null | undefined} */ (undefined));
  const { send } = useAct(session);
  const told = area ? areas.areas.all.get(area.id) : undefined;
  const now = [told, found].reduce((a, b) => (a && (!b || a.updatedAt >= b.updatedAt) ? a : b), undefined);
  /** @returns {Promise<Area | null>} `null`: it is gone */
  const look = async () => {
    try {
      const answer = await send('GET', `/api/areas/${area?.id}`);
      setFound(answer);
      return answer;
    } catch (error) {
      if (!(error instanceof Refused && error.status === 404)) throw error;
      setFound(null);
      return null;
    }
  };
  const isGone = area !== null && (found === null || (areas.complete && !told));
  return { now: isGone ? null : (now ?? null), isGone, look };
}

/**
 * What is there now beside what was typed.
 *
 * @param {{ states: import('../live/states.js').States, theirs: Area, mine: Content, base: Area, goOn: (content: Content) => void }} props
 */
function Conflict({ states, theirs, mine, base, goOn }) {
  const id = `conflict-${base.id}`;
  const rebased = {
    name: mine.name === base.name ? theirs.name : mine.name,
    entityIds: isSameList(mine.entityIds, base.entityIds) ? theirs.entityIds : mine.entityIds,
  };
  return html`
    <section class="conflict" role="alert" aria-labelledby=${id}>
      <p id=${id}><strong>Somebody else changed this area meanwhile.</strong></p>
      <div class="sides-by-side">
        <${Side} title="It is now" states=${states} content=${theirs} other=${mine} />
        <${Side} title="You have" states=${states} content=${mine} other=${theirs} />
      </div>
      <div class="buttons">
        <button type="button" onClick=${() => goOn(rebased)}>Go on with mine</button>
        <button type="button" onClick=${() => goOn(theirs)}>Take theirs</button>
      </div>
    </section>
  `;
}

/** @param {{ title: string, states: import('../live/states.js').States, content: Content, other: Content }} props */
function Side({ title, states, content: { name, entityIds }, other }) {
  const differs = (/** @type {boolean} */ does) => (does ? 'differs' : '');
  return html`
    <div>
      <h4>${title}</h4>
      <p class=${differs(name !== other.name)}>${name || html`<span class="muted">without a name</span>`}</p>
      <ul>
        ${entityIds.map((id) => html`<li key=${id} class=${differs(!other.entityIds.includes(id))} title=${id}>${states.nameOf(id)}</li>`)}
      </ul>
    </div>
  `;
}

/** @param {Content} a @param {Content} b */
const isSame = (a, b) => a.name === b.name && isSameList(a.entityIds, b.entityIds);
/** @param {string[]} a @param {string[]} b */
const isSameList = (a, b) => a.length === b.length && a.every((each, at) => each === b[at]);

/** What was changed, and nothing else. @param {Content} before @param {Content} after */
function changes(before, after) {
  return {
    ...(after.name !== before.name && { name: after.name }),
    ...(!isSameList(after.entityIds, before.entityIds) && { entityIds: after.entityIds }),
  };
}

/** @param {() => void} close */
const onEscape = (close) => (/** @type {KeyboardEvent} */ event) => {
  if (event.key !== 'Escape' || event.defaultPrevented) return;
  event.preventDefault();
  close();
};
