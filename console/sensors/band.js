// Draws a series: the band from lowest to highest, the average in it, thresholds across. What is dragged over, by mouse
// or finger, is chosen.

import { html, useLayoutEffect, useRef, useState } from '../vendor/htm-preact.js';
import uPlot from '../vendor/uPlot.js';
import { axes, font, padded, palette } from '../plot/axes.js';
import { usePlot } from '../plot/plot.js';
import { extremes, isGap } from './series.js';
import { withUnit } from './value.js';

const HEIGHT = 300;
/** What is dragged over has to be so many px wide. */
const DRAGGED_MIN = 6;
/** Readings that are so many px apart have a dot each. */
const DOTS_APART = 7;
/** The mark of the cursor, in px, and the series that it is on. */
const DOT = 8;
const AVERAGE = 3;
/** A threshold is in view unless the readings would be squeezed to less than this part for it. */
const SQUEEZED_MIN = 0.3;
/** The axis begins at 0 if that is less than this part of what is seen below it. */
const ZERO_PART = 0.2;

/**
 * @typedef {import('./series.js').Series} Series
 * @typedef {import('../live/sensors.js').Alarm} Alarm
 * @typedef {import('./series.js').Point} Point
 * @typedef {{ series: Series, alarm: Alarm | null, unit: string, silenceS: number, from: number, to: number }} Shown
 * @typedef {[number[], ...(number | null)[][]]} Rows times in seconds; highest, lowest and average of each
 * @typedef {{ rows: [number[], (number | null)[], (number | null)[], (number | null)[]], at: (Point | null)[] }} Drawn `at`:
 *   which point each is of; `null`: nothing was heard for long
 */

/**
 * @param {Shown & { version: number, read: (point: Point | null) => void,
 *   choose: (from: number, to: number) => void, label: string, keys: (event: KeyboardEvent) => void }} props times in ms;
 *   `version` changes with the points
 */
export function Band({ series, alarm, unit, silenceS, from, to, version, read, choose, label, keys }) {
  const shown = useRef({ series, alarm, unit, silenceS, from, to });
  shown.current = { series, alarm, unit, silenceS, from, to };
  const does = useRef({ read, choose });
  does.current = { read, choose };
  const drawn = useRef(/** @type {Drawn} */ ({ rows: [[], [], [], []], at: [] }));
  const draw = () => (drawn.current = data(shown.current)).rows;
  const { place, plot } = usePlot({
    height: HEIGHT,
    options: (size) => options(shown, drawn, size, does),
    data: draw,
    made: (made) => touch(made, (left, right) => pick(made, left, right, does.current.choose)),
    on: [],
  });
  useLayoutEffect(() => {
    plot.current?.setData(draw());
  }, [series, version, from, to, alarm]);
  return html`
    <div ref=${place} class="canvas line band" role="group" tabindex="0" aria-roledescription="chart" aria-label=${label} onKeyDown=${keys}></div>
  `;
}

/**
 * A point stands in the middle of what it spans; where nothing was heard for long there is one without values.
 *
 * @param {Shown} shown
 * @returns {Drawn}
 */
function data({ series, silenceS, from, to }) {
  const { points, everyMs } = series;
  /** @type {Drawn} */
  const { rows, at } = { rows: [[], [], [], []], at: [] };
  points.forEach((point, index) => {
    if (isGap(series, index, silenceS)) {
      add(rows, (points[index - 1].at + point.at) / 2, null);
      at.push(null);
    }
    add(rows, Math.min(Math.max(point.at + everyMs / 2, from), Math.max(to, point.at)), point);
    at.push(point);
  });
  return { rows, at };
}

/** @param {Rows} rows @param {number} at @param {Point | null} point */
function add([times, highs, lows, mids], at, point) {
  times.push(Math.max(at / 1000, times[times.length - 1] ?? 0));
  highs.push(point && point.max);
  lows.push(point && point.min);
  mids.push(point && point.mid);
}

/**
 * @param {{ current: Shown }} shown
 * @param {{ current: Drawn }} drawn
 * @param {{ width: number, height: number }} size
 * @param {{ current: { read: (point: Point | null) => void, choose: (from: number, to: number) => void } }} does
 * @returns {uPlot.Options}
 */
function options(shown, drawn, size, does) {
  const colour = palette();
  // A spike of a moment is as thin as a pixel: the edges show it.
  const edge = { stroke: colour('--plot-edge'), width: 1, points: { show: false } };
  const x = () => /** @type {[number, number]} */ ([shown.current.from / 1000, shown.current.to / 1000]);
  const isSparse = (/** @type {uPlot} */ plot) => plot.data[0].length * DOTS_APART < plot.bbox.width / (devicePixelRatio || 1);
  return {
    ...size,
    padding: [12, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, setScale: false, dist: DRAGGED_MIN }, points: { show: marked } },
    scales: { x: { time: true, range: x }, y: { range: (_, min, max) => heights(min, max, shown.current) } },
    axes: axes(size.width, true),
    series: [
      {},
      edge,
      edge,
      {
        stroke: colour('--plot'),
        width: 1.5,
        points: { show: isSparse, size: 5, fill: colour('--plot'), filter: (plot, at, isShown) => (isShown ? null : alone(plot.data[at])) },
      },
    ],
    bands: [{ series: [1, 2], fill: colour('--plot-band') }],
    hooks: {
      setCursor: [(plot) => does.current.read(nearest(plot, drawn.current))],
      setSelect: [(plot) => pick(plot, plot.select.left, plot.select.left + plot.select.width, does.current.choose)],
      draw: [(plot) => thresholds(plot, shown.current, colour)],
    },
  };
}

