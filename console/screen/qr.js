// A text as a QR code, to be read by the camera of a phone.

import { html, useMemo } from '../vendor/htm-preact.js';
import { correction, generate } from '../vendor/lean-qr.js';

/** Modules without anything around the code: ISO/IEC 18004 asks for four. */
const MARGIN = 4;

/** @param {{ text: string }} props */
export function QrCode({ text }) {
  const { path, size } = useMemo(() => drawn(text), [text]);
  // Dark on light whatever the theme is: not every camera reads the other.
  return html`
    <svg class="qr" role="img" aria-label=${`QR code of ${text}`} viewBox=${`${-MARGIN} ${-MARGIN} ${size} ${size}`} shape-rendering="crispEdges">
      <rect x=${-MARGIN} y=${-MARGIN} width=${size} height=${size} fill="#fff" />
      <path d=${path} fill="#000" />
    </svg>
  `;
}

/** Each run of dark modules of a row as a rectangle. @param {string} text */
function drawn(text) {
  const code = generate(text, { minCorrectionLevel: correction.M });
  let path = '';
  for (let y = 0; y < code.size; y += 1) {
    for (let x = 0, run = 0; x < code.size; x += run + 1) {
      for (run = 0; code.get(x + run, y); run += 1);
      if (run > 0) path += `M${x} ${y}h${run}v1h-${run}z`;
    }
  }
  return { path, size: code.size + 2 * MARGIN };
}
