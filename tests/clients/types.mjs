// Types: the modules of the console and of the packages under `clients` are checked by TypeScript as their comments declare
// them, and what applications in TypeScript see of the packages is what is declared.
//
//   node types.mjs [--write]
//
// With --write the declarations are written anew.

import { script } from './client.mjs';
import { compile, declarations, place } from './declarations.mjs';

const OPTIONS = { address: { type: 'string' }, write: { type: 'boolean' } };

/** Each is a project of TypeScript. The packages' own modules are checked while their declarations are made. */
const PROJECTS = ['console', 'clients/js/test', 'clients/react/test'];

await script(145, OPTIONS, async ({ write }) => {
  await declarations(write);
  for (const project of PROJECTS) compile('--project', place(`${project}/jsconfig.json`));
  return 'ok: the types hold';
});
