// Ratings as stars: shown, or given.

import { html } from '../vendor/htm-preact.js';

const STAR = 'M8 1.6 9.9 5.7l4.5.5-3.3 3.1.9 4.4L8 11.5l-4 2.2.9-4.4L1.6 6.2l4.5-.5z';
const ALL = [1, 2, 3, 4, 5];

/** @param {{ isFull: boolean }} props */
function Star({ isFull }) {
  return html`
    <svg class=${`star${isFull ? ' full' : ''}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false"><path d=${STAR} /></svg>
  `;
}

/** The mean of ratings, and how many there are. @param {{ mean: number | null, count: number }} props */
export function Mean({ mean, count }) {
  if (mean === null) return html`<span class="mean none">Not rated yet</span>`;
  return html`
    <span class="mean" title=${`${mean.toFixed(2)} of 5`}>
      <${Star} isFull=${true} /><strong>${mean.toFixed(1)}</strong> <span class="count">${count.toLocaleString()} ${count === 1 ? 'rating' : 'ratings'}</span>
    </span>
  `;
}

/** How much somebody gave. @param {{ rating: number }} props */
export function Stars({ rating }) {
  return html`<span class="stars" role="img" aria-label=${`${rating} of 5`}>${ALL.map((each) => html`<${Star} key=${each} isFull=${each <= rating} />`)}</span>`;
}

/** Gives one to five. @param {{ given: number, give: (rating: number) => void }} props `given`: 0 if nothing was */
export function Rate({ given, give }) {
  return html`
    <fieldset class="rate">
      <legend>Your rating</legend>
      <div class="stars">
        ${ALL.map(
          (each) => html`
            <button type="button" key=${each} class="quiet square" aria-label=${`${each} of 5`} title=${`${each} of 5`} aria-pressed=${each === given} onClick=${() => give(each)}>
              <${Star} isFull=${each <= given} />
            </button>
          `,
        )}
      </div>
    </fieldset>
  `;
}
