/** The package's face: what `sse/index.ts` lists, and nothing of the demo beside it. */
export * from './sse/index.js';
