/**
 * @typedef {import('@bellwire/client').Connection & import('@bellwire/client').ApiOptions} BellwireOptions
 */
export class Bellwire {
    /** @param {BellwireOptions} [connection] */
    constructor(connection?: BellwireOptions);
    /** @type {BellwireOptions} */
    connection: BellwireOptions;
    /** The server over HTTP. Made when it is needed: where pages are rendered ahead there is no server yet. */
    get api(): Api;
    /**
     * What is shown under this name, made if nobody shows it yet.
     *
     * @template Shown
     * @template {import('@bellwire/client').Watched} Feed
     * @param {string} name
     * @param {Omit<ConstructorParameters<typeof Shared<Shown, Feed>>[0], 'over'>} of
     * @returns {Shared<Shown, Feed>}
     */
    shared<Shown, Feed extends import("@bellwire/client").Watched>(name: string, of: Omit<ConstructorParameters<typeof Shared<Shown, Feed>>[0], "over">): Shared<Shown, Feed>;
    #private;
}
export type BellwireOptions = import("@bellwire/client").Connection & import("@bellwire/client").ApiOptions;
import { Api } from '@bellwire/client';
import { Shared } from './shared.js';
