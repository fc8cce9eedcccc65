// Socket.IO, with its official client. Logged are what the program would hear (events, acknowledgements,
// connects and disconnects), and, as `packet`, what Engine.IO carries below, as it is written there: `2probe`.

import { WebSocket, XHR, io } from '../vendor/socket.io.js';
import { write as text } from './bytes.js';
import { bytesOf, hex } from './log.js';

/**
 * @typedef {{ server: string, namespace: string, path: string, token: string, auth: Record<string, unknown>,
 *   transports: (keyof typeof TRANSPORTS)[], reconnects: boolean, acknowledges: boolean, hasCookie: boolean }} Options
 */

/** The digits of packets: Engine.IO 4, "Protocol". */
const DIGITS = { open: 0, close: 1, ping: 2, pong: 3, message: 4, upgrade: 5, noop: 6 };

/** What carries Engine.IO's packets, by the names of Socket.IO's options. */
const TRANSPORTS = { polling: XHR, websocket: WebSocket };

/**
 * Connects. What is returned ends it, and emits.
 *
 * @param {Options} options
 * @param {import('./log.js').Log} log
 * @param {(condition: 'connecting' | 'reconnecting' | 'open' | 'closed', attempt?: number) => void} is `attempt` counts
 *   from 1 while it comes back
 */
export function connect(options, log, is) {
  const { server, namespace, path, token, auth, transports, reconnects, acknowledges, hasCookie } = options;
  const url = new URL(namespace || '/', server);
  const socket = io(`${url.origin}${url.pathname}`, {
    path,
    transports: transports.map((name) => heard(TRANSPORTS[name], log)),
    auth: token ? { ...auth, token } : auth,
    reconnection: reconnects,
    withCredentials: hasCookie,
    autoConnect: false,
    forceNew: true,
  });
  /** Which try comes, or is under way, after a break. */
  let attempt = 1;
  let wasConnected = false;
  is('connecting');
  log.add('note', 'connect', `${url.origin}${path}, namespace ${url.pathname}, ${transports.join(' then ')}`);

  socket.on('connect', () => {
    attempt = 1;
    is('open');
    // Before the first time there is nothing to recover.
    const recovered = wasConnected ? `, ${socket.recovered ? 'recovered' : 'not recovered'}` : '';
    wasConnected = true;
    log.add('note', 'connected', `id ${socket.id}${recovered}, over ${socket.io.engine.transport.name}`);
  });
  socket.on('connect_error', (error) => {
    log.add('error', 'connect_error', error.data === undefined ? error.message : `${error.message} ${text(error.data)}`);
    // Who was refused by the server is not tried again by the client; what could not be reached is.
    if (!reconnects || !socket.active) is('closed');
    else is('reconnecting', attempt);
  });
  socket.on('disconnect', (reason) => {
    log.add('note', 'disconnect', reason);
    if (reconnects && socket.active) is('reconnecting', attempt);
    else is('closed');
  });
  socket.onAny((event, ...args) => {
    const acknowledge = typeof args[args.length - 1] === 'function' ? args.pop() : undefined;
    log.add('in', acknowledge ? 'event +ack' : 'event', text([event, ...args]));
    if (!acknowledge || !acknowledges) return;
    acknowledge({ success: true });
    log.add('out', 'ack', text([{ success: true }]));
  });
  socket.io.on('reconnect_attempt', (count) => {
    attempt = count;
    is('reconnecting', attempt);
    log.add('note', 'reconnect', `attempt ${attempt}`);
    // The engine is made right after this is told.
    queueMicrotask(() => watch(socket.io.engine, log));
  });
  socket.connect();
  watch(socket.io.engine, log);

  return {
    /** @param {string} event @param {unknown[]} args @param {boolean} asksForAck */
    emit(event, args, asksForAck) {
      log.add('out', asksForAck ? 'event +ack' : 'event', text([event, ...args]));
      if (!asksForAck) {
        socket.emit(event, ...args);
        return;
      }
      const began = performance.now();
      socket.emit(event, ...args, (/** @type {unknown[]} */ ...answer) => {
        log.add('in', `ack ${(performance.now() - began).toFixed(1)} ms`, text(answer));
      });
    },
    close() {
      socket.disconnect();
      is('closed');
    },
  };
}

/** Logs the changes of an engine. @param {import('../vendor/socket.io.js').Engine | undefined} engine @param {import('./log.js').Log} log */
function watch(engine, log) {
  if (!engine) return;
  engine.on('upgrading', (transport) => log.add('note', 'upgrade', `changing to ${transport.name}`));
  engine.on('upgrade', (transport) => log.add('note', 'upgrade', `now over ${transport.name}`));
  engine.on('upgradeError', (error) => log.add('error', 'upgrade', error.message));
  engine.on('close', (reason) => log.add('note', 'engine', `closed: ${reason}`));
}

/**
 * A transport that logs every packet. The engine does not tell of a probe's packets, and of the transport that
 * probes only when it is over: so the transports themselves are asked.
 *
 * @param {import('../vendor/socket.io.js').TransportClass} base
 * @param {import('./log.js').Log} log
 */
function heard(base, log) {
  return class extends base {
    /** @param {import('../vendor/socket.io.js').Packet[]} packets */
    write(packets) {
      for (const packet of packets) add('out', packet, log);
      super.write(packets);
    }

    /** @param {import('../vendor/socket.io.js').Packet} packet */
    onPacket(packet) {
      add('in', packet, log);
      super.onPacket(packet);
    }
  };
}

/** @param {'in' | 'out'} direction @param {import('../vendor/socket.io.js').Packet} packet @param {import('./log.js').Log} log */
function add(direction, { type, data }, log) {
  if (data instanceof ArrayBuffer) {
    log.add(direction, 'packet', `binary, ${hex(data)}`, data.byteLength);
    return;
  }
  const rest = String(data ?? '');
  log.add(direction, 'packet', `${DIGITS[type] ?? type}${type === 'message' ? masked(rest) : rest}`, bytesOf(rest) + 1);
}

/** A packet without the secrets that it shows or hands out: a log is saved and sent to others. @param {string} data */
const masked = (data) => data.replace(/("(?:token|deviceCode)":")[^"]*/g, '$1...');
