/**
 * A bare client of a server, which does what a backplane has the server do, and nothing else.
 *
 * @typedef {object} Bare
 * @property {(text: string) => Promise<unknown>} publish has the server store a text and tell of it
 * @property {(text: string) => Promise<unknown>} publishAlike the same, with as much work for the server as
 * an event of the hub is
 * @property {(listener: (text: string) => void) => Promise<void>} subscribe is told of what is published
 * @property {() => Promise<number>} rangeReads how many of its logs the server was asked for until now
 * @property {() => Promise<void>} close
 */

/** @returns {Promise<Bare>} */
export async function openBare(name, address) {
  const { open } = await import(`./bare-${name}.js`);
  return open(address);
}
