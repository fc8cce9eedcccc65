// Requests over HTTP: who asks, what is sent, refusals, pages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Api, Refused } from '../src/index.js';
import { server } from './scripted.mjs';

const URL_OF_SERVER = 'https://live.example';
const problem = (status, code, detail, headers) => [status, { title: 'x', status, code, detail }, headers];

test('each method sends what it should, as somebody', async () => {
  const table = Object.fromEntries(['GET', 'POST', 'PATCH', 'PUT', 'DELETE'].map((method) => [`${method} /api/x`, { method }]));
  const http = server({ ...table, 'DELETE /api/y': [204, undefined] });
  const api = new Api({ url: URL_OF_SERVER, token: 'secret', fetch: http.fetch });
  assert.deepEqual(await api.get('/api/x?limit=1'), { method: 'GET' });
  assert.deepEqual(await api.post('/api/x', { a: 1 }, { idempotencyKey: 'k1' }), { method: 'POST' });
  assert.deepEqual(await api.patch('/api/x', { a: 2 }), { method: 'PATCH' });
  assert.deepEqual(await api.put('/api/x', { a: 3 }), { method: 'PUT' });
  assert.deepEqual(await api.delete('/api/x'), { method: 'DELETE' });
  assert.equal(await api.delete('/api/y'), null);
  await api.post('/api/x');
  const sent = http.asked.map(({ url, body, headers }) => [
    url.href,
    body,
    headers.get('Content-Type'),
    headers.get('Authorization'),
    headers.get('Idempotency-Key'),
  ]);
  const json = 'application/json';
  assert.deepEqual(sent[0], [`${URL_OF_SERVER}/api/x?limit=1`, undefined, null, 'Bearer secret', null]);
  assert.deepEqual(sent[1], [`${URL_OF_SERVER}/api/x`, { a: 1 }, json, 'Bearer secret', 'k1']);
  assert.deepEqual(sent[6], [`${URL_OF_SERVER}/api/x`, undefined, null, 'Bearer secret', null]);
});

test('with the cookie no token is sent', async () => {
  const http = server({ 'GET /api/x': {} });
  await new Api({ url: URL_OF_SERVER, credentials: 'include', fetch: http.fetch }).get('/api/x');
  assert.deepEqual([http.asked[0].headers.get('Authorization'), http.asked[0].credentials], [null, 'include']);
});

test('a problem becomes a refusal with its status, code and words', async () => {
  const http = server({
    'GET /api/a': problem(409, 'CONFLICT', 'battery 5 is not available'),
    'GET /api/b': problem(429, 'RATE_LIMITED', 'too many', { 'Retry-After': '12' }),
    'GET /api/c': () => [502, '<html>a proxy</html>'],
    'GET /api/d': () => [500, null],
  });
  const api = new Api({ url: URL_OF_SERVER, fetch: http.fetch });
  const refusal = (path) => api.get(path).then(() => assert.fail(path), (error) => error);
  for (const [path, ...expected] of [
    ['/api/a', 409, 'CONFLICT', undefined, 'battery 5 is not available'],
    ['/api/b', 429, 'RATE_LIMITED', 12, 'too many'],
    ['/api/c', 502, undefined, undefined, 'the server answered 502'],
    ['/api/d', 500, undefined, undefined, 'the server answered 500'],
  ]) {
    const error = await refusal(path);
    assert.ok(error instanceof Refused, path);
    assert.deepEqual([error.status, error.code, error.retryAfterS, error.message], expected);
  }
});

test('a token that was refused is asked for anew, once', async () => {
  const good = new Set(['t2']);
  const asked = [];
  const getToken = ({ isRefused }) => (asked.push(isRefused), isRefused ? 't2' : 't1');
  const answer = ({ headers }) => (good.has(headers.get('Authorization').slice(7)) ? { ok: 1 } : problem(401, 'UNAUTHENTICATED', 'no good'));
  const http = server({ 'GET /api/x': answer });
  const api = new Api({ url: URL_OF_SERVER, getToken, fetch: http.fetch });
  assert.deepEqual(await api.get('/api/x'), { ok: 1 });
  assert.deepEqual(asked, [false, true]);
  good.clear();
  await assert.rejects(api.get('/api/x'), { status: 401, message: 'no good' });
  assert.equal(http.asked.length, 4);
  await assert.rejects(new Api({ url: URL_OF_SERVER, token: 't1', fetch: http.fetch }).get('/api/x'), { status: 401 });
  assert.equal(http.asked.length, 5);
});

test('a list is asked for page by page, as its items are taken', async () => {
  const pages = { '': [[1, 2], 'b c'], 'b c': [[3], 'd'], d: [[], null] };
  const http = server({
    'GET /api/x': ({ url }) => {
      const [items, next] = pages[url.searchParams.get('cursor') ?? ''];
      return { items, next };
    },
  });
  const api = new Api({ url: URL_OF_SERVER, fetch: http.fetch });
  const items = [];
  for await (const item of api.list('/api/x?status=ready', { limit: 2 })) items.push(item);
  assert.deepEqual(items, [1, 2, 3]);
  assert.deepEqual(http.asked.map(({ url }) => url.search), ['?status=ready&limit=2', '?status=ready&limit=2&cursor=b+c', '?status=ready&limit=2&cursor=d']);
  for await (const item of api.list('/api/x')) if (item === 2) break;
  assert.deepEqual([http.asked.length, http.asked.at(-1).url.search], [4, '?limit=1000']);
});

test('a request ends when it is given up, and when no answer comes', async () => {
  const fetch = (_, { signal }) =>
    new Promise((_resolve, reject) => (signal.aborted ? reject(signal.reason) : signal.addEventListener('abort', () => reject(signal.reason))));
  const api = new Api({ url: URL_OF_SERVER, fetch });
  await assert.rejects(api.get('/api/x', { timeoutMs: 5 }), { name: 'TimeoutError' });
  const giving = new AbortController();
  const asked = api.get('/api/x', { signal: giving.signal });
  giving.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  await assert.rejects(api.get('/api/x', { signal: giving.signal }), { name: 'AbortError' });
});
