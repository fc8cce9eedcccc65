// A history as a plot: a line where states are numbers, else a band of colours. Both with uPlot, so that axes,
// cursor and sizes are the same. A state holds until the next one, so lines have steps.

import { html, useLayoutEffect, useMemo, useRef, useState } from '../vendor/htm-preact.js';
import uPlot from '../vendor/uPlot.js';
import { clock, readable, whole } from '../frame/times.js';
import { hasValue } from '../live/states.js';
import { axes, font, padded, palette } from '../plot/axes.js';
import { usePlot } from '../plot/plot.js';
import { numberOf } from './history.js';

const HEIGHTS = { line: 240, band: 108 };
const DAY_S = 86_400;

/**
 * @param {{ points: import('./history.js').Point[], isLine: boolean, unit: string, from: number, to: number,
 *   version: number, note: string }} props times in ms; `version` changes with the points
 */
export function Plot({ points, isLine, unit, from, to, version, note }) {
  const shown = useRef({ points, from, to });
  shown.current = { points, from, to };
  const [readout, setReadout] = useState('');
  const read = (/** @type {number | null | undefined} */ at) => {
    const point = at === null || at === undefined ? undefined : shown.current.points[at];
    setReadout(point ? `${moment(point.at, shown.current)}  ${point.state === null ? 'gone' : readable(point.state)}${unit && hasValue(point.state ?? '') ? ` ${unit}` : ''}` : '');
  };
  const { place, plot } = usePlot({
    height: isLine ? HEIGHTS.line : HEIGHTS.band,
    options: (size) => options(isLine, shown, size, read),
    data: () => data(shown.current, isLine),
    on: [isLine, unit],
  });

  useLayoutEffect(() => {
    plot.current?.setData(data(shown.current, isLine));
  }, [points, version, from, to]);

  const { words, caption } = useMemo(() => {
    const caption = isLine ? range(points, unit) : legend(points);
    return { words: summary(points, isLine, unit), caption };
  }, [points, version, isLine, unit]);
  return html`
    <figure class="plot">
      <div ref=${place} class=${`canvas${isLine ? ' line' : ''}`} role="img" aria-label=${words}></div>
      <figcaption>${readout ? html`<span>${readout}</span>` : caption}<span class="note">${note}</span></figcaption>
    </figure>
  `;
}

/**
 * The points as uPlot takes them: times in seconds, and values. The last state holds until `to`.
 *
 * @param {{ points: import('./history.js').Point[], from: number, to: number }} shown
 * @param {boolean} isLine
 * @returns {uPlot.AlignedData}
 */
function data({ points, from, to }, isLine) {
  // The clock here and the server's may differ: times never go back.
  let latest = from / 1000;
  const times = points.map(({ at }) => (latest = Math.max(at / 1000, latest)));
  const values = points.map(({ state }) => (isLine ? numberOf(state) : state === null ? null : 1));
  if (points.length > 0) {
    times.push(Math.max(to / 1000, latest));
    values.push(values[values.length - 1]);
  }
  return [times, values];
}

/**
 * @param {boolean} isLine
 * @param {{ current: { points: import('./history.js').Point[], from: number, to: number } }} shown
 * @param {{ width: number, height: number }} size
 * @param {(at: number | null | undefined) => void} read
 * @returns {uPlot.Options}
 */
function options(isLine, shown, size, read) {
  const colour = palette();
  const x = () => /** @type {[number, number]} */ ([shown.current.from / 1000, shown.current.to / 1000]);
  return {
    ...size,
    padding: [10, 20, 0, isLine ? 0 : 20],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: isLine } },
    scales: { x: { time: true, range: x }, y: isLine ? { range: (_, min, max) => padded(min, max) } : { range: [0, 1] } },
    axes: axes(size.width, isLine),
    series: [
      {},
      isLine
        ? {
            stroke: colour('--plot'),
            width: 1.5,
            // What is filled is read as a quantity: only from 0 on.
            fill: (/** @type {uPlot} */ plot) => (plot.scales.y.min === 0 ? colour('--plot-fill') : 'transparent'),
            paths: uPlot.paths.stepped?.({ align: 1 }),
            points: { show: false },
          }
        : { paths: () => null, points: { show: false } },
    ],
    hooks: {
      setCursor: [(/** @type {uPlot} */ plot) => read(plot.cursor.left === undefined || plot.cursor.left < 0 ? null : held(plot))],
      draw: isLine ? [] : [(/** @type {uPlot} */ plot) => band(plot, shown.current.points, colour)],
    },
  };
}

