import { Injectable, Logger } from '@nestjs/common';

/** Something to do at the end of a turn of the event loop. A task sees to it that it is not added twice. */
export interface Task {
  run(): void;
}

/** Rounds in one turn: a task that a task of one round adds, as a channel adds connections, runs in the next. */
const ROUNDS = 6;
/** Milliseconds after which the event loop gets a turn although there are tasks left. */
const SLICE = 10;
/** The same in a turn in which streams begin: Node accepts one connection a turn, and each new client is in one. */
const SHORT_SLICE = 1;
/** Tasks between two looks at the clock. */
const TASKS_A_LOOK = 8;

/**
 * The tasks of one turn of the event loop. A channel is read once, however often it was published to, and a connection is
 * written to once. Tasks run in the order in which they were added, and tasks that they add run after them. After some
 * rounds or some milliseconds the rest waits for the next turn, so that neither very many tasks nor events that lead to
 * events without an end keep the event loop.
 */
@Injectable()
export class RunQueue {
  /** When the tasks of this turn, or of the last one that had any, began to run: `performance.now()`. */
  beganAt = 0;
  #tasks: Task[] = [];
  #next: Task[] = [];
  #scheduled = false;
  #slice = SLICE;
  readonly #logger = new Logger('SseHub');

  add(task: Task): void {
    this.#tasks.push(task);
    this.#schedule();
  }

  /** Not in this turn but the next one, so that the event loop gets to do something else in between. */
  addNext(task: Task): void {
    this.#next.push(task);
    this.#schedule();
  }

  /** Keeps this turn short: more clients are about to come. */
  hurry(): void {
    this.#slice = SHORT_SLICE;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#runTasks());
  }

  #runTasks(): void {
    this.beganAt = performance.now();
    const until = this.beganAt + this.#slice;
    this.#slice = SLICE;
    // Tasks add to this array. A round ends at the length that the array had when the round began.
    const tasks = (this.#tasks = this.#tasks.concat(this.#next));
    this.#next = [];
    let done = 0;
    for (let round = 0, end = 0; done < tasks.length; done++) {
      if (done === end) {
        if (round++ === ROUNDS) break;
        end = tasks.length;
      }
      if (done > 0 && done % TASKS_A_LOOK === 0 && performance.now() > until) break;
      try {
        (tasks[done] as Task).run();
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#tasks = tasks.slice(done);
    this.#scheduled = false;
    if (this.#tasks.length > 0 || this.#next.length > 0) this.#schedule();
  }

  /** Neither the failure of a task nor that of the application's logger ends the tasks after it. */
  #failed(error: unknown): void {
    try {
      this.#logger.error(error);
    } catch {
      // There is nobody left to tell.
    }
  }
}
