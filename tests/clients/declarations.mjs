// The types of the packages under `clients`, for those who write TypeScript: made of the comments in their modules, by the
// compiler. They lie in `types` of each package, and are as the modules are.

import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check } from './client.mjs';

/** In this order: the second needs the types of the first. */
const PACKAGES = ['js', 'react'];

/** Where something of the repository lies. @param {string} path */
export const place = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Runs the compiler on a project. @param {string[]} options */
export function compile(...options) {
  const compiler = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...options], { encoding: 'utf8' });
  check(status === 0, stdout);
}

/** The declarations of a package, by the names of their files. @param {string} name */
async function made(name) {
  const folder = await mkdtemp(join(tmpdir(), 'bellwire-types-'));
  try {
    compile('--project', place(`clients/${name}/jsconfig.json`), '--declaration', '--emitDeclarationOnly', '--noEmit', 'false', '--outDir', folder);
    const files = new Map();
    for (const file of await readdir(folder)) files.set(file, await readFile(join(folder, file), 'utf8'));
    // What is written as a declaration is found beside those that are made.
    for (const file of await readdir(place(`clients/${name}/src`))) {
      if (file.endsWith('.d.ts')) files.set(file, `export * from '../src/${file.replace('.d.ts', '.js')}';\n`);
    }
    return files;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Compares the declarations of all packages with their modules; or writes them. @param {boolean} [writes] */
export async function declarations(writes = false) {
  for (const name of PACKAGES) {
    const folder = place(`clients/${name}/types`);
    const files = await made(name);
    for (const [file, text] of writes ? files : []) await writeFile(join(folder, file), text);
    const there = (await readdir(folder)).sort();
    const same = there.join() === [...files.keys()].sort().join();
    const texts = await Promise.all(there.map((file) => readFile(join(folder, file), 'utf8')));
    const isCurrent = same && there.every((file, at) => files.get(file) === texts[at]);
    check(isCurrent, `clients/${name}/types is not what its modules say: node types.mjs --write`);
  }
}
