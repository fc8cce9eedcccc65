// Places inside the console: what stands behind the `#` of the address.

/** Where we are, as `path#hash`. */
export function here() {
  const hash = location.hash.slice(1);
  try {
    return `${location.pathname}#${decodeURIComponent(hash)}`;
  } catch {
    return `${location.pathname}#${hash}`;
  }
}

/**
 * Goes to a place inside the console.
 *
 * @param {string} hash
 */
export function go(hash) {
  location.hash = hash;
}

/**
 * Goes to a place inside the console that is the one where we are under another name: going back skips it.
 *
 * @param {string} hash
 */
export function replace(hash) {
  location.replace(`#${hash}`);
}

/**
 * A link to a page. Inside the console it keeps the address before the `#`, which may hold a token.
 *
 * @param {string} href
 */
export function link(href) {
  return location.pathname === '/' && href.startsWith('/#') ? href.slice(1) : href;
}
