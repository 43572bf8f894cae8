/** Values without a form in JSON: they are dropped. */
type NoJson = ((...args: never[]) => unknown) | symbol;

/** Values that JSON keeps as they are, literal and branded types among them. */
type JsonPrimitive = string | number | boolean | null | undefined;

/** Values that JSON keeps as they are. An interface is none of them to TypeScript, as it may get more fields. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/**
 * The type of what a subscriber reads where a `T` was published: what JSON makes of it. A Date is a string; a value with
 * `toJSON()` is what that gives; functions and symbols are dropped; a bigint has no form, and is `never`.
 */
export type JsonOf<T> = unknown extends T ? T : JsonOfEach<T>;

// Distributive. What is JSON keeps its name; a look into a type that refers to itself would never end.
type JsonOfEach<T> = T extends Json | undefined
  ? T
  : T extends bigint | NoJson
    ? never
    : T extends { toJSON(...args: never[]): infer Value }
      ? JsonOf<Value>
      : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
        ? Record<string, never>
        : T extends object
          ? JsonOfObject<T>
          : never;

// An object of primitives is left as it is, so that its type keeps its name. Only one level is looked at: with recursive
// types a deeper look would never end.
type JsonOfObject<T extends object> = T extends readonly (infer Item)[]
  ? [Item] extends [Exclude<JsonPrimitive, undefined>]
    ? T
    : JsonOfItems<T>
  : T[keyof T] extends JsonPrimitive
    ? T
    : JsonOfFields<T>;

type JsonOfItems<T extends readonly unknown[]> = {
  [Index in keyof T]: JsonOf<Exclude<T[Index], NoJson | undefined>> | NullFor<T[Index]>;
};

/** An item of a list that has no form is null. */
type NullFor<T> = unknown extends T ? never : Extract<T, NoJson | undefined> extends never ? never : null;

type JsonOfFields<T> = {
  [Key in keyof T as Key extends symbol ? never : T[Key] extends NoJson ? never : Key]: JsonOfField<T[Key]>;
};

/** A field that has no form is not there. */
type JsonOfField<T> =
  | JsonOf<Exclude<T, NoJson>>
  | (unknown extends T ? never : Extract<T, NoJson> extends never ? never : undefined);
