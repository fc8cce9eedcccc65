/** One piece of work, tried again after pauses that grow until it is over. */
export class Retries {
    /** @param {() => void} work */
    constructor(work: () => void);
    /** Whether it will be tried again by itself. */
    get isWaiting(): boolean;
    /** It did not work. A `Refused` may say how long to wait at least. @param {any} [error] */
    failed(error?: any): void;
    /** Nothing is left to be done. */
    over(): void;
    /** While it rests nothing is tried. @param {boolean} isResting */
    rest(isResting: boolean): void;
    #private;
}
