export * from '../src/frames.js';
