// Light or dark: what was chosen here, else what the system prefers. A classic script in the head, so that
// the first paint has the right colours. `data-theme` on the root is the theme that holds, `data-chosen` the
// choice: `light`, `dark`, or `system`. A new choice is told by the event `bellwire:theme`.
(() => {
  const KEY = 'bellwire.theme';
  const root = document.documentElement;
  const dark = matchMedia('(prefers-color-scheme: dark)');

  /** @param {string | null} choice */
  function apply(choice) {
    const chosen = choice === 'light' || choice === 'dark' ? choice : 'system';
    root.dataset.chosen = chosen;
    root.dataset.theme = chosen === 'system' ? (dark.matches ? 'dark' : 'light') : chosen;
    dispatchEvent(new Event('bellwire:themed'));
  }

  // Storage is refused where cookies are; then a choice holds as long as the page.
  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  apply(stored());
  dark.addEventListener('change', () => apply(root.dataset.chosen ?? null));
  addEventListener('storage', (event) => event.key === KEY && apply(event.newValue));
  addEventListener('bellwire:theme', (event) => {
    const choice = /** @type {CustomEvent<string>} */ (event).detail;
    try {
      localStorage.setItem(KEY, choice);
    } catch {}
    apply(choice);
  });
})();