/**
 * The mark of the cursor, on the average alone; its colour is in the style sheet. uPlot takes nothing as none, which its
 * types do not say.
 *
 * @param {uPlot} _
 * @param {number} at
 * @returns {any}
 */
function marked(_, at) {
  if (at !== AVERAGE) return null;
  const mark = document.createElement('div');
  Object.assign(mark.style, { width: `${DOT}px`, height: `${DOT}px`, marginLeft: `${-DOT / 2}px`, marginTop: `${-DOT / 2}px` });
  return mark;
}

/** @param {uPlot} plot @param {number} left @param {number} right @param {(from: number, to: number) => void} choose */
function pick(plot, left, right, choose) {
  if (right - left < DRAGGED_MIN) return;
  const [from, to] = [left, right].map((px) => plot.posToVal(px, 'x') * 1000);
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  choose(from, to);
}

/** uPlot hears mice; fingers choose by going sideways, and scroll by going up or down. @param {uPlot} plot @param {(left: number, right: number) => void} chosen */
function touch(plot, chosen) {
  let began = NaN;
  const px = (/** @type {PointerEvent} */ event) => Math.min(Math.max(event.clientX - plot.over.getBoundingClientRect().left, 0), plot.over.clientWidth);
  const isFinger = (/** @type {PointerEvent} */ event) => event.pointerType === 'touch' && event.isPrimary;
  plot.over.addEventListener('pointerdown', (event) => {
    if (isFinger(event)) began = px(event);
  });
  plot.over.addEventListener('pointermove', (event) => {
    if (!isFinger(event) || Number.isNaN(began)) return;
    const [left, width] = [Math.min(began, px(event)), Math.abs(px(event) - began)];
    plot.setSelect({ left, width, top: 0, height: plot.over.clientHeight }, false);
  });
  plot.over.addEventListener('pointerup', (event) => {
    if (!isFinger(event) || Number.isNaN(began)) return;
    chosen(Math.min(began, px(event)), Math.max(began, px(event)));
    began = NaN;
  });
  plot.over.addEventListener('pointercancel', () => {
    began = NaN;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  });
}

/** The point at the cursor. @param {uPlot} plot @param {Drawn} drawn */
function nearest(plot, { at }) {
  const { idx, left } = plot.cursor;
  if (idx === null || idx === undefined || left === undefined || left < 0) return null;
  return at[idx] ?? null;
}

/**
 * Points with nothing on both sides: no line goes through them.
 *
 * @param {(number | null | undefined)[] | uPlot.TypedArray} values
 */
function alone(values) {
  const found = [];
  const has = (/** @type {number} */ at) => values[at] !== null && values[at] !== undefined;
  for (let at = 0; at < values.length; at += 1) if (has(at) && !has(at - 1) && !has(at + 1)) found.push(at);
  return found;
}

/**
 * The axis of values, with the thresholds that are not too far away.
 *
 * @param {number | null} min
 * @param {number | null} max
 * @param {Shown} shown
 * @returns {[number, number]}
 */
function heights(min, max, { series, alarm }) {
  if (min === null || max === null) return padded(alarm?.below ?? alarm?.above ?? null, alarm?.above ?? alarm?.below ?? null);
  const { low, high } = extremes(series.points);
  const span = high - low || Math.abs(high) * 0.1 || 1;
  const near = [alarm?.above ?? NaN, alarm?.below ?? NaN].filter((value) => isNear(value, low, high, span));
  return padded(Math.min(min, ...near), Math.max(max, ...near), ZERO_PART);
}

/** @param {number} value @param {number} low @param {number} high @param {number} span */
const isNear = (value, low, high, span) => span / (Math.max(high, value) - Math.min(low, value)) >= SQUEEZED_MIN;

/** @param {uPlot} plot @param {Shown} shown @param {(name: string) => string} colour */
function thresholds(plot, { alarm, unit }, colour) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = colour('--bad');
  ctx.fillStyle = colour('--bad');
  ctx.lineWidth = scale;
  ctx.font = font(11 * scale);
  ctx.textAlign = 'right';
  for (const name of /** @type {const} */ (['above', 'below'])) {
    const value = alarm?.[name];
    if (value === null || value === undefined) continue;
    const y = Math.round(plot.valToPos(value, 'y', true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.setLineDash([5 * scale, 4 * scale]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.textBaseline = name === 'above' ? 'bottom' : 'top';
    const at = /** @type {const} */ ([bbox.left + bbox.width - 4 * scale, y + (name === 'above' ? -3 : 3) * scale]);
    const text = `${name} ${withUnit(value, unit)}`;
    halo(ctx, text, at, { colour: colour('--surface'), width: 4 * scale });
    ctx.fillText(text, ...at);
  }
  ctx.restore();
}

/**
 * Keeps a text apart from what is drawn below it.
 *
 * @param {CanvasRenderingContext2D} ctx
 * @param {string} text
 * @param {readonly [number, number]} at
 * @param {{ colour: string, width: number }} how
 */
function halo(ctx, text, at, { colour, width }) {
  ctx.save();
  ctx.setLineDash([]);
  Object.assign(ctx, { strokeStyle: colour, lineWidth: width, lineJoin: 'round' });
  ctx.strokeText(text, ...at);
  ctx.restore();
}
