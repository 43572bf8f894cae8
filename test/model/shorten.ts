import type { Failure } from './report.js';
import type { Schedule } from './schedule.js';

/**
 * Finds a shorter schedule that fails too: leaves out steps, many at once at first, for as long as there is time.
 *
 * @returns the failure of the shortest, or nothing where the schedule did not fail
 */
export async function shorten(
  schedule: Schedule,
  run: (schedule: Schedule) => Promise<Failure | undefined>,
  end: number,
): Promise<Failure[]> {
  let shortest = await run(schedule);
  if (!shortest) return [];
  for (let size = Math.ceil(schedule.steps.length / 2); size > 0; size = Math.floor(size / 2)) {
    for (let at = 0; at < shortest.schedule.steps.length && performance.now() < end;) {
      const steps = shortest.schedule.steps.toSpliced(at, size);
      const failure = await run({ ...schedule, steps });
      if (failure) shortest = failure;
      else at += size;
    }
  }
  return [shortest];
}
