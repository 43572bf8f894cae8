import { ConfigurableModuleBuilder } from '@nestjs/common';

/** Options of the chat module. */
export interface ChatOptions {
  /** Password of the room `staff`; without it nobody can enter. */
  readonly password?: string | undefined;
}

export const { ConfigurableModuleClass: ConfigurableChatModule, MODULE_OPTIONS_TOKEN: CHAT_OPTIONS } =
  new ConfigurableModuleBuilder<ChatOptions>().build();
