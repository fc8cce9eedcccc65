// Which server the components of an application show.

import { createContext, createElement, useContext, useMemo, useRef } from 'react';
import { Bellwire } from './bellwire.js';

/** The server that the page is from, with its cookie. */
const OWN = new Bellwire();

const Context = createContext(OWN);

/**
 * Says for the components in it which server they show, and who asks. Another `url`, `token` or `client` is another
 * caller, for whom everything begins anew; a `getToken` may be another function each time.
 *
 * @param {import('./bellwire.js').BellwireOptions & { client?: Bellwire, children?: import('react').ReactNode }} props
 *   `client`: made by the application, instead of all else
 */
export function BellwireProvider({ client, children, getToken, ...options }) {
  const latest = useRef(getToken);
  latest.current = getToken;
  const { url, token, showing, credentials, WebSocket, fetch } = options;
  const hasGetToken = getToken !== undefined;
  const made = useMemo(() => {
    /** @type {import('@bellwire/client').GetToken | undefined} */
    const asks = hasGetToken ? (about) => latest.current?.(about) : undefined;
    return new Bellwire({ url, token, getToken: asks, showing, credentials, WebSocket, fetch });
  }, [url, token, hasGetToken, showing, credentials, WebSocket, fetch]);
  return createElement(Context.Provider, { value: client ?? made }, children);
}

/** The server that is shown here: `api` asks it over HTTP. */
export function useBellwire() {
  return useContext(Context);
}
