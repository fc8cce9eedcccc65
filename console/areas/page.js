// The page of areas: which there are, on which screens they are shown, and which screens ask to be let in.

import { html } from '../vendor/htm-preact.js';
import { useWatched } from '../live/watched.js';
import { AreaList } from './area-list.js';
import { ClientList } from './client-list.js';
import { OnlyAdmins } from './gate.js';
import { Pairings } from './pairings.js';

/** @param {{ app: import('../main.js').App }} props */
export function AreasPage({ app }) {
  return html`<${OnlyAdmins} app=${app}><${Content} app=${app} /></${OnlyAdmins}>`;
}

/** @param {{ app: import('../main.js').App }} props */
function Content({ app }) {
  const { areas, areasConnection } = app;
  useWatched(areas, areasConnection);
  const { condition } = areasConnection;
  if (!areas.complete && areas.areas.all.size === 0) return html`<${Skeleton} isStill=${condition === 'offline' || condition === 'refused'} />`;
  return html`
    <div class=${`areas-page scrolls${condition === 'live' ? '' : ' stale'}`}>
      <h1 class="out-of-sight">Areas</h1>
      <${AreaList} app=${app} />
      <div class="people">
        <${Pairings} app=${app} />
        <${ClientList} app=${app} />
      </div>
    </div>
  `;
}

/** Stands for what is loaded. @param {{ isStill: boolean }} props */
function Skeleton({ isStill }) {
  return html`
    <div class=${`skeleton${isStill ? ' still' : ''}`} role="status" aria-label=${isStill ? 'Nothing loaded yet' : 'Loading areas'}>
      ${Array.from({ length: 8 }, (_, at) => html`<div key=${at}><i></i><i></i><i></i></div>`)}
    </div>
  `;
}
