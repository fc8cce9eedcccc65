// The log as a list, and the entry that is chosen, whole.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import { VirtualList } from '../frame/virtual.js';
import { clock } from '../frame/times.js';
import { useWatched } from '../live/watched.js';
import { ENTRIES_MAX } from './log.js';

/** `tester.css` has the same. */
const ROW_HEIGHT = 24;
/** A text is shown in one line up to here. */
const LINE_LEN_MAX = 400;
const ARROWS = { in: '↓', out: '↑', note: '·', error: '!' };
const DIRECTIONS = { in: 'received', out: 'sent', note: 'note', error: 'error' };

/** @param {{ log: import('./log.js').Log, side: string }} props `side`: what is shown where there is no room for both */
export function LogView({ log, side }) {
  useWatched(log);
  const [filter, setFilter] = useState('');
  const [hasPackets, setHasPackets] = useState(true);
  const [chosen, setChosen] = useState(0);
  const list = useRef(/** @type {VirtualList | null} */ (null));
  const follows = useRef(true);
  const { entries, dropped } = log;
  const last = entries[entries.length - 1]?.number ?? 0;
  const shown = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    return entries.filter(({ kind, text }) => (hasPackets || kind !== 'packet') && (!wanted || `${kind} ${text}`.toLowerCase().includes(wanted)));
  }, [entries, last, dropped, filter, hasPackets]);
  const arePackets = useMemo(() => entries.some(({ kind }) => kind === 'packet'), [entries, last, dropped]);
  const tops = useMemo(() => Array.from({ length: shown.length + 1 }, (_, at) => at * ROW_HEIGHT), [shown.length]);
  const entry = shown.find(({ number }) => number === chosen);

  // Who looks at the newest goes on doing so; who has scrolled up is left alone.
  useLayoutEffect(() => {
    if (follows.current) list.current?.toEnd();
  }, [shown, side]);
  useEffect(() => {
    const element = list.current?.element;
    const scrolled = () => (follows.current = list.current?.isAtEnd() ?? true);
    element?.addEventListener('scroll', scrolled);
    return () => element?.removeEventListener('scroll', scrolled);
  }, []);

  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: list.current?.page ?? 1, PageUp: -(list.current?.page ?? 1) };
    const step = steps[/** @type {keyof typeof steps} */ (event.key)];
    if (event.key === 'Escape') setChosen(0);
    if (!step || shown.length === 0) return;
    event.preventDefault();
    const before = shown.findIndex(({ number }) => number === chosen);
    const at = before < 0 ? (step > 0 ? 0 : shown.length - 1) : Math.min(Math.max(before + step, 0), shown.length - 1);
    setChosen(shown[at].number);
    list.current?.reveal(at);
  };

  /** @param {number} at @param {number} top */
  const row = (at, top) => {
    const { number } = shown[at];
    const pick = () => setChosen(number === chosen ? 0 : number);
    return html`<${Row} key=${number} entry=${shown[at]} top=${top} isChosen=${number === chosen} pick=${pick} />`;
  };

  return html`
    <section class="log" aria-label="Log">
      <${Bar} log=${log} shownCount=${shown.length} filter=${filter} setFilter=${setFilter} packets=${arePackets ? { hasPackets, setHasPackets } : null} />
      <${VirtualList}
        tops=${tops}
        row=${row}
        handle=${(/** @type {VirtualList | null} */ made) => (list.current = made)}
        attributes=${{
          class: `entries${shown.length === 0 ? ' none' : ''}`,
          role: 'listbox',
          tabindex: '0',
          'aria-label': 'Frames',
          'aria-activedescendant': entry ? `entry-${entry.number}` : undefined,
          'data-empty': entries.length === 0 ? 'Nothing yet. Connect, and every frame is shown here.' : 'Nothing fits the filter.',
          onKeyDown,
        }}
      />
      ${entry && html`<${Whole} entry=${entry} close=${() => setChosen(0)} />`}
    </section>
  `;
}

