// What a stream tells its listeners, by the type that they listen to.

import type { Messages } from './events.js';

/** Whatever listeners to all are told: how a connection begins and what was refused have listeners of their own. */
export type AnyEvent = Messages[Exclude<keyof Messages, 'resumed' | 'reset' | 'error' | 'pong'>];

export type Heard = Messages & { '*': AnyEvent };
