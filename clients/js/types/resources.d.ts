export * from '../src/resources.js';
