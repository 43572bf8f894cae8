// Compile-time promises: checked by `npm run types`, never run.
import { AuthorizeChannel } from '../../src/sse/index.js';
import type { ChannelAccess } from '../../src/sse/index.js';

export class AMethodMaySayMoreExactlyWhatItTakesAndReturns {
  @AuthorizeChannel('orders/:id')
  both({ params }: ChannelAccess<{ id: string }>): boolean | Promise<boolean> {
    return params.id !== '';
  }

  @AuthorizeChannel('orders/:id')
  async later({ user }: ChannelAccess): Promise<boolean> {
    return user !== undefined;
  }

  @AuthorizeChannel('news')
  nothing(): true {
    return true;
  }

  // @ts-expect-error: it answers with a boolean
  @AuthorizeChannel('news')
  text(): string {
    return 'yes';
  }

  // @ts-expect-error: the pattern has no such parameter
  @AuthorizeChannel('orders/:id')
  params(_asked: ChannelAccess<{ order: string }>): boolean {
    return true;
  }
}