/**
 * @param {{ log: import('./log.js').Log, shownCount: number, filter: string, setFilter: (filter: string) => void,
 *   packets: { hasPackets: boolean, setHasPackets: (has: boolean) => void } | null }} props `packets` if there are any
 */
function Bar({ log, shownCount, filter, setFilter, packets }) {
  return html`
    <div class="bar">
      <input type="search" value=${filter} placeholder="Filter" aria-label="Filter the log" onInput=${(/** @type {any} */ event) => setFilter(event.target.value)} />
      ${packets &&
      html`<label class="tick">
        <input type="checkbox" checked=${packets.hasPackets} onChange=${(/** @type {any} */ event) => packets.setHasPackets(event.target.checked)} />Packets
      </label>`}
      <p class="count" role="status">${counted(shownCount, log)}</p>
      <button type="button" class="quiet" aria-pressed=${log.isPaused} onClick=${() => log.pause(!log.isPaused)}>${log.isPaused ? 'Go on' : 'Pause'}</button>
      <button type="button" class="quiet" onClick=${() => log.clear()}>Clear</button>
      <button type="button" class="quiet" disabled=${log.entries.length === 0} title="Save as JSON" onClick=${() => save(log)}>Save</button>
    </div>
  `;
}

/** @param {{ entry: import('./log.js').Entry, top: number, isChosen: boolean, pick: () => void }} props */
function Row({ entry: { number, at, direction, kind, text, size }, top, isChosen, pick }) {
  return html`
    <div
      id=${`entry-${number}`}
      role="option"
      aria-selected=${isChosen}
      class=${`entry ${direction}`}
      style=${{ transform: `translateY(${top}px)` }}
      onClick=${pick}
    >
      <time>${stamp(at)}</time>
      <span class="arrow" role="img" aria-label=${DIRECTIONS[direction]}>${ARROWS[direction]}</span>
      <span class="kind">${kind}</span>
      <span class="size">${size === null ? '' : sized(size)}</span>
      <span class="text">${text.slice(0, LINE_LEN_MAX)}</span>
    </div>
  `;
}

/** @param {{ entry: import('./log.js').Entry, close: () => void }} props */
function Whole({ entry: { at, direction, kind, text, size }, close }) {
  return html`
    <section class="whole" aria-label="The chosen frame">
      <header>
        <p>${stamp(at)} ${DIRECTIONS[direction]}, ${kind}${size === null ? '' : `, ${size.toLocaleString()} bytes`}</p>
        <button type="button" class="quiet" onClick=${close}>Close</button>
      </header>
      <pre tabindex="0">${indented(text)}</pre>
    </section>
  `;
}

/** JSON, also behind the digits of a packet, a line for each member. @param {string} text */
function indented(text) {
  const at = text.search(/[[{]/);
  try {
    const value = JSON.stringify(JSON.parse(text.slice(Math.max(at, 0))), null, 2);
    return at > 0 ? `${text.slice(0, at).trimEnd()}\n${value}` : value;
  } catch {
    return text;
  }
}

/** @param {number} shown @param {import('./log.js').Log} log */
function counted(shown, log) {
  const all = log.entries.length;
  const words = [shown === all ? `${all.toLocaleString()} entries` : `${shown.toLocaleString()} of ${all.toLocaleString()} entries`];
  if (log.dropped > 0) words.push(`${log.dropped.toLocaleString()} older dropped: ${ENTRIES_MAX.toLocaleString()} are kept`);
  if (log.isPaused) words.push(`paused, ${log.held.toLocaleString()} wait`);
  return words.join('; ');
}

/** The time of day to the millisecond. @param {number} at */
const stamp = (at) => `${clock(at)}.${String(Math.floor(at) % 1000).padStart(3, '0')}`;

/** @param {number} size in bytes */
function sized(size) {
  return size < 1000 ? `${size} B` : `${(size / 1000).toFixed(1)} kB`;
}

/** Gives what is kept to the browser, as a file. @param {import('./log.js').Log} log */
function save(log) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([log.json()], { type: 'application/json' }));
  link.download = `bellwire-log-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.json`;
  link.click();
  URL.revokeObjectURL(link.href);
}
