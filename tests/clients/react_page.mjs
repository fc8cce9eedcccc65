// A page with React for scripts in Chromium, served as while somebody writes it: React as its package has it, and modules
// as they are written, with JSX, each transformed by itself.

import { createRequire } from 'node:module';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { check } from './client.mjs';

const require = createRequire(import.meta.url);
/** Packages of CommonJS that the page has, and those that they need. */
const PACKAGES = ['react', 'react/jsx-runtime', 'react-dom', 'react-dom/client', 'scheduler'];

/**
 * Serves the page on this machine; its origin, `http://localhost:PORT`.
 *
 * @param {object} site
 * @param {string} site.main the path of the module that the page runs
 * @param {Record<string, () => string | Promise<string>>} site.modules texts, by their paths without what those end with
 * @param {Record<string, string>} [site.folders] where packages are that are modules, by their names
 */
export async function serve({ main, modules, folders = {} }) {
  const imports = Object.fromEntries(PACKAGES.map((name) => [name, `/package/${name}`]));
  for (const [name, folder] of Object.entries(folders)) imports[name] = `/folder/${name}/${await entry(folder)}`;
  const server = createServer(async (request, response) => {
    const path = request.url.slice(1);
    const html = path === '' ? page(main, imports) : undefined;
    const body = html ?? (await script(path, modules, folders));
    const type = html ? 'text/html' : 'text/javascript';
    response.writeHead(body === undefined ? 404 : 200, { 'Content-Type': `${type}; charset=utf-8` });
    response.end(body);
  });
  await once(server.listen(0, 'localhost'), 'listening');
  return `http://localhost:${server.address().port}`;
}

/** What is under a path; `undefined`: nothing. */
async function script(path, modules, folders) {
  if (path === 'packages.js') return packages();
  const [, name] = /^package\/(.*)$/.exec(path) ?? [];
  if (name) return reexported(name);
  for (const [name, folder] of Object.entries(folders)) {
    if (path.startsWith(`folder/${name}/`)) return readFile(`${folder}${path.slice(`folder/${name}`.length)}`, 'utf8');
  }
  const text = await modules[path]?.();
  return text === undefined ? undefined : transformed(text, path);
}

/** The module that a package is imported by. */
async function entry(folder) {
  const { exports } = JSON.parse(await readFile(`${folder}/package.json`, 'utf8'));
  return exports['.'].default.replace('./', '');
}

function page(main, imports) {
  return `<!doctype html>
<meta charset="utf-8">
<title>React</title>
<link rel="icon" href="data:,">
<div id="root"></div>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module" src="/${main}"></script>`;
}

/** A module in the language that browsers have. */
function transformed(text, path) {
  const compilerOptions = {
    jsx: ts.JsxEmit.ReactJSX,
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2022,
  };
  const { outputText, diagnostics } = ts.transpileModule(text, { fileName: `${path}.jsx`, compilerOptions, reportDiagnostics: true });
  check(diagnostics.length === 0, `${path}: ${diagnostics.map(({ messageText }) => messageText)}`);
  return outputText;
}

/** All packages in one module, which gives what `require` gives. */
async function packages() {
  const texts = await Promise.all(PACKAGES.map(async (name) => {
    const folder = dirname(require.resolve(`${name.split('/')[0]}/package.json`));
    const file = `cjs/${name.replace('/', '-')}.development.js`;
    const text = await readFile(`${folder}/${file}`, 'utf8');
    return `${JSON.stringify(name)}: (module, exports, require) => {${text}\n}`;
  }));
  return `const process = { env: { NODE_ENV: 'development' } };
const texts = {${texts.join(',\n')}};
const loaded = {};
export function require(name) {
  if (!loaded[name]) texts[name]((loaded[name] = { exports: {} }), loaded[name].exports, require);
  return loaded[name].exports;
}`;
}

/** A package as a module with its names. */
function reexported(name) {
  const names = Object.keys(require(name)).filter((each) => each !== 'default').join(', ');
  return `import { require } from '/packages.js';
const all = require('${name}');
export default all;
export const { ${names} } = all;`;
}

/** What a file in this folder holds. */
export function text(path) {
  return readFile(fileURLToPath(new URL(path, import.meta.url)), 'utf8');
}
