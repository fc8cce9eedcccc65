// What was said: by days, what one person said in a row together. It stays at the end while one is there, and where it
// is when older messages come in above.

import { Component, html } from '../vendor/htm-preact.js';
import { Icon } from '../frame/icon.js';
import { dayInWords, shortClock, whole } from '../frame/times.js';
import { perFrame } from '../live/watched.js';

/** Who is so near to the end, in px, is at it. */
const END_PX = 40;
/** More is loaded when there is less than this, in px, beyond what is in view. */
const AHEAD_PX = 400;
/** What one person says within this time stands together. */
const TOGETHER_MS = 300_000;

/**
 * @typedef {import('../live/messages.js').Message} Message
 * @typedef {import('../live/conversation.js').Conversation} Conversation
 * @typedef {{ app: import('../main.js').App, conversation: Conversation }} Props
 *
 * @extends {Component<Props, { isAtEnd: boolean, seen: string }>}
 */
export class MessageLog extends Component {
  state = { isAtEnd: true, seen: '' };
  /** @type {HTMLElement | null} */
  element = null;
  /** What is at the top of what is in view, and how far from it, in px. @type {{ key: string, offset: number } | null} */
  #anchor = null;
  #jumps = this.props.conversation.jumps;
  #last = '';
  #frame = perFrame(() => this.#scrolled());
  #sizes = new ResizeObserver(() => this.#settle());

  componentDidMount() {
    if (this.element) this.#sizes.observe(this.element);
    this.#settle();
  }

  componentDidUpdate() {
    const { conversation } = this.props;
    if (conversation.jumps !== this.#jumps) {
      this.#jumps = conversation.jumps;
      this.#isAtEnd(true);
    }
    this.#settle();
  }

  componentWillUnmount() {
    this.#sizes.disconnect();
    this.#frame.cancel();
  }

  /** Scrolls to where it was: the end, or what was at the top. */
  #settle() {
    const { element } = this;
    if (!element) return;
    if (this.state.isAtEnd && this.props.conversation.messages.isAtEnd) {
      element.scrollTop = element.scrollHeight;
    } else if (this.#anchor) {
      const row = element.querySelector(`[data-key="${this.#anchor.key}"]`);
      if (row instanceof HTMLElement) element.scrollTop = row.offsetTop - this.#anchor.offset;
    }
    // It may be that all that is here does not fill what can be seen.
    this.#frame.ask();
  }

  #scrolled() {
    const { element } = this;
    const { conversation } = this.props;
    if (!element) return;
    const { scrollTop: top, clientHeight: height, scrollHeight: whole } = element;
    for (const row of element.querySelectorAll('[data-key]')) {
      if (!(row instanceof HTMLElement) || row.offsetTop + row.offsetHeight <= top) continue;
      this.#anchor = { key: row.dataset.key ?? '', offset: row.offsetTop - top };
      break;
    }
    this.#isAtEnd(top + height >= whole - END_PX && conversation.messages.isAtEnd);
    // What was loaded just now may not be drawn yet: then nobody has got to its top.
    const first = element.querySelector('[data-key]')?.getAttribute('data-key');
    const isDrawn = first === conversation.messages.all[0]?.key;
    if (top < AHEAD_PX && isDrawn) conversation.page('older');
    else if (top + height > whole - AHEAD_PX) conversation.page('newer');
  }

  /** @param {boolean} isAtEnd */
  #isAtEnd(isAtEnd) {
    const last = this.props.conversation.messages.all.at(-1)?.key ?? '';
    if (isAtEnd !== this.state.isAtEnd || (isAtEnd && this.state.seen !== last)) this.setState({ isAtEnd, seen: last });
  }

  /** How many came since one left the end. @param {Message[]} all */
  #unseen(all) {
    const { messages } = this.props.conversation;
    const at = all.findIndex(({ key }) => key === this.state.seen);
    return messages.beyond + (messages.isAtEnd && at >= 0 ? all.length - 1 - at : 0);
  }

  /** @param {Props} props @param {{ isAtEnd: boolean }} state */
  render({ app, conversation }, { isAtEnd }) {
    const { messages, outbox, condition, firstUnread, isPaging } = conversation;
    const all = [...messages.all, ...(messages.isAtEnd ? outbox : [])];
    const isEmpty = condition === 'open' && all.length === 0;
    const unseen = isAtEnd ? 0 : this.#unseen(messages.all);
    return html`
      <div class="messages-frame">
        <div
          class="messages"
          role="log"
          aria-label="Messages"
          aria-live=${condition === 'open' && !isPaging ? 'polite' : 'off'}
          aria-busy=${condition === 'loading' || isPaging}
          tabindex="0"
          ref=${(/** @type {HTMLElement | null} */ element) => (this.element = element)}
          onScroll=${this.#frame.ask}
        >
          ${messages.older && html`<p class="older">${isPaging ? 'Loading older messages' : ''}</p>`}
          ${messages.older === null && all.length > 0 && html`<p class="older">The conversation begins here</p>`}
          ${isEmpty && html`<p class="older">Nothing was said here yet</p>`}
          <ol>${rows(all, { conversation, me: app.chat.me, firstUnread })}</ol>
        </div>
        ${(!isAtEnd || !messages.isAtEnd) &&
        html`
          <button type="button" class="to-end" onClick=${() => conversation.toEnd()}>
            <${Icon} name="down" />${unseen > 0 ? `${unseen} new` : 'Newest'}
          </button>
        `}
      </div>
    `;
  }
}

