import { isDeepStrictEqual } from 'node:util';
import type { JsonSchema } from './json-schema.js';

/** A reference to a component of a document. */
export type Reference = JsonSchema & { readonly $ref: string };

/** The components of one kind in a document: its schemas, for instance. Those that are there already stay as they are. */
export class Components {
  /**
   * @param address of the kind in the document: `#/components/schemas`
   * @param all the components in the document, which grow
   */
  constructor(
    private readonly address: string,
    private readonly all: Record<string, unknown>,
  ) {}

  /**
   * Adds a component, or finds the one that says the same.
   *
   * @param name the name that it has if no other component has it
   * @param make makes it for the name that it gets, as it may refer to itself, and with it others that belong to it, by name
   */
  add(name: string, make: (name: string) => Readonly<Record<string, JsonSchema>>): Reference {
    for (let count = 1; ; count++) {
      const own = count === 1 ? name : `${name}_${count}`;
      const made = make(own);
      if (!Object.entries(made).every(([key, one]) => this.#isFree(key, one))) continue;
      Object.assign(this.all, made);
      return this.ref(own);
    }
  }

  ref(name: string): Reference {
    return { $ref: `${this.address}/${name}` };
  }

  #isFree(name: string, component: JsonSchema): boolean {
    return !(name in this.all) || isDeepStrictEqual(this.all[name], component);
  }
}

/** A name for a component, of letters and digits: `orders/:id` and `shipped` make `OrdersIdShipped`. */
export const componentName = (...texts: readonly string[]): string =>
  texts
    .flatMap((text) => text.split(/[^\p{L}\p{N}]+/u))
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
    .replaceAll(/[^A-Za-z0-9]/g, '_');
