// How `packages.mjs` finds modules.

const OURS = {
  '@bellwire/client': '../../clients/js/src/index.js',
  '@bellwire/react': '../../clients/react/src/index.js',
};

export async function resolve(specifier, context, next) {
  const ours = OURS[specifier];
  if (ours) return next(new URL(ours, import.meta.url).href, context);
  try {
    return await next(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND' || /^[./]|:/.test(specifier)) throw error;
    return next(specifier, { ...context, parentURL: import.meta.url });
  }
}
