import { BadRequestException, Injectable, type PipeTransform } from '@nestjs/common';
import { FILES, type FileName } from './import-files.js';

@Injectable()
export class FileNamePipe implements PipeTransform<unknown, FileName> {
  transform(name: unknown): FileName {
    if (typeof name === 'string' && Object.hasOwn(FILES, name)) return name as FileName;
    throw new BadRequestException(`file must be one of ${Object.keys(FILES).join(', ')}`);
  }
}
