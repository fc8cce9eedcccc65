// Rows of the list.

import { Component, html } from '../vendor/htm-preact.js';
import { Icon } from '../frame/icon.js';
import { State } from '../frame/state.js';
import { recent } from '../frame/times.js';
import { hasValue, unitOf } from '../live/states.js';
import { heading } from './rows.js';

/** How long a change is shown by a colour, in ms; the animation in `states.css` takes as long. */
const FLASH_MS = 1500;

/** The element of a row. @param {string} key */
export const rowId = (key) => `row-${key}`;

/**
 * One entity. It renders again only if the entity changed, as a list renders sixty times a second.
 *
 * @typedef {{ entity: import('../live/states.js').Entity, version: number, top: number, place: number, count: number,
 *   isActive: boolean, isShown: boolean, onPick: (id: string) => void }} Props
 *
 * @extends {Component<Props>}
 */
export class EntityRow extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) {
    const now = this.props;
    return (
      next.entity !== now.entity ||
      next.version !== now.version ||
      next.top !== now.top ||
      next.place !== now.place ||
      next.count !== now.count ||
      next.isActive !== now.isActive ||
      next.isShown !== now.isShown
    );
  }

  /** @param {Props} props */
  render({ entity, version, top, place, count, isActive, isShown, onPick }) {
    // Another name for each change, so that the animation begins anew.
    const isNew = entity.heardAt > 0 && performance.now() - entity.heardAt < FLASH_MS;
    const flash = isNew ? ` flash-${version % 2}` : '';
    const hasOne = hasValue(entity.state);
    return html`
      <a
        id=${rowId(entity.id)}
        class=${`row entity${isActive ? ' active' : ''}${flash}`}
        href=${`#/entity/${entity.id}`}
        data-entity-id=${entity.id}
        role="treeitem"
        aria-level="2"
        aria-posinset=${place}
        aria-setsize=${count}
        aria-selected=${isShown}
        tabindex="-1"
        style=${{ transform: `translateY(${top}px)` }}
        onClick=${() => onPick(entity.id)}
      >
        <span class="name">${entity.name}</span>
        <span class=${`value${hasOne ? '' : ' muted'}`}><${State} state=${entity.state} unit=${unitOf(entity.attributes)} /></span>
        <span class="entity-id">${entity.id}</span>
        <time dateTime=${new Date(entity.changedAt).toISOString()}>${recent(entity.changedAt)}</time>
      </a>
    `;
  }
}

/**
 * @param {{ group: import('./rows.js').Group, top: number, isActive: boolean, isPinned?: boolean,
 *   onToggle: (domain: string) => void }} props
 */
export function GroupRow({ group: { key, domain, count, isOpen }, top, isActive, isPinned, onToggle }) {
  // What stays at the top repeats a row that is there already, for those who see.
  const role = isPinned
    ? { 'aria-hidden': 'true' }
    : { id: rowId(key), role: 'treeitem', 'aria-level': '1', 'aria-expanded': String(isOpen), 'data-domain': domain };
  return html`
    <div
      ...${role}
      class=${`row group${isActive && !isPinned ? ' active' : ''}${isOpen ? ' open' : ''}${isPinned ? ' pinned' : ''}`}
      style=${{ transform: `translateY(${top}px)` }}
      onClick=${() => onToggle(domain)}
    >
      <${Icon} name="chevron" /><span class="name">${heading(domain)}</span><span class="count">${count}</span>
    </div>
  `;
}
