// The generated contract as other programs take it: TypeScript takes what docs/protocol.md shows for what it declares,
// and the official schema of AsyncAPI takes the document.
//
//   node contract.mjs --samples samples.ts --document asyncapi.json
//
// The samples import the declarations, which lie beside them.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv';
import { check, script, short } from './client.mjs';

const OPTIONS = {
  address: { type: 'string' },
  samples: { type: 'string', required: true },
  document: { type: 'string', required: true },
};

const FLAGS = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'es2022', '--moduleResolution', 'bundler'];

await script(120, OPTIONS, async ({ samples, document }) => {
  const compiler = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...FLAGS, samples], { encoding: 'utf8' });
  check(status === 0, stdout);

  // Its references are inside of it; the file without `$id` says so.
  const path = fileURLToPath(import.meta.resolve('@asyncapi/specs/schemas/3.0.0-without-$id.json'));
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(JSON.parse(readFileSync(path, 'utf8')));
  check(validate(JSON.parse(readFileSync(document, 'utf8'))), `AsyncAPI: ${short(validate.errors)}`);
  return 'ok: TypeScript and AsyncAPI are what they should be';
});
