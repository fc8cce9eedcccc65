// What plots share: they are made by uPlot in an element, are as wide as it, and change with the colours of the page.

import { useEffect, useLayoutEffect, useRef, useState } from '../vendor/htm-preact.js';
import uPlot from '../vendor/uPlot.js';

/**
 * A plot, made anew when one of `on` has changed, or the colours have.
 *
 * @param {{ height: number, options: (size: { width: number, height: number }) => uPlot.Options,
 *   data: () => uPlot.AlignedData, made?: (plot: uPlot) => void, on: unknown[] }} of
 * @returns {{ place: { current: HTMLDivElement | null }, plot: { current: uPlot | null } }} `place`: the element for it
 */
export function usePlot({ height, options, data, made, on }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | null} */ (null));
  const [theme, setTheme] = useState(0);

  useEffect(() => {
    const themed = () => setTheme((count) => count + 1);
    addEventListener('bellwire:themed', themed);
    return () => removeEventListener('bellwire:themed', themed);
  }, []);

  useLayoutEffect(() => {
    const element = place.current;
    if (!element) return undefined;
    const size = () => ({ width: element.clientWidth, height });
    const drawn = new uPlot(options(size()), data(), element);
    plot.current = drawn;
    made?.(drawn);
    const sizes = new ResizeObserver(() => drawn.setSize(size()));
    sizes.observe(element);
    return () => {
      sizes.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [...on, theme]);
  return { place, plot };
}
