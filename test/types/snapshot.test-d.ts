// Compile-time promises: checked by `npm run types`, never run.
import { defineChannel, SseSnapshot } from '../../src/sse/index.js';
import type { SnapshotOf, SnapshotRequest } from '../../src/sse/index.js';

const Board = defineChannel('boards/:team/:id');

export class Methods {
  @SseSnapshot('boards/:id')
  aPattern({ params }: SnapshotRequest<{ id: string }>): SnapshotOf<string> {
    return { state: params.id, after: 'a-1' };
  }

  @SseSnapshot(Board)
  async aDefinition({ params }: SnapshotRequest<{ team: string; id: string }>): Promise<SnapshotOf> {
    return { state: params.team + params.id };
  }

  @SseSnapshot('prices')
  noParameters(): { state: number; after: string | undefined } {
    return { state: 1, after: undefined };
  }

  @SseSnapshot('boards/:id')
  anyPattern(request: SnapshotRequest): SnapshotOf {
    return { state: request.params };
  }

  // @ts-expect-error: the pattern has no such parameter
  @SseSnapshot('boards/:id')
  anotherParameter({ params }: SnapshotRequest<{ team: string }>): SnapshotOf {
    return { state: params.team };
  }

  // @ts-expect-error: a state is part of an object
  @SseSnapshot('prices')
  theStateItself(): number {
    return 1;
  }

  // @ts-expect-error: an id is a string
  @SseSnapshot('prices')
  aNumber(): { state: number; after: number } {
    return { state: 1, after: 1 };
  }
}
