import { spawn } from 'node:child_process';
import type { Block } from './markdown.js';

export interface Command {
  words: string[];
  /** The lines that a `console` block shows below the command; `…` in them stands for anything. */
  expected: string[];
}

function wordsOf(line: string): string[] {
  if (/[|;&<>`]|\$\(/.test(line.replaceAll(/'[^']*'|"[^"]*"/g, ''))) {
    throw new Error(`Only plain commands can be checked, no pipes or substitutions: ${line}`);
  }
  return [...line.matchAll(/(?:'[^']*'|"(?:\\.|[^"\\])*"|\\.|[^\s'"\\])+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)/g, (_, single, double, escaped) => {
      return single ?? double?.replaceAll(/\\(["\\$])/g, '$1') ?? escaped ?? '';
    }),
  );
}

/** The commands of an `sh` block (every line is one), or of a `console` block (lines with `$ ` in front). */
export function commandsOf({ code, language }: Block): Command[] {
  const commands: Command[] = [];
  for (const line of code.replaceAll(/\\\n\s*/g, '').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    if (language === 'sh') commands.push({ words: wordsOf(line), expected: [] });
    else if (line.startsWith('$ ')) commands.push({ words: wordsOf(line.slice(2)), expected: [] });
    else if (commands.length > 0) commands.at(-1)?.expected.push(line.trimEnd());
    else throw new Error(`A console block begins with "$ " and a command, not with: ${line}`);
  }
  return commands;
}

/** Whether the expected lines are among the lines of the output, in that order. */
function isIn(output: string, expected: string[]): boolean {
  const lines = output.split(/\r?\n/);
  let next = 0;
  return expected.every((text) => {
    const pattern = text.split('…').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const line = new RegExp(`^${pattern.join('.*')}\\s*$`);
    const at = lines.findIndex((candidate, index) => index >= next && line.test(candidate));
    next = at + 1;
    return at !== -1;
  });
}

/** One run of curl. A stream (`-N`) is left running, so that the commands after it can send it something. */
export class Curl {
  readonly isStream: boolean;
  private output = '';
  private code: number | null | undefined;
  private tell = (): void => undefined;
  private readonly child;

  constructor(
    path: string,
    private readonly command: Command,
  ) {
    const args = command.words.slice(1);
    this.isStream = args.some((arg) => arg === '--no-buffer' || /^-[a-zA-Z]*N/.test(arg));
    this.child = spawn(path, ['--silent', '--show-error', '--max-time', '15', ...args]);
    for (const pipe of [this.child.stdout, this.child.stderr]) {
      pipe.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk;
        this.tell();
      });
    }
    this.child.once('close', (code) => {
      this.code = code;
      this.tell();
    });
  }

  /** Waits until curl has ended well, or, of a stream, until something has come. */
  async isThere(): Promise<void> {
    await this.until(() => (this.isStream ? this.output !== '' : false));
    if (this.code !== undefined && this.code !== 0) this.fail(`ended with ${this.code ?? 'a signal'}`);
  }

  /** Waits until everything that is expected has come, then ends. */
  async finish(): Promise<void> {
    await this.until(() => isIn(this.output, this.command.expected));
    this.child.kill('SIGKILL');
    if (!isIn(this.output, this.command.expected)) this.fail('did not print what is expected');
  }

  private async until(isReached: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      this.tell = () => {
        if (this.code !== undefined || isReached()) resolve();
      };
      this.tell();
    });
  }

  private fail(what: string): never {
    const { words, expected } = this.command;
    throw new Error([`${words.join(' ')}: ${what}:`, ...expected, '--- but:', this.output].join('\n'));
  }
}
