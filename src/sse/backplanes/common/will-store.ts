/**
 * Where a server keeps the wills of the instances, as durably as the logs. Each call rejects when the server
 * cannot be reached or refuses, and may be made again.
 */
export interface WillStore {
  put(instance: string, id: string, text: string): Promise<void>;
  has(instance: string, id: string): Promise<boolean>;
  remove(instance: string, id: string): Promise<void>;
  /** The instances that have left wills. */
  owners(): Promise<readonly string[]>;
  /** The texts of one instance's wills, by their ids. */
  of(instance: string): Promise<ReadonlyMap<string, string>>;
}
