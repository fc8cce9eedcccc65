/**
 * @typedef {object} Surroundings
 * @property {() => void} online there is a network again
 * @property {() => void} offline there is none
 * @property {() => void} shown somebody looks at the page again, or it was woken up
 */
/**
 * Calls these, until the function that is returned is called.
 *
 * @param {Surroundings} heard
 * @returns {() => void}
 */
export function surroundings({ online, offline, shown }: Surroundings): () => void;
export type Surroundings = {
    /**
     * there is a network again
     */
    online: () => void;
    /**
     * there is none
     */
    offline: () => void;
    /**
     * somebody looks at the page again, or it was woken up
     */
    shown: () => void;
};
