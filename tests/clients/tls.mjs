// A server over TLS, by Node's own `https` and by `ws`: both trust what NODE_EXTRA_CA_CERTS names, and check it.
//
//   NODE_EXTRA_CA_CERTS=PATH node tls.mjs --address HOST:PORT [--token T]

import { once } from 'node:events';
import https from 'node:https';
import WebSocket from 'ws';
import { check, doing, rowReply, same, script, stateChanged } from './client.mjs';

const LAMP = { entity_id: 'light.tls', state: 'on', attributes: { brightness: 7 } };

await script(30, {}, async ({ address, token }) => {
  doing('asking for /readyz');
  const [response] = await once(https.get(`https://${address}/readyz`), 'response');
  same([response.statusCode, response.socket.authorized], [200, true], '/readyz');
  response.resume();

  doing('waiting for a reply and an event');
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const socket = new WebSocket(`wss://${address}/api/ws`, { headers });
  const left = new Set(['reply', 'event']);
  const done = new Promise((resolve, reject) => {
    socket.on('open', () => socket.send(JSON.stringify({ type: 'states:create', ...LAMP })));
    socket.on('error', reject);
    socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
    socket.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'state_changed') {
        const { entity_id, ...new_state } = LAMP;
        stateChanged(frame, { entity_id, new_state }, false, 'event');
        left.delete('event');
      } else {
        rowReply(frame, 'states:create', LAMP, 'reply');
        left.delete('reply');
      }
      if (left.size === 0) resolve();
    });
  });
  await done;

  doing('closing');
  socket.removeAllListeners('close');
  socket.close(1000);
  const [code] = await once(socket, 'close');
  check(code === 1000, `closed with ${code}`);
  return 'ok: over TLS a request, a command and its event';
});
