/**
 * @typedef {(event: any) => void} Listener
 */
export class Listeners {
    /** @param {string} type @param {Listener} listener @returns {() => void} ends it */
    add(type: string, listener: Listener): () => void;
    /** Tells those who listen to `type`. One that throws keeps nothing from the others. @param {string} type @param {any} event */
    tell(type: string, event: any): void;
    #private;
}
export type Listener = (event: any) => void;
