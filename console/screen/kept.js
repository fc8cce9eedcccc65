// What a screen keeps in its browser: its token, and what it is called. Where storage is refused they hold as long as
// the page.

const TOKEN_KEY = 'client_token';
const NAME_KEY = 'bellwire.screen';
/** What a screen is called until somebody says otherwise. */
const FIRST_NAME = 'Screen';

/** @type {Map<string, string>} */
const held = new Map();

export const token = () => read(TOKEN_KEY);
/** @param {string | null} token `null`: none any more */
export const keepToken = (token) => write(TOKEN_KEY, token);
export const name = () => read(NAME_KEY) ?? FIRST_NAME;
/** @param {string} name */
export const keepName = (name) => write(NAME_KEY, name);

/** @param {string} key */
function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return held.get(key) ?? null;
  }
}

/** @param {string} key @param {string | null} value */
function write(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    if (value === null) held.delete(key);
    else held.set(key, value);
  }
}
