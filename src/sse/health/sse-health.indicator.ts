import { Inject, Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { SseHub } from '../sse-hub.js';
import type { HealthStatus } from './hub-health.js';

/**
 * The health of the hub as indicators for `HealthCheckService.check()` of `@nestjs/terminus`. They know it at once, so
 * there is nothing to time out or to cache.
 */
@Injectable()
export class SseHealthIndicator {
  constructor(
    @Inject(HealthIndicatorService) private readonly indicators: HealthIndicatorService,
    @Inject(SseHub) private readonly hub: SseHub,
  ) {}

  /**
   * `hub.health().live`, for a probe that has the process restarted.
   *
   * @param key its name in the result of the check
   */
  live<const Key extends string = 'sse'>(key: Key = 'sse' as Key): HealthIndicatorResult<Key> {
    return this.#result(key, this.hub.health().live);
  }

  /**
   * `hub.health().ready`, for a probe that decides whether the process gets new clients. `degraded` leaves the answer at
   * 200. Version 11 of Terminus does not have it: there it is `up`, with the same `reasons`.
   *
   * @param key its name in the result of the check
   */
  ready<const Key extends string = 'sse'>(key: Key = 'sse' as Key): HealthIndicatorResult<Key> {
    return this.#result(key, this.hub.health().ready);
  }

  #result<const Key extends string>(
    key: Key,
    { status, ...details }: { readonly status: HealthStatus },
  ): HealthIndicatorResult<Key> {
    const session = this.indicators.check(key);
    if (status === 'down') return session.down(details);
    return status === 'degraded' && 'degraded' in session ? session.degraded(details) : session.up(details);
  }
}
