// One of those who work in houses: how they are rated, what is said of them; and where one does both.

import { html, useEffect, useState } from '../vendor/htm-preact.js';
import { Wrong, useAct } from '../frame/act.js';
import { go, link } from '../frame/address.js';
import { Icon } from '../frame/icon.js';
import { Refused, words } from '../live/api.js';
import { nameOf } from '../live/rooms.js';
import { Avatar, Presence } from '../chat/person.js';
import { useListing } from './listing.js';
import { Mean, Rate, Stars } from './stars.js';

/** What a comment may have, in characters. */
const COMMENT_MAX = 2_000;

/**
 * @typedef {import('./page.js').Houseworker} Houseworker
 * @typedef {import('../main.js').App} App
 * @typedef {{ commentID: number, comment: string, from: string, houseworkerID: string, date: string }} Comment
 * @typedef {{ client: string, rating: number, houseworkerID: string, date: any }} Rating
 */

/** @param {{ app: App, id: string, changed: () => void }} props `changed`: what the list says of them is another now */
export function HouseworkerPane({ app, id, changed }) {
  const { chat } = app;
  const [worker, setWorker] = useState(/** @type {Houseworker | null} */ (null));
  const [wrong, setWrong] = useState('');
  const path = `/api/houseworkers/${id}`;
  const load = async () => {
    try {
      setWorker(await chat.ask(path));
      setWrong('');
    } catch (error) {
      setWrong(error instanceof Refused && error.status === 404 ? 'there is no such houseworker' : words(error));
    }
  };
  const comments = useListing(/** @type {(path: string) => Promise<{ items: Comment[], next: string | null }>} */ (chat.ask), `${path}/comments`, true);
  const ratings = useListing(/** @type {(path: string) => Promise<{ items: Rating[], next: string | null }>} */ (chat.ask), `${path}/ratings`, true);
  const again = () => {
    load();
    comments.again();
    ratings.again();
    changed();
  };
  useEffect(() => {
    load();
  }, [id]);
  // What others say of oneself is heard.
  useEffect(() => {
    const told = (/** @type {string} */ type) => {
      if (id === chat.me && (type === 'newCommentChange' || type.startsWith('privateRatingNotify-'))) again();
    };
    chat.listeners.add(told);
    return () => void chat.listeners.delete(told);
  });
  return html`
    <article class="entity-page houseworker" aria-labelledby="entity-name">
      <header>
        <a class="button quiet square back" href=${link('/#/houseworkers')} aria-label="All houseworkers"><${Icon} name="back" /></a>
        ${worker && html`<${Avatar} person=${worker} isOnline=${chat.isOnline(id)} />`}
        <div class="titles">
          <h2 id="entity-name">${worker ? nameOf(worker) : `User ${id}`}</h2>
          <p class="of"><span class="muted">Number ${id}</span> <${Presence} isOnline=${chat.isOnline(id)} /></p>
        </div>
        <a class="button quiet square close" href=${link('/#/houseworkers')} aria-label="Close"><${Icon} name="close" /></a>
      </header>
      ${wrong && html`<${Wrong} words=${wrong} />`}
      ${worker &&
      html`
        <${Summary} app=${app} worker=${worker} ratings=${ratings.items} again=${again} />
        <${Comments} app=${app} worker=${worker} comments=${comments} again=${again} />
        <${Ratings} ratings=${ratings} />
      `}
    </article>
  `;
}

/** @param {{ app: App, worker: Houseworker, ratings: Rating[], again: () => void }} props */
function Summary({ app: { chat, session }, worker, ratings, again }) {
  const { wrong, act } = useAct(session);
  const [wanted, setWanted] = useState(0);
  const given = ratings.find(({ client }) => client === session.name)?.rating ?? 0;
  const isMe = worker.userID === chat.me;
  /** @param {number} rating */
  const rate = async (rating) => {
    setWanted(rating);
    if (await act(() => chat.send('POST', `/api/houseworkers/${worker.userID}/ratings`, { rating }))) again();
    else setWanted(0);
  };
  const write = () =>
    act(async () => {
      const { roomID } = await chat.begin([worker.userID]);
      go(`/chat/${roomID}`);
    });
  return html`
    <div class="summary">
      <${Mean} mean=${worker.rating} count=${worker.ratings} />
      ${isMe ? html`<p class="muted">This is you: others rate you and comment on you.</p>` : html`<${Rate} given=${wanted || given} give=${rate} />`}
      ${!isMe && html`<button type="button" class="write" onClick=${write}>Write to ${nameOf(worker)}</button>`}
      <${Wrong} words=${wrong} />
    </div>
  `;
}

/** @param {{ app: App, worker: Houseworker, comments: import('./listing.js').Listing<Comment>, again: () => void }} props */
function Comments({ app: { chat, session }, worker, comments: { items, next, more, isLoaded, wrong: notLoaded }, again }) {
  const { wrong, act } = useAct(session);
  const [text, setText] = useState('');
  const submit = async (/** @type {Event} */ event) => {
    event.preventDefault();
    if (!(await act(() => chat.send('POST', `/api/houseworkers/${worker.userID}/comments`, { comment: text.trim() })))) return;
    setText('');
    again();
  };
  return html`
    <section class="comments" aria-labelledby="comments">
      <h3 id="comments">Comments <span class="count">${worker.comments.toLocaleString()}</span></h3>
      ${worker.userID !== chat.me &&
      html`
        <form onSubmit=${submit}>
          <label>Your comment
            <textarea rows="2" required maxlength=${COMMENT_MAX} value=${text} onInput=${(/** @type {any} */ event) => setText(event.target.value)}></textarea>
          </label>
          <${Wrong} words=${wrong} />
          <div class="buttons"><button type="submit" disabled=${text.trim() === ''}>Comment</button></div>
        </form>
      `}
      <${Wrong} words=${notLoaded} />
      ${isLoaded && items.length === 0 && html`<p class="muted">Nobody has said anything yet.</p>`}
      <ul>
        ${items.map(
          ({ commentID, comment, from, date }) => html`
            <li key=${commentID} data-comment-id=${commentID}>
              <p><strong>${from}</strong> <span class="when">${date}</span></p>
              <p class="text">${comment}</p>
            </li>
          `,
        )}
      </ul>
      ${next !== null && html`<button type="button" class="quiet more" onClick=${more}>Show more</button>`}
    </section>
  `;
}

/** @param {{ ratings: import('./listing.js').Listing<Rating> }} props */
function Ratings({ ratings: { items, next, more } }) {
  if (items.length === 0) return null;
  return html`
    <section class="ratings" aria-labelledby="ratings">
      <h3 id="ratings">Ratings</h3>
      <ul>
        ${items.map(
          ({ client, rating, date }, at) => html`
            <li key=${`${client} ${at}`}>
              <${Stars} rating=${rating} /><span>${client}</span>
              <span class="when">${typeof date === 'string' ? date : `${date?.day}.${date?.month}.${date?.year}`}</span>
            </li>
          `,
        )}
      </ul>
      ${next !== null && html`<button type="button" class="quiet more" onClick=${more}>Show more</button>`}
    </section>
  `;
}
