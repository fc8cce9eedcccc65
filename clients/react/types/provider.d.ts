/**
 * Says for the components in it which server they show, and who asks. Another `url`, `token` or `client` is another
 * caller, for whom everything begins anew; a `getToken` may be another function each time.
 *
 * @param {import('./bellwire.js').BellwireOptions & { client?: Bellwire, children?: import('react').ReactNode }} props
 *   `client`: made by the application, instead of all else
 */
export function BellwireProvider({ client, children, getToken, ...options }: import("./bellwire.js").BellwireOptions & {
    client?: Bellwire;
    children?: import("react").ReactNode;
}): import("react").FunctionComponentElement<import("react").ProviderProps<Bellwire>>;
/** The server that is shown here: `api` asks it over HTTP. */
export function useBellwire(): Bellwire;
import { Bellwire } from './bellwire.js';
