// Light, dark, or as the system prefers. What holds is decided in `theme.js`.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { Icon } from './icon.js';

const NEXT = /** @type {const} */ ({ system: 'light', light: 'dark', dark: 'system' });
const ICONS = /** @type {const} */ ({ system: 'system', light: 'sun', dark: 'moon' });

const chosen = () => /** @type {keyof typeof NEXT} */ (document.documentElement.dataset.chosen ?? 'system');

export function ThemeButton() {
  const [choice, setChoice] = useState(chosen);
  useEffect(() => {
    const changed = () => setChoice(chosen());
    addEventListener('bellwire:themed', changed);
    return () => removeEventListener('bellwire:themed', changed);
  }, []);
  const label = `Colours: ${choice}. Change to ${NEXT[choice]}`;
  const change = () => dispatchEvent(new CustomEvent('bellwire:theme', { detail: NEXT[choice] }));
  return html`
    <button type="button" class="quiet square" aria-label=${label} title=${label} onClick=${change}>
      <${Icon} name=${ICONS[choice]} />
    </button>
  `;
}