/** The point that held at the cursor, which lies between two. @param {uPlot} plot */
function held(plot) {
  const time = plot.posToVal(plot.cursor.left ?? 0, 'x');
  const times = plot.data[0];
  let at = -1;
  while (at + 1 < times.length && times[at + 1] <= time) at += 1;
  return at < 0 ? null : Math.min(at, times.length - 2);
}

/** How many states have a colour of their own; those that are rarer share one. */
const BAND_COLOURS = 6;

/**
 * The colour of each state, by how often it occurs; what is off, or tells nothing, is grey.
 *
 * @param {import('./history.js').Point[]} points
 * @returns {Map<string, string>} names of CSS properties
 */
function colours(points) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { state } of points) if (state !== null) counts.set(state, (counts.get(state) ?? 0) + 1);
  const quiet = new Set(['off', 'closed', 'idle', 'standby', 'not_home', 'locked', 'docked', 'below_horizon']);
  let next = 0;
  return new Map(
    [...counts]
      .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
      .map(([state]) => {
        if (!hasValue(state)) return [state, '--band-none'];
        if (quiet.has(state)) return [state, '--band-quiet'];
        next += 1;
        return [state, `--band-${Math.min(next, BAND_COLOURS)}`];
      }),
  );
}

/**
 * @param {uPlot} plot
 * @param {import('./history.js').Point[]} points
 * @param {(name: string) => string} colour
 */
function band(plot, points, colour) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio || 1;
  const chosen = colours(points);
  const [times] = plot.data;
  const left = (/** @type {number} */ at) => Math.min(Math.max(plot.valToPos(times[at], 'x', true), bbox.left), bbox.left + bbox.width);
  ctx.save();
  ctx.font = `500 ${font(11 * scale)}`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  for (let at = 0; at < points.length; ) {
    const { state } = points[at];
    let end = at + 1;
    while (end < points.length && points[end].state === state) end += 1;
    if (state !== null) {
      const [x, width] = [left(at), left(end) - left(at)];
      ctx.fillStyle = colour(chosen.get(state) ?? '--band-none');
      // A gap of a pixel between two, unless nothing would be left of them.
      ctx.fillRect(x, bbox.top, Math.max(width > 3 * scale ? width - scale : width, 1), bbox.height);
      const text = readable(state) || 'empty';
      if (ctx.measureText(text).width + 14 * scale < width) {
        ctx.fillStyle = colour(chosen.get(state) === '--band-quiet' || chosen.get(state) === '--band-none' ? '--text' : '--band-text');
        ctx.fillText(text, x + 7 * scale, bbox.top + bbox.height / 2);
      }
    }
    at = end;
  }
  ctx.restore();
}

/** @param {number} at @param {{ from: number, to: number }} shown */
const moment = (at, { from, to }) => (to - from > DAY_S * 1000 ? whole(at) : clock(at));

/** Lowest and highest, in words. @param {import('./history.js').Point[]} points @param {string} unit */
function range(points, unit) {
  const values = points.map(({ state }) => numberOf(state)).filter((value) => value !== null);
  if (values.length === 0) return 'No values';
  let [low, high] = [values[0], values[0]];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const words = (/** @type {number} */ value) => `${value.toLocaleString(undefined, { maximumFractionDigits: 3 })}${unit && ` ${unit}`}`;
  return low === high ? `Steady at ${words(low)}` : `Lowest ${words(low)}, highest ${words(high)}`;
}

/** The states of a band, with their colours. @param {import('./history.js').Point[]} points */
function legend(points) {
  return [...colours(points)].slice(0, BAND_COLOURS + 2).map(
    ([state, name]) => html`<span key=${state} class=${`key ${name.slice(2)}`}>${readable(state) || 'empty'}</span>`,
  );
}

/** @param {import('./history.js').Point[]} points @param {boolean} isLine @param {string} unit */
function summary(points, isLine, unit) {
  if (isLine) return `Plot of ${points.length} values. ${range(points, unit)}`;
  return `Timeline of ${[...colours(points).keys()].map((state) => readable(state) || 'empty').join(', ')}`;
}
