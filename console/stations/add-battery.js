// Adds a battery to a station: a new one, or one that comes back by its number.

import { html, useEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Wrong } from '../frame/act.js';
import { useChange } from './change.js';

/**
 * @param {{ app: import('../main.js').App, station: import('../live/stations.js').Station, close: () => void,
 *   say: (words: string) => void }} props
 */
export function AddBattery({ app, station, close, say }) {
  const { wrong, busy, change } = useChange(app.session);
  const [kind, setKind] = useState(/** @type {'new' | 'back'} */ ('new'));
  const [typed, setTyped] = useState({ id: '', name: '', model: '' });
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const first = () => /** @type {HTMLInputElement | null} */ (form.current?.querySelector('input'));
  useEffect(() => first()?.focus(), [kind]);
  const field = (/** @type {keyof typeof typed} */ name) => ({
    name,
    value: typed[name],
    autocomplete: 'off',
    onInput: (/** @type {any} */ event) => setTyped({ ...typed, [name]: event.target.value }),
  });
  const save = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const texts = Object.entries({ name: typed.name.trim(), model: typed.model.trim() }).filter(([, text]) => text !== '');
    const body = { ...(typed.id !== '' && { battery_id: Number(typed.id) }), ...Object.fromEntries(texts) };
    await change('add', async (send) => {
      const { id } = await send('POST', `/api/stations/${station.id}/batteries`, body);
      say(`Battery ${id} is added`);
      setTyped({ ...typed, id: '' });
      first()?.focus();
    });
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== 'Escape') return;
    event.preventDefault();
    close();
  };
  const isBack = kind === 'back';
  const number = html`<label key="id">Number <input ...${field('id')} type="number" min="1" step="1" inputmode="numeric" required=${isBack} /></label>`;
  return html`
    <form class="card add-battery" ref=${form} aria-label="Add a battery" onSubmit=${save} onKeyDown=${onKeyDown}>
      <div class="choice" role="group" aria-label="Which battery">
        <button type="button" aria-pressed=${!isBack} onClick=${() => setKind('new')}>A new one</button>
        <button type="button" aria-pressed=${isBack} onClick=${() => setKind('back')}>One that comes back</button>
      </div>
      <div class="fields">
        ${isBack && number}
        <label>Name <input ...${field('name')} required=${!isBack} placeholder=${isBack ? 'as it was' : ''} /></label>
        <label>Model <input ...${field('model')} required=${!isBack} placeholder=${isBack ? 'as it was' : ''} /></label>
        ${!isBack && number}
      </div>
      <p class="hint">${isBack ? 'A battery that was collected is known by its number.' : 'Without a number it gets the next free one.'}</p>
      <${Wrong} words=${wrong} />
      <div class="buttons">
        <button type="submit" class=${`primary${busy ? ' at-work' : ''}`} aria-busy=${busy !== ''}>Add it</button>
        <button type="button" onClick=${close}>Done</button>
      </div>
    </form>
  `;
}
