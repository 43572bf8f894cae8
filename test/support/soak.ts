import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { HubStats } from '../../src/sse/index.js';
import { whenTestEnds } from './clean-up.js';
import { eventually } from './eventually.js';

/** What a server still has, right after a garbage collection. */
export interface Figures {
  /** Bytes. */
  readonly heap: number;
  /** How many of each kind keep it running. */
  readonly resources: Readonly<Record<string, number>>;
  readonly stats: HubStats;
  /** How many of each class are there. */
  readonly objects: Readonly<Record<string, number>>;
}

/** One connect and disconnect. */
export interface Visit {
  readonly path: string;
  /** What comes before the client leaves; the empty string for one that leaves when it has sent its request. */
  readonly expected: string;
  /** Whether it leaves by RST, and not by FIN. */
  readonly isReset: boolean;
}

/** Visitors at the same time. */
const AT_ONCE = 100;

/** A server in a process of its own that many connect to, and leave again. */
export class SoakServer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly port: number,
  ) {}

  /** @param program ends in `answerFigures()` */
  static async start(program: URL): Promise<SoakServer> {
    const child = fork(fileURLToPath(program), {
      execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
    });
    whenTestEnds(() => child.kill('SIGKILL'));
    const [{ port }] = (await once(child, 'message')) as [{ port: number }];
    return new SoakServer(child, port);
  }

  /** @param visitOf makes a visit of its number */
  async visitAll(count: number, visitOf: (number: number) => Visit): Promise<void> {
    let next = 0;
    const goOn = async (): Promise<void> => {
      while (next < count) await this.#visit(visitOf(next++));
    };
    await Promise.all(Array.from({ length: AT_ONCE }, goOn));
  }

  /** What it has when all have left, which it notices a moment later. */
  async figuresAtRest(): Promise<Figures> {
    let figures: Figures | undefined;
    await eventually(async () => {
      figures = await this.#figures();
      const { stats, resources } = figures;
      return stats.connections === 0 && stats.channels === 0 && !resources.TCPSocketWrap;
    });
    return figures!;
  }

  async #figures(): Promise<Figures> {
    this.child.send('figures');
    const [figures] = (await once(this.child, 'message')) as [Figures];
    return figures;
  }

  #visit({ path, expected, isReset }: Visit): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.port, '127.0.0.1');
      let text = '';
      const look = (): void => {
        if (!text.includes(expected)) return;
        if (isReset) socket.resetAndDestroy();
        else socket.destroy();
        resolve();
      };
      socket.on('data', (bytes) => {
        text += bytes.toString('latin1');
        look();
      });
      socket.on('error', reject);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`, () => {
        if (expected === '') look();
      });
    });
  }
}
