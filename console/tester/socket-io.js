// Socket.IO, with its official client. Logged are what the program would hear (events, acknowledgements,
// connects and disconnects), and, as `packet`, what Engine.IO carries below.

import { io } from '../vendor/socket.io.js';
import { bytesOf, hex } from './log.js';

/**
 * @typedef {{ server: string, namespace: string, path: string, token: string, auth: Record<string, unknown>,
 *   transports: string[], reconnects: boolean, acknowledges: boolean, hasCookie: boolean }} Options
 */

/** @param {unknown} value */
const text = (value) => JSON.stringify(value, (_, each) => (each instanceof ArrayBuffer ? `binary, ${each.byteLength} bytes: ${hex(each)}` : each));

/**
 * Connects. What is returned ends it, and emits.
 *
 * @param {Options} options
 * @param {import('./log.js').Log} log
 * @param {(condition: 'connecting' | 'open' | 'closed') => void} is
 */
export function connect(options, log, is) {
  const { server, namespace, path, token, auth, transports, reconnects, acknowledges, hasCookie } = options;
  const url = new URL(namespace || '/', server);
  const socket = io(`${url.origin}${url.pathname}`, {
    path,
    transports,
    auth: token ? { ...auth, token } : auth,
    reconnection: reconnects,
    withCredentials: hasCookie,
    autoConnect: false,
    forceNew: true,
  });
  is('connecting');
  log.add('note', 'connect', `${url.origin}${path}, namespace ${url.pathname}, ${transports.join(' then ')}`);

  socket.on('connect', () => {
    is('open');
    const recovered = socket.recovered ? ', recovered' : '';
    log.add('note', 'connected', `id ${socket.id}${recovered}, over ${socket.io.engine.transport.name}`);
  });
  socket.on('connect_error', (error) => {
    log.add('error', 'connect_error', error.data === undefined ? error.message : `${error.message} ${text(error.data)}`);
    // Who was refused by the server is not tried again by the client; what could not be reached is.
    if (!reconnects || !socket.active) is('closed');
  });
  socket.on('disconnect', (reason) => {
    log.add('note', 'disconnect', reason);
    is(reconnects && socket.active ? 'connecting' : 'closed');
  });
  socket.onAny((event, ...args) => {
    const acknowledge = typeof args[args.length - 1] === 'function' ? args.pop() : undefined;
    log.add('in', acknowledge ? 'event +ack' : 'event', text([event, ...args]));
    if (!acknowledge || !acknowledges) return;
    acknowledge({ success: true });
    log.add('out', 'ack', text([{ success: true }]));
  });
  socket.io.on('reconnect_attempt', (attempt) => {
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

/**
 * Logs the packets of an engine, and its change of transport.
 *
 * @param {import('../vendor/socket.io.js').Engine | undefined} engine
 * @param {import('./log.js').Log} log
 */
function watch(engine, log) {
  if (!engine) return;
  const packet = (/** @type {'in' | 'out'} */ direction) => (/** @type {{ type: string, data?: any }} */ { type, data }) => {
    if (data instanceof ArrayBuffer) log.add(direction, 'packet', `${type} ${hex(data)}`, data.byteLength);
    else log.add(direction, 'packet', data === undefined ? type : `${type} ${masked(String(data))}`, bytesOf(String(data ?? '')) + 1);
  };
  engine.on('packet', packet('in'));
  engine.on('packetCreate', packet('out'));
  engine.on('upgrading', (transport) => log.add('note', 'upgrade', `probing ${transport.name}`));
  engine.on('upgrade', (transport) => log.add('note', 'upgrade', `now over ${transport.name}`));
  engine.on('upgradeError', (error) => log.add('error', 'upgrade', error.message));
  engine.on('close', (reason) => log.add('note', 'engine', `closed: ${reason}`));
}

/** A CONNECT packet without its token: a log is saved and sent to others. @param {string} data */
const masked = (data) => (data.startsWith('0') ? data.replace(/("token":")[^"]*/, '$1...') : data);
