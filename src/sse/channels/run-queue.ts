import { Injectable, Logger } from '@nestjs/common';

/** Something to do once at the end of a turn of the event loop. */
export interface Task {
  run(): void;
}

/** How often in a turn tasks may lead to tasks: channels to connections, say. */
const ROUNDS = 6;
/** Milliseconds after which the event loop gets a turn although there are tasks left. */
const SLICE = 10;
/** Tasks between two looks at the clock. */
const TASKS_A_LOOK = 64;

/**
 * Gathers what happens in one turn of the event loop: channels that have grown are read once, however
 * often they were published to, and connections are written to once. Tasks run in the order in which
 * they were added, those added meanwhile after them. Events that lead to events without an end do not
 * keep the event loop, nor do very many tasks: what is left after some rounds, or some milliseconds, waits
 * for the next turn.
 */
@Injectable()
export class RunQueue {
  #tasks: Task[] = [];
  #next: Task[] = [];
  #scheduled = false;
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

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#runTasks();
    });
  }

  #runTasks(): void {
    const until = performance.now() + SLICE;
    for (const task of this.#next.splice(0)) this.#tasks.push(task);
    for (let round = 0; round < ROUNDS && this.#tasks.length > 0; round++) {
      const tasks = this.#tasks;
      this.#tasks = [];
      const done = this.#doUntil(until, tasks);
      if (done === tasks.length) continue;
      this.#tasks = tasks.slice(done).concat(this.#tasks);
      break;
    }
    this.#scheduled = false;
    if (this.#tasks.length > 0 || this.#next.length > 0) this.#schedule();
  }

  /** @returns how many tasks were done when the time was over */
  #doUntil(until: number, tasks: readonly Task[]): number {
    let done = 0;
    for (const task of tasks) {
      if (done > 0 && done % TASKS_A_LOOK === 0 && performance.now() > until) break;
      this.#do(task);
      done++;
    }
    return done;
  }

  #do(task: Task): void {
    try {
      task.run();
    } catch (error) {
      // One task's failure never ends another's.
      this.#logger.error(error);
    }
  }
}
