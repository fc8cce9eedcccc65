import assert from 'node:assert/strict';
import { test } from 'node:test';
import { utc } from '../src/index.js';

process.env.TZ = 'America/New_York';

test('a time without a zone is UTC, one with a zone is what it says', () => {
  for (const [text, iso] of [
    ['2024-02-27T10:30:00', '2024-02-27T10:30:00.000Z'],
    ['2024-02-27T10:30:00.25', '2024-02-27T10:30:00.250Z'],
    ['2026-11-20T14:23:19Z', '2026-11-20T14:23:19.000Z'],
    ['2026-11-20T14:23:19.123Z', '2026-11-20T14:23:19.123Z'],
    ['2026-11-20T14:23:19+02:00', '2026-11-20T12:23:19.000Z'],
  ]) {
    assert.equal(utc(text).toISOString(), iso);
  }
  // Else it would be a time of New York.
  assert.notEqual(new Date('2024-02-27T10:30:00').getUTCHours(), 10);
  for (const text of ['', 'yesterday', '2024-13-27T10:30:00']) assert.throws(() => utc(text), RangeError);
});
