// A page for the hooks: a document, and components that note what a hook gave them.

import { Window } from 'happy-dom';

const window = new Window({ url: 'https://live.example/' });
// In later versions of Node some are there, and cannot be assigned.
const page = {
  window,
  document: window.document,
  location: window.location,
  navigator: window.navigator,
  HTMLElement: window.HTMLElement,
  HTMLIFrameElement: window.HTMLIFrameElement,
  Node: window.Node,
  IS_REACT_ACT_ENVIRONMENT: true,
};
for (const [name, value] of Object.entries(page)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
const { StrictMode, act, createElement } = await import('react');
const { createRoot } = await import('react-dom/client');

/** Runs what changes something, and lets all come of it. @param {() => unknown} change */
export async function acts(change) {
  await act(async () => {
    await change();
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  });
}

/** A component that calls a hook with its `of`, and what the hook gave each time. @param {(of: any) => any} hook */
export function probe(hook) {
  const gave = [];
  function Probe({ of }) {
    gave.push(hook(of));
    return null;
  }
  return { gave, Probe, now: () => gave.at(-1) };
}

/** A root that is shown, and taken away with the test: before time is given back, so this comes first in a test. */
export function shown(test, { strict = false } = {}) {
  const root = createRoot(document.createElement('div'));
  let isThere = true;
  const gone = async () => {
    if (isThere) await acts(() => root.unmount());
    isThere = false;
  };
  test.after(gone);
  return {
    show: (...elements) => acts(() => root.render(strict ? createElement(StrictMode, null, ...elements) : createElement('div', null, ...elements))),
    gone,
  };
}
