/**
 * Pauses that grow. Each is drawn from half to one and a half of what it stands for: clients that lost the same server at
 * the same moment do not come back at the same moment.
 */
export class Pauses {
    /** The next pause, in ms. @param {number} [atLeastMs] what it must not fall below */
    next(atLeastMs?: number): number;
    /** All is well: the next one is short. */
    reset(): void;
    #private;
}
