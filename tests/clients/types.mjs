// The console's own types: its modules are checked by TypeScript as their comments declare them.
//
//   node types.mjs

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { check, script } from './client.mjs';

await script(120, { address: { type: 'string' } }, async () => {
  const compiler = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  const project = fileURLToPath(new URL('../../console/jsconfig.json', import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [compiler, '--project', project], { encoding: 'utf8' });
  check(status === 0, stdout);
  return 'ok: the types hold';
});
