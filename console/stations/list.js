// The list of stations, of which only the rows in view exist, and above it what they come to.

import { Component, html, useEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { go } from '../frame/address.js';
import { actions } from '../frame/tree.js';
import { VirtualList } from '../frame/virtual.js';
import { STATUS_WORDS } from '../live/stations.js';
import { useWatched } from '../live/watched.js';
import { COUNTS, Counted, Meter, NAMES, StatusLabel } from './parts.js';

/** In px, as in `stations.css`. */
const HEIGHTS = { wide: 38, narrow: 56 };

/**
 * @typedef {import('../live/stations.js').Station} Station
 * @typedef {import('../live/stations.js').Stations} Stations
 */

/**
 * Those that a search leaves, in the order of the list.
 *
 * @param {Stations} stations
 * @param {string} query every word of it must occur, or be the number: parts of numbers are in too many of them
 */
export function useListed(stations, query) {
  const { structure } = stations;
  const sorted = useMemo(() => {
    const keyed = [...stations.all.values()].map((station) => ({ station, key: keyOf(station), text: `${station.name} ${STATUS_WORDS[station.status]}`.toLowerCase() }));
    return keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  }, [structure]);
  return useMemo(() => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    return sorted.filter(({ station: { id }, text }) => words.every((word) => text.includes(word) || word === String(id))).map(({ station }) => station);
  }, [sorted, query]);
}

/** Numbers in names count as numbers: `Gate 9` comes before `Gate 10`. @param {Station} station */
const keyOf = ({ name, id }) => `${name.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(12, '0'))} ${String(id).padStart(16, '0')}`;

/** What the columns are, and what all of it comes to. @param {{ stations: Stations, listed: Station[], isNarrow: boolean }} props */
export function Head({ stations, listed, isNarrow }) {
  useWatched(stations);
  const sums = { available: 0, booked: 0, total: 0 };
  for (const { counts } of listed) for (const what of COUNTS) sums[what] += counts[what];
  return html`
    <div class=${`head${isNarrow ? ' narrow' : ''}`} role="group" aria-label="All of these together">
      ${!isNarrow && html`<span>Station</span><span>Status</span>`}
      <${Meter} counts=${sums} />
      ${COUNTS.map((what) => html`<span key=${what} class="sum" data-sum=${what}>${NAMES[what]} <b>${sums[what].toLocaleString()}</b></span>`)}
    </div>
  `;
}

/**
 * @param {{ stations: Stations, listed: Station[], query: string, shown: number, isNarrow: boolean,
 *   handle: { current: { focus: () => void } | null } }} props `shown`: the one whose page is open, 0 if none is
 */
export function StationList({ stations, listed, query, shown, isNarrow, handle }) {
  useWatched(stations);
  const [active, setActive] = useState(shown);
  const list = useRef(/** @type {VirtualList | null} */ (null));
  const height = HEIGHTS[isNarrow ? 'narrow' : 'wide'];
  const tops = useMemo(() => Array.from({ length: listed.length + 1 }, (_, at) => at * height), [listed.length, height]);
  const places = useMemo(() => new Map(listed.map(({ id }, at) => [id, at])), [listed]);

  useEffect(() => {
    if (list.current?.element) list.current.element.scrollTop = 0;
  }, [query]);
  useEffect(() => {
    if (shown) setActive(shown);
    const at = places.get(shown);
    if (at !== undefined) list.current?.centre(at);
  }, [shown, isNarrow, stations.complete]);
  handle.current = { focus: () => list.current?.element?.focus() };

  /** @param {number} at */
  const activate = (at) => {
    const place = Math.min(Math.max(at, 0), listed.length - 1);
    if (!listed[place]) return;
    setActive(listed[place].id);
    list.current?.reveal(place);
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const rows = listed.map(({ id }) => ({ key: String(id), group: 0 }));
    const act = actions({ rows, at: places.get(active) ?? -1, page: list.current?.page ?? 1, activate, toggle: () => undefined, enter: ({ key }) => go(`/stations/${key}`) })[event.key];
    if (!act || event.key.endsWith('Left') || event.key.endsWith('Right') || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };
  /** @param {number} at @param {number} top */
  const row = (at, top) => {
    const station = listed[at];
    const { id, version, name } = station;
    return html`
      <${StationRow} key=${id} ...${{ station, version, name, top, isNarrow, place: at + 1, count: listed.length, isActive: id === active, isShown: id === shown, onPick: setActive }} />
    `;
  };
  return html`
    <${VirtualList}
      tops=${tops}
      row=${row}
      handle=${(/** @type {VirtualList | null} */ made) => (list.current = made)}
      attributes=${{
        class: `states stations${isNarrow ? ' narrow' : ''}`,
        id: 'stations',
        role: 'listbox',
        tabindex: '0',
        'aria-label': 'Stations',
        'aria-activedescendant': places.has(active) ? rowId(active) : undefined,
        onKeyDown,
      }}
    />
  `;
}

/** The element of a row. @param {number} id */
const rowId = (id) => `station-${id}`;

/**
 * A station. It renders again only if something that it shows has changed.
 *
 * @typedef {{ station: Station, version: number, name: string, top: number, isNarrow: boolean, place: number, count: number,
 *   isActive: boolean, isShown: boolean, onPick: (id: number) => void }} Props
 *
 * @extends {Component<Props>}
 */
class StationRow extends Component {
  /** @param {Props} next */
  shouldComponentUpdate(next) {
    const now = this.props;
    const keys = /** @type {const} */ (['station', 'version', 'name', 'top', 'isNarrow', 'place', 'count', 'isActive', 'isShown']);
    return keys.some((key) => next[key] !== now[key]);
  }

  /** @param {Props} props */
  render({ station, top, isNarrow, place, count, isActive, isShown, onPick }) {
    const { id, name, status, counts } = station;
    return html`
      <a
        id=${rowId(id)}
        class=${`row station${isActive ? ' active' : ''}${status === 'online' ? '' : ' not-online'}`}
        href=${`#/stations/${id}`}
        data-station-id=${id}
        role="option"
        aria-posinset=${place}
        aria-setsize=${count}
        aria-selected=${isShown}
        tabindex="-1"
        style=${{ transform: `translateY(${top}px)` }}
        onClick=${() => onPick(id)}
      >
        <span class="name" title=${`Station ${id}`}>${name}</span>
        <${StatusLabel} status=${status} />
        <${Meter} counts=${counts} />
        ${isNarrow
          ? html`
              <span class="count available"><${Counted} ...${{ station, what: 'available' }} /> available</span>
              <span class="others"><${Counted} ...${{ station, what: 'booked' }} /> booked of <${Counted} ...${{ station, what: 'total' }} /></span>
            `
          : COUNTS.map((what) => html`<span key=${what} class=${`count ${what}`}><${Counted} ...${{ station, what }} /><span class="out-of-sight"> ${NAMES[what].toLowerCase()}</span></span>`)}
      </a>
    `;
  }
}
