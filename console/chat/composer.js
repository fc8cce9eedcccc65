// Where one writes. Enter sends, Shift+Enter begins a line.

import { html, useLayoutEffect, useRef, useState } from '../vendor/htm-preact.js';
import { Icon } from '../frame/icon.js';

/** What a message may have, in bytes of UTF-8. */
const TEXT_MAX = 4_096;
/** How much is left is said from here on. */
const NEARLY = 3_600;
/** What nobody can see, beside spaces. */
const BLANK = /^[\s\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]*$/;
/** What messages may not have. */
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

const encoder = new TextEncoder();

/** @param {{ conversation: import('../live/conversation.js').Conversation }} props */
export function Composer({ conversation }) {
  const [text, setText] = useState(conversation.draft);
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  // Not on a phone, where a keyboard would cover what was said.
  useLayoutEffect(() => {
    if (matchMedia('(pointer: fine)').matches) field.current?.focus({ preventScroll: true });
  }, []);
  useLayoutEffect(() => {
    const { current } = field;
    if (!current) return;
    current.style.height = 'auto';
    current.style.height = `${current.scrollHeight + 2}px`;
  }, [text]);

  const bytes = encoder.encode(text).length;
  const isTooLong = bytes > TEXT_MAX;
  const canSend = !isTooLong && !BLANK.test(text);
  /** @param {string} next */
  const type = (next) => {
    setText(next);
    conversation.typed(next);
  };
  /** @param {Event} event */
  const send = (event) => {
    event.preventDefault();
    field.current?.focus();
    if (!canSend) return;
    conversation.send(text.replace(/\r\n?/g, '\n').replace(CONTROL, '').trim());
    conversation.draft = '';
    setText('');
  };
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
  };
  return html`
    <form class="composer" onSubmit=${send}>
      <textarea
        ref=${field}
        rows="1"
        value=${text}
        placeholder="Write a message"
        aria-label="Message"
        aria-keyshortcuts="Enter"
        aria-invalid=${isTooLong}
        enterkeyhint="send"
        onInput=${(/** @type {any} */ event) => type(event.target.value)}
        onKeyDown=${onKeyDown}
        onBlur=${() => conversation.stopTyping()}
      ></textarea>
      <button type="submit" class="primary square" aria-label="Send" title="Send" aria-disabled=${!canSend}><${Icon} name="send" /></button>
      ${bytes > NEARLY &&
      html`<p class=${isTooLong ? 'wrong' : 'left'} role="status">${isTooLong ? `Too long by ${(bytes - TEXT_MAX).toLocaleString()} bytes` : `${(TEXT_MAX - bytes).toLocaleString()} bytes left`}</p>`}
    </form>
  `;
}
