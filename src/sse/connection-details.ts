/** An open stream, as its own instance knows it. */
export interface ConnectionDetails {
  /** An unguessable name that the package makes. */
  readonly id: string;
  readonly connectedAt: Date;
  /** The channels that it streams now. */
  readonly channels: readonly string[];
  /** The address of the request, without the query. */
  readonly path: string;
  /** The address of the socket: behind a proxy the proxy's. */
  readonly address: string | undefined;
  /** The user, as `identify` names it. */
  readonly user?: string;
}
