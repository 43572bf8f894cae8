import type { Schedule } from './schedule.js';

export interface Failure {
  readonly schedule: Schedule;
  readonly faults: readonly string[];
  readonly trace: readonly string[];
}

/** What is printed of schedules that fail: all in a line each, and the one with the shortest trace as a whole. */
export function report(backplane: string, failures: readonly Failure[]): string {
  const lines = failures.map(
    ({ schedule, faults }) =>
      `seed ${schedule.seed} (${schedule.flavour}): ${faults[0]!}${faults.length > 1 ? ` (and ${faults.length - 1} more)` : ''}`,
  );
  const [{ schedule, faults, trace }] = failures.toSorted((a, b) => a.trace.length - b.trace.length) as [
    Failure,
    ...Failure[],
  ];
  return [
    `${failures.length} schedules failed on ${backplane}:`,
    ...lines,
    '',
    `To repeat and shorten one: node test/model/run.js ${backplane} 1 ${schedule.seed} 20`,
    `Schedule ${schedule.seed}, on channels ${schedule.channels.join(', ')}:`,
    ...faults,
    ...schedule.clients.map((client, i) => `client ${i}: ${JSON.stringify(client)}`),
    ...trace,
  ].join('\n');
}
