// The tests of the packages under `clients`, against servers of their own.
//
//   node libraries.mjs
//
// One of them by itself: `node --import ./packages.mjs --test ../../clients/js/test/stream.test.mjs`.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check, script } from './client.mjs';

const PACKAGES = ['js', 'react'];

await script(145, { address: { type: 'string' } }, async () => {
  const files = PACKAGES.flatMap((name) => {
    const folder = fileURLToPath(new URL(`../../clients/${name}/test/`, import.meta.url));
    const tests = readdirSync(folder).filter((file) => file.endsWith('.test.mjs'));
    check(tests.length > 0, `clients/${name} has no tests`);
    return tests.map((file) => folder + file);
  });
  const packages = new URL('packages.mjs', import.meta.url).href;
  const options = ['--import', packages, '--test', '--test-reporter=tap', '--test-timeout=60000'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [...options, ...files], { encoding: 'utf8' });
  check(status === 0, stdout + stderr);
  return 'ok: the packages do what their tests say';
});
