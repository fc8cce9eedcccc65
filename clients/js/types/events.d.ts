export * from '../src/events.js';
