/**
 * Injection token of the application's hub for `@Publish()`, also for that of another copy of this package: its class
 * `SseHub` is another.
 */
export const SHARED_HUB = Symbol.for('nestjs-sse-hub:SseHub');
