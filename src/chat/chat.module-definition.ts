import { ConfigurableModuleBuilder } from '@nestjs/common';

/** What the chat is told. */
export interface ChatOptions {
  /** What opens the room `staff`; without it nobody can enter that. */
  readonly password?: string | undefined;
}

export const { ConfigurableModuleClass: ConfigurableChatModule, MODULE_OPTIONS_TOKEN: CHAT_OPTIONS } =
  new ConfigurableModuleBuilder<ChatOptions>().build();
