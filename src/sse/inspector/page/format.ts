const counts = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });

export const count = (value: number): string => counts.format(value);

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let rest = value;
  let unit = 0;
  for (; rest >= 1024 && unit < units.length - 1; unit++) rest /= 1024;
  return `${counts.format(rest)} ${units[unit] ?? ''}`;
}

/** A length of time, in one unit: `12 s`. */
export function span(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1_000;
  if (seconds < 120) return `${counts.format(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}

export const ago = (at: number): string => `${span(Math.max(0, Date.now() - at))} ago`;

export const time = (at: number): string => clock.format(at);

/** A time in full, for a title. */
export const fullTime = (at: number): string => new Date(at).toISOString();

/** The beginning of a random id. */
export const short = (id: string): string => id.slice(0, 8);
