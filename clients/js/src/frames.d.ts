// What a stream tells its listeners, by the type that they listen to.

import type { Events } from './events.js';
import type { Station } from './resources.js';

/** A durable event of a stream has the cursor to go on from after it. */
export type WithCursor<Event> = Event & { cursor?: string };

/** The connection goes on from its cursor; `replayed` events that were missed follow. */
export interface Resumed {
  type: 'resumed';
  cursor: string;
  replayed: number;
}

/** The connection cannot go on from its cursor: events may have been missed. It is live from this one on. */
export interface Reset {
  type: 'reset';
  cursor: string;
  reason: 'expired' | 'limited' | 'epoch' | 'future' | 'invalid' | (string & {});
}

/** What the server refused that was no call. */
export interface ErrorFrame {
  type: string;
  message?: string;
  error?: string;
  code?: string;
}

/** What a connection is told first. */
export interface ConnectionEstablished {
  type: 'connection_established';
  message: string;
  station_id?: number | null;
}

export interface StationsSnapshot {
  type: 'stations:snapshot';
  data: Station[];
  cursor?: string;
}

export type AnyEvent = WithCursor<Events[keyof Events]> | StationsSnapshot | ConnectionEstablished;

export type Heard = { [Type in keyof Events]: WithCursor<Events[Type]> } & {
  resumed: Resumed;
  reset: Reset;
  error: ErrorFrame;
  connection_established: ConnectionEstablished;
  'stations:snapshot': StationsSnapshot;
  '*': AnyEvent;
};
