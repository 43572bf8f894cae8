/** The message that a client posts. */
export interface NewChatMessage {
  readonly from: string;
  readonly text: string;
}

/** A message as it is stored in its room and sent to everybody in it. */
export interface ChatMessage extends NewChatMessage {
  /** A UUID. A page uses it to recognize a message that it has shown already. */
  readonly id: string;
  readonly room: string;
  /** ISO 8601. */
  readonly sentAt: string;
}
