/**
 * Last wills of instances: texts that an instance leaves where the others find them, also those that start when
 * all of today's have ended. They are kept as durably as the logs of the channels. An instance takes its will
 * back when it has done by itself what the will asks for; if it ends before that, another one does it.
 *
 * Ids are unique over all instances. Each call may be made again, and then has the same effect once.
 * After `close()` of the cluster all of them reject with `HUB_CLOSED`.
 */
export interface SseWills {
  /**
   * Leaves a will of this instance, or puts another text in its place. Resolves when it is stored.
   *
   * @throws SseError `BACKPLANE_AWAY`: it was not stored, or no answer came and nobody knows
   */
  leave(id: string, text: string): Promise<void>;

  /**
   * Whether a will of this instance is still there. It is not when the store has lost it, or when another
   * instance has taken this one for dead and has done what it asks for.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  isThere(id: string): Promise<boolean>;

  /**
   * Removes a will: of this instance, or of one that has ended.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  remove(id: string, instance?: string): Promise<void>;

  /**
   * The wills of instances that have ended, in no order. An instance that was away for less than
   * `LEASE_TIME` is not among them. Where that takes several looks to see, they are to be made a second
   * apart, and an instance that ended without a word shows within twice that time.
   *
   * @throws SseError `BACKPLANE_AWAY`
   */
  orphaned(): Promise<readonly Will[]>;
}

export interface Will {
  readonly instance: string;
  readonly id: string;
  readonly text: string;
}
