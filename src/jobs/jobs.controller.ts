import { Body, Controller, Delete, HttpCode, HttpStatus, Param, ParseUUIDPipe, Post } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { Sse, type SseEvent } from '../sse/index.js';
import { FileNamePipe } from './file-name.pipe.js';
import type { FileName } from './import-files.js';
import { JobsService } from './jobs.service.js';

/** The demo has no accounts: who knows the id of an import, which cannot be guessed, may watch and cancel it. */
@Controller('jobs/imports')
export class JobsController {
  constructor(private readonly jobs: JobsService) {}

  @Post()
  @HttpCode(HttpStatus.ACCEPTED)
  async start(@Body('file', FileNamePipe) file: FileName): Promise<{ id: string }> {
    return { id: await this.jobs.start(file) };
  }

  @Sse(':id/events')
  events(@Param('id', ParseUUIDPipe) id: string): Promise<Observable<SseEvent>> {
    return this.jobs.events(id);
  }

  @Delete(':id')
  @HttpCode(HttpStatus.NO_CONTENT)
  async cancel(@Param('id', ParseUUIDPipe) id: string): Promise<void> {
    await this.jobs.cancel(id);
  }
}
