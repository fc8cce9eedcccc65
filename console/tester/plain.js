// A plain WebSocket, every frame of which is logged.

import { bytesOf, hex } from './log.js';

/**
 * @typedef {{ server: string, path: string, token: string, how: 'message' | 'query' }} Options `how` a token is
 *   shown: a page cannot set a header
 */

/**
 * Connects. What is returned ends it, and sends.
 *
 * @param {Options} options
 * @param {import('./log.js').Log} log
 * @param {(condition: 'connecting' | 'open' | 'closed') => void} is
 */
export function connect({ server, path, token, how }, log, is) {
  const url = new URL(path, server);
  url.protocol = url.protocol.replace('http', 'ws');
  if (token && how === 'query') url.searchParams.set('token', token);
  if (token && how === 'message') url.searchParams.set('auth', 'message');
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  is('connecting');
  log.add('note', 'connect', String(url).replace(/([?&]token=)[^&]*/, '$1...'));

  const send = (/** @type {string} */ text) => {
    socket.send(text);
    log.add('out', 'text', text, bytesOf(text));
  };
  socket.onopen = () => {
    is('open');
    log.add('note', 'open', socket.protocol ? `subprotocol ${socket.protocol}` : 'the handshake was accepted');
    if (!token || how !== 'message') return;
    socket.send(JSON.stringify({ type: 'auth', token }));
    log.add('out', 'text', '{"type":"auth","token":"..."}');
  };
  socket.onmessage = ({ data }) => {
    if (typeof data === 'string') log.add('in', 'text', data, bytesOf(data));
    else log.add('in', 'binary', hex(data), data.byteLength);
  };
  socket.onerror = () => log.add('error', 'error', 'the connection failed; a browser does not say why');
  socket.onclose = ({ code, reason, wasClean }) => {
    const how = wasClean ? '' : ', without a closing handshake';
    log.add('note', 'close', `${code}${reason && ` ${reason}`}${how}`);
    is('closed');
  };
  return { send, close: () => socket.close(1000) };
}
