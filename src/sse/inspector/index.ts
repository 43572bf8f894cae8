/**
 * A page that shows what an application streams, and explains what became of an event.
 *
 * The guide: README.md beside this file.
 */
export type { InspectorMemory, SseInspectorOptions } from './inspector.options.js';
export { SseInspectorModule } from './inspector.module.js';
