import * as z from 'zod';

/** The message that a client posts. */
export interface NewChatMessage {
  readonly from: string;
  readonly text: string;
}

/** A message as it is stored in its room and sent to everybody in it. */
export const ChatMessage = z.object({
  id: z.uuid().describe('A page uses it to recognize a message that it has shown already.'),
  room: z.string(),
  from: z.string(),
  text: z.string(),
  sentAt: z.iso.datetime(),
});

export type ChatMessage = z.output<typeof ChatMessage>;