/**
 * Messages with what stands between them.
 *
 * @param {Message[]} all
 * @param {{ conversation: Conversation, me: string, firstUnread: string }} of
 */
function rows(all, { conversation, me, firstUnread }) {
  const isGroup = conversation.room?.group ?? false;
  /** @type {import('../vendor/htm-preact.js').VNode[]} */
  const rows = [];
  let [day, before] = ['', /** @type {Message | undefined} */ (undefined)];
  for (const message of all) {
    const its = new Date(message.at).toDateString();
    const isUnread = message.key === firstUnread;
    if (its !== day) rows.push(html`<li key=${`day ${its}`} class="day"><span>${dayInWords(message.at)}</span></li>`);
    if (isUnread) rows.push(html`<li key="unread" class="first-unread"><span>New</span></li>`);
    const goesOn = its === day && !isUnread && before?.from === message.from && before.state !== 'note' && message.at - before.at < TOGETHER_MS;
    if (message.state === 'note') rows.push(html`<li key=${message.key} data-key=${message.key} class="note">${message.text}</li>`);
    else rows.push(html`<${Bubble} key=${message.key} ...${{ message, conversation, goesOn, isMine: message.from === me, isGroup }} />`);
    [day, before] = [its, message];
  }
  return rows;
}

/** @param {{ message: Message, conversation: Conversation, goesOn: boolean, isMine: boolean, isGroup: boolean }} props */
function Bubble({ message, conversation, goesOn, isMine, isGroup }) {
  const { key, text, name, at, state, why = '' } = message;
  const isLive = conversation.chat.connection.condition === 'live';
  const who = name || `User ${message.from}`;
  return html`
    <li key=${key} data-key=${key} class=${`message${isMine ? ' mine' : ''}${goesOn ? ' goes-on' : ''} ${state}`}>
      ${!goesOn && !isMine && isGroup ? html`<span class="from">${who}</span>` : html`<span class="out-of-sight">${isMine ? 'You' : who}: </span>`}
      <div class="bubble">
        <span class="text">${text}</span>
        <time dateTime=${new Date(at).toISOString()} title=${whole(at)}>${state === 'pending' ? (isLive ? 'Sending' : 'Waiting') : shortClock(at)}</time>
      </div>
      ${state === 'failed' &&
      html`
        <p class="wrong" role="alert">
          Not sent: ${/[.?!]$/.test(why) ? why : `${why}.`}
          <button type="button" class="quiet" onClick=${() => conversation.post(message)}>Try again</button>
          <button type="button" class="quiet" onClick=${() => conversation.discard(message)}>Discard</button>
        </p>
      `}
    </li>
  `;
}
