// Lets modules under `clients` find, when they are run from here, what lies in this folder's `node_modules`, and each other
// by their names:
//
//   node --import ./packages.mjs --test ../../clients/js/test/
//
// It is what an application has by installing them.

import { register } from 'node:module';

register('./packages_resolve.mjs', import.meta.url);
