// The list of all states: a tree of domains and entities, smooth with ten thousand of them, as only the rows
// in view are rendered, at most once per frame.

import { html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { go } from '../frame/address.js';
import { actions, useClosed } from '../frame/tree.js';
import { VirtualList } from '../frame/virtual.js';
import { useWatched } from '../live/watched.js';
import { EntityRow, GroupRow, rowId } from './row.js';
import { rowsOf } from './rows.js';

const CLOSED_KEY = 'bellwire.closed';
/** In px, as in `states.css`. Where the list is narrow entities have two lines, and fingers choose. */
const HEIGHTS = { wide: { group: 34, entity: 34 }, narrow: { group: 40, entity: 52 } };

/**
 * @param {{ states: import('../live/states.js').States, query: string, shown: string, isNarrow: boolean,
 *   handle: { current: { focus: () => void } | null } }} props `shown` is the entity whose page is open
 */
export function StateList({ states, query, shown, isNarrow, handle }) {
  useWatched(states);
  const [closed, toggle] = useClosed(CLOSED_KEY);
  const [active, setActive] = useState(shown);
  const list = useRef(/** @type {VirtualList | null} */ (null));
  const heights = HEIGHTS[isNarrow ? 'narrow' : 'wide'];
  const { rows, places, tops } = useRows(states, query, closed, heights);
  const activeKey = places.has(active) ? active : '';

  useEffect(() => {
    if (list.current?.element) list.current.element.scrollTop = 0;
  }, [query]);
  useEffect(() => {
    if (shown) setActive(shown);
    const at = places.get(shown);
    if (at !== undefined) list.current?.centre(at);
  }, [shown, isNarrow, states.complete]);
  handle.current = { focus: () => list.current?.element?.focus() };

  /** @param {number} at */
  const activate = (at) => {
    const place = Math.min(Math.max(at, 0), rows.length - 1);
    if (!rows[place]) return;
    setActive(rows[place].key);
    list.current?.reveal(place, heights.group);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const act = actions({
      ...{ rows, at: places.get(activeKey) ?? -1, page: list.current?.page ?? 1, activate },
      toggle: (row) => row.entity === undefined && toggle(row.domain),
      enter: (row) => (row.entity ? go(`/entity/${row.entity.id}`) : toggle(row.domain)),
    })[event.key];
    if (!act || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };

  /** @param {number} at @param {number} top */
  const row = (at, top) => {
    const row = rows[at];
    const isActive = row.key === activeKey;
    if (!row.entity) return html`<${GroupRow} key=${row.key} group=${row} top=${top} isActive=${isActive} onToggle=${toggle} />`;
    return html`
      <${EntityRow}
        key=${row.key}
        entity=${row.entity}
        version=${row.entity.version}
        top=${top}
        place=${row.place}
        count=${row.count}
        isActive=${isActive}
        isShown=${row.key === shown}
        onPick=${setActive}
      />
    `;
  };
  return html`
    <${VirtualList}
      tops=${tops}
      row=${row}
      pinned=${(/** @type {number} */ first, /** @type {number} */ scrolled) => pin(rows, tops, { first, scrolled: scrolled + heights.group }, toggle)}
      handle=${(/** @type {VirtualList | null} */ made) => (list.current = made)}
      attributes=${{
        class: `states${isNarrow ? ' narrow' : ''}`,
        id: 'states',
        role: 'tree',
        tabindex: '0',
        'aria-label': 'States by domain',
        'aria-activedescendant': activeKey ? rowId(activeKey) : undefined,
        onKeyDown,
      }}
    />
  `;
}

/**
 * The group of the first row in view stays in view, until the next one pushes it away.
 *
 * @param {import('./rows.js').Row[]} rows
 * @param {number[]} tops
 * @param {{ first: number, scrolled: number }} view the first row in view, and how far is scrolled below the pinned one
 * @param {(domain: string) => void} toggle
 */
function pin(rows, tops, { first, scrolled }, toggle) {
  const group = rows[rows[first].group];
  if (group.entity) return null;
  const next = rows[first].group + (group.isOpen ? group.count : 0) + 1;
  const pushed = Math.min(0, tops[next] - scrolled);
  return html`<div role="none" class="pin"><${GroupRow} group=${group} top=${pushed} isActive=${false} isPinned onToggle=${toggle} /></div>`;
}

/**
 * The rows, where each is by its key, and where each begins, in px.
 *
 * @param {import('../live/states.js').States} states
 * @param {string} query
 * @param {Set<string>} closed
 * @param {typeof HEIGHTS.wide} heights
 */
function useRows(states, query, closed, heights) {
  const { structure } = states;
  const { rows, places } = useMemo(() => {
    const { rows } = rowsOf(states.entities, query, closed);
    return { rows, places: new Map(rows.map((row, at) => [row.key, at])) };
  }, [structure, query, closed]);
  const tops = useMemo(() => {
    let top = 0;
    return [0, ...rows.map((row) => (top += row.entity ? heights.entity : heights.group))];
  }, [rows, heights]);
  return { rows, places, tops };
}
