// For a server that is asked over IPC what it still has. It runs with --expose-gc.
import { queryObjects } from 'node:v8';

/**
 * Answers what is asked for, and ends with whoever started it.
 *
 * @param app that listens
 * @param hub of that app
 * @param classes whose objects are counted
 * @param before is awaited before the objects are counted
 */
export function answerFigures(app, hub, classes, before = () => undefined) {
  process.on('message', async () => {
    await before();
    process.send(figures(hub, classes));
  });
  process.on('disconnect', () => process.exit());
  process.send({ port: app.getHttpServer().address().port });
}

function figures(hub, classes) {
  globalThis.gc();
  globalThis.gc();
  const resources = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  return {
    heap: process.memoryUsage().heapUsed,
    resources,
    stats: hub.stats(),
    objects: Object.fromEntries(classes.map((made) => [made.name, queryObjects(made, { format: 'count' })])),
  };
}
