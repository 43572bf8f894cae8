import { Body, Controller, Delete, HttpCode, HttpStatus, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import { ApiBody, ApiOperation } from '@nestjs/swagger';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { ApiSse } from '../sse/swagger/index.js';
import { FileNamePipe } from './file-name.pipe.js';
import { FILES, type FileName } from './import-files.js';
import { ImportJob } from './jobs.channels.js';
import { JobsService } from './jobs.service.js';

/** The demo has no accounts: who knows the id of an import, which cannot be guessed, may watch and cancel it. */
@Controller('jobs/imports')
export class JobsController {
  constructor(private readonly jobs: JobsService) {}

  @Post()
  @ApiOperation({ summary: 'Begin an import' })
  @ApiBody({
    schema: { type: 'object', properties: { file: { enum: Object.keys(FILES) } }, required: ['file'] },
  })
  @HttpCode(HttpStatus.ACCEPTED)
  async start(@Body('file', FileNamePipe) file: FileName): Promise<{ id: string }> {
    return { id: await this.jobs.start(file) };
  }

  @Sse(':id/events')
  @ApiSse(ImportJob)
  @ApiOperation({ summary: 'The progress of an import' })
  events(@Param('id', ParseUUIDPipe) id: string): Promise<Observable<SseEvent>> {
    return this.jobs.events(id);
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Cancel an import' })
  @HttpCode(HttpStatus.NO_CONTENT)
  async cancel(@Param('id', ParseUUIDPipe) id: string): Promise<void> {
    await this.jobs.cancel(id);
  }
}
