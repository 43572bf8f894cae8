import { BadRequestException } from '@nestjs/common';
import { aiSdk } from './formats.js';
import type { ModelRun } from './model-runs.js';

/** The body of a request that `useChat` sends, as far as it says which run it is about. */
export interface AiSdkRequest<Message = unknown> {
  /** The chat. */
  readonly id: string;
  readonly messages: readonly Message[];
  readonly trigger?: 'submit-message' | 'regenerate-message';
  readonly messageId?: string;
}

/**
 * The run that a request of `useChat` asks for. The same request sent again is about the same run, but for a request to
 * answer once more (`regenerate()`), which begins a new one when the run has ended.
 *
 * @throws BadRequestException if it is no such request
 */
export function aiSdkRun(body: AiSdkRequest | null | undefined): ModelRun {
  const { id, messages, trigger, messageId }: Partial<AiSdkRequest> = body ?? {};
  if (typeof id !== 'string' || id === '' || !Array.isArray(messages) || messages.length === 0)
    throw new BadRequestException('A chat request has an "id" and "messages".');
  // A message keeps its id while tools add to it, so the whole of it says which step it is.
  const key = JSON.stringify([trigger, messageId, messages.at(-1)]);
  return { format: aiSdk, chat: id, key, whenEnded: trigger === 'regenerate-message' ? 'restart' : 'give' };
}
