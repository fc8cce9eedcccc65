// A long list of rows, of which only those in view are in the document.

import { Component, html } from '../vendor/htm-preact.js';
import { perFrame } from '../live/watched.js';

/** Rows beyond the edges that are there already when one scrolls. */
const OVERSCAN = 8;
/** Who is so near to the end, in px, is at it. */
const END_PX = 24;

/**
 * @typedef {object} Props
 * @property {number[]} tops where each row begins, in px, and where the last one ends
 * @property {(index: number, top: number) => any} row renders one; `top` is its place in px
 * @property {Record<string, unknown>} [attributes] of the element that scrolls
 * @property {(list: VirtualList | null) => void} [handle]
 * @property {(first: number, scrolled: number) => any} [pinned] renders what stays at the top, by the first row in
 *   view and by how far it was scrolled, in px
 *
 * @extends {Component<Props, { top: number, height: number }>}
 */
export class VirtualList extends Component {
  state = { top: 0, height: 800 };
  /** @type {HTMLElement | null} */
  element = null;
  #frame = perFrame(() => this.#measure());
  #sizes = new ResizeObserver(() => this.#frame.ask());

  componentDidMount() {
    if (this.element) this.#sizes.observe(this.element);
    this.props.handle?.(this);
  }

  componentWillUnmount() {
    this.#sizes.disconnect();
    this.#frame.cancel();
    this.props.handle?.(null);
  }

  /** Renders the rows in view again. */
  refresh() {
    this.forceUpdate();
  }

  /**
   * Scrolls as little as shows the row.
   *
   * @param {number} index
   * @param {number} [covered] px at the top that something else covers
   */
  reveal(index, covered = 0) {
    const { element, props } = this;
    if (!element) return;
    const [top, bottom] = [props.tops[index], props.tops[index + 1]];
    if (top < element.scrollTop + covered) element.scrollTop = top - covered;
    else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
    this.#measure();
  }

  /** Scrolls the row to the middle, unless it is in view. @param {number} index */
  centre(index) {
    const { element, props } = this;
    if (!element) return;
    const [top, bottom] = [props.tops[index], props.tops[index + 1]];
    if (top >= element.scrollTop && bottom <= element.scrollTop + element.clientHeight) return;
    element.scrollTop = (top + bottom - element.clientHeight) / 2;
    this.#measure();
  }

  /** Whether the last row is in view. */
  isAtEnd() {
    const { element } = this;
    return !element || element.scrollTop + element.clientHeight >= element.scrollHeight - END_PX;
  }

  toEnd() {
    if (this.element) this.element.scrollTop = this.element.scrollHeight;
  }

  /** How many rows fit, by their mean height. */
  get page() {
    const { tops } = this.props;
    return Math.max(1, Math.floor((this.state.height / tops[tops.length - 1]) * tops.length) - 1);
  }

  #measure() {
    if (!this.element) return;
    const { scrollTop: top, clientHeight: height } = this.element;
    if (top !== this.state.top || height !== this.state.height) this.setState({ top, height });
  }

  /** @param {Props} props @param {{ top: number, height: number }} state */
  render({ tops, row, attributes, pinned }, { top, height }) {
    const count = tops.length - 1;
    const inView = at(tops, top);
    const end = Math.min(count, at(tops, top + height) + 1 + OVERSCAN);
    const rows = [];
    for (let index = Math.max(0, inView - OVERSCAN); index < end; index += 1) rows.push(row(index, tops[index]));
    return html`
      <div
        ...${attributes}
        ref=${(/** @type {HTMLElement | null} */ element) => (this.element = element)}
        onScroll=${this.#frame.ask}
      >
        ${count > 0 && pinned?.(inView, top)}
        <div role="none" class="rows" style=${{ height: `${tops[count]}px` }}>${rows}</div>
      </div>
    `;
  }
}

/** The row at a place: the last that begins there or above. @param {number[]} tops @param {number} place */
function at(tops, place) {
  let [low, high] = [0, Math.max(0, tops.length - 2)];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tops[middle] <= place) low = middle;
    else high = middle - 1;
  }
  return low;
}
