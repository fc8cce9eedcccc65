// Axes of plots, and the colours that they are drawn with.

import { clock, day, shortClock } from '../frame/times.js';

/** @import uPlot from '../vendor/uPlot.js' */

/** What the axis takes at least. */
const LABEL_WIDTH_MIN = 28;
const DAY_S = 86_400;
const TEN_MINUTES_S = 600;
/** A plot of fewer px has its times closer to each other. */
const NARROW = 480;

/** The colours of the page, by the names of CSS. @returns {(name: string) => string} */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  return (name) => style.getPropertyValue(name).trim();
}

/** The font of the page, as a canvas takes it. @param {number} px */
export const font = (px) => `${px}px ${palette()('--font') || 'sans-serif'}`;

/**
 * An axis of times below, and one of values at the left.
 *
 * @param {number} width of the plot
 * @param {boolean} hasValues
 * @returns {[uPlot.Axis, uPlot.Axis]}
 */
export function axes(width, hasValues) {
  const colour = palette();
  const [stroke, lines] = [colour('--muted'), { stroke: colour('--line'), width: 1 }];
  const text = { stroke, font: font(11) };
  return [
    { ...text, size: 30, space: width < NARROW ? 56 : 80, grid: { show: hasValues, ...lines }, ticks: { ...lines, size: 4 }, values: times },
    { ...text, show: hasValues, size: labelWidth, grid: lines, ticks: { show: false }, space: 36 },
  ];
}

/**
 * Some room above and below, and not too close a look at what hardly moves; from 0 on where that is near.
 *
 * @param {number | null} min
 * @param {number | null} max
 * @param {number} [near] 0 is near if it is not further below than this part of the span
 * @returns {[number, number]}
 */
export function padded(min, max, near = 1) {
  if (min === null || max === null) return [0, 1];
  const span = max - min || Math.abs(max) * 0.1 || 1;
  const room = span * 0.12;
  return [min >= 0 && min <= span * near ? 0 : min - room, max + room];
}

/** @type {(plot: uPlot, values: string[] | null) => number} */
function labelWidth(_, values) {
  const longest = Math.max(...(values ?? ['']).map((text) => text.length));
  return Math.max(LABEL_WIDTH_MIN, 12 + longest * 7);
}

/** The axis of times: days where it shows several, else hours. @type {(plot: uPlot, splits: number[]) => string[]} */
function times(plot, splits) {
  const [first, last] = [plot.scales.x.min ?? 0, plot.scales.x.max ?? 0];
  let before = '';
  return splits.map((time) => {
    if (last - first <= TEN_MINUTES_S) return clock(time * 1000);
    if (last - first <= 2 * DAY_S) return shortClock(time * 1000);
    const text = day(time * 1000);
    const isNew = text !== before;
    before = text;
    return isNew ? text : '';
  });
}
