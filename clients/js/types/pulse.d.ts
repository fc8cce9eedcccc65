export class Pulse {
    /**
     * @param {() => void} ask sends what has to be answered
     * @param {() => void} gone nothing came in time
     */
    constructor(ask: () => void, gone: () => void);
    ask: () => void;
    gone: () => void;
    /** Waits for the first sign. @param {number} limitMs */
    begin(limitMs: number): void;
    /** Something came. It costs no timer: there may be thousands a second. */
    heard(): void;
    /** Asks now, unless it has, or something was heard within this time. @param {number} [quietMs] */
    check(quietMs?: number): void;
    end(): void;
    #private;
}
