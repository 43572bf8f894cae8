/** Whether two types are the same, not merely assignable to each other. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles where the two types are the same: `same<A, B>(true)`. */
export const same = <A, B>(_isTrue: Same<A, B>): void => undefined;

/** Compiles where a value has exactly that type: `isOf<string>()(value, true)`. */
export const isOf =
  <Expected>() =>
  <Actual>(_value: Actual, _isTrue: Same<Actual, Expected>): void =>
    undefined;
