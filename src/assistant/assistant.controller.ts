import { Body, Controller, Delete, HttpCode, HttpStatus, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import { ApiBody, ApiOperation } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { ApiSse } from '../sse/swagger/index.js';
import { Answer } from './assistant.channels.js';
import { AssistantService } from './assistant.service.js';
import { QuestionPipe } from './question.pipe.js';

/** The demo has no accounts: who knows the id of an answer, which cannot be guessed, may read and stop it. */
@Controller('assistant/answers')
export class AssistantController {
  constructor(private readonly assistant: AssistantService) {}

  @Post()
  @ApiOperation({ summary: 'Ask the model' })
  @ApiBody({
    schema: { type: 'object', properties: { question: { type: 'string' } }, required: ['question'] },
  })
  @HttpCode(HttpStatus.ACCEPTED)
  async ask(@Body('question', QuestionPipe) question: string): Promise<{ id: string }> {
    return { id: await this.assistant.ask(question) };
  }

  @Sse(':id/events')
  @ApiSse(Answer)
  @ApiOperation({ summary: 'An answer, word by word' })
  events(@Param('id', ParseUUIDPipe) id: string): Promise<Observable<SseEvent>> {
    return this.assistant.events(id);
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Stop an answer' })
  @HttpCode(HttpStatus.NO_CONTENT)
  async stop(@Param('id', ParseUUIDPipe) id: string): Promise<void> {
    await this.assistant.stop(id);
  }
}
