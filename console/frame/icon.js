// The console's icons, 16 by 16, drawn with the colour of the text around them.

import { html } from '../vendor/htm-preact.js';

const PATHS = {
  bell: 'M3.2 11.5h9.6c-1-.9-1.4-2-1.4-4C11.4 5 10.2 3 8 3S4.6 5 4.6 7.5c0 2-.4 3.1-1.4 4zM6.8 13.6a1.3 1.3 0 0 0 2.4 0',
  search: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3 13.8 13.8',
  chevron: 'M6 4l4 4-4 4',
  back: 'M10 3.5 5.5 8l4.5 4.5',
  minus: 'M3.5 8h9',
  plus: 'M3.5 8h9M8 3.5v9',
  close: 'M4 4l8 8M12 4l-8 8',
  send: 'M2.5 7.5 13.5 2.5 9.5 13.5 7.5 8.5zM7.5 8.5 13.5 2.5',
  people: 'M6 7.4a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.8 13.2c0-2.3 1.9-3.7 4.2-3.7s4.2 1.4 4.2 3.7M11 3a2.2 2.2 0 0 1 0 4.2M12.2 9.8c1.3.5 2.1 1.7 2.1 3.4',
  down: 'M8 3v10M4 9l4 4 4-4',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3.05 3.05l1.05 1.05M11.9 11.9l1.05 1.05M3.05 12.95l1.05-1.05M11.9 4.1l1.05-1.05',
  moon: 'M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z',
  system: 'M2 3h12v8H2zM6 14h4M8 11v3',
};

/** @param {{ name: keyof typeof PATHS }} props */
export function Icon({ name }) {
  return html`
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d=${PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  `;
}
