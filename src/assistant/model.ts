import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds for each word. */
const PACE = 50;

/** Words that it says before it fails. */
const WORDS_BEFORE_FAILURE = 12;

/** An error of the model. The message is for whoever has asked. */
export class ModelError extends Error {}

/**
 * Stands for a language model: it talks about streams, whatever it is asked. It fails in the middle if the question has the
 * word "fail" in it.
 *
 * @param signal stops it
 * @returns the answer in pieces
 * @throws ModelError
 */
export async function* askModel(question: string, signal: AbortSignal): AsyncGenerator<string> {
  const pieces = answerTo(question).split(/(?<= )/);
  const failsAt = /\bfail\b/i.test(question) ? WORDS_BEFORE_FAILURE : Infinity;
  for (const [i, piece] of pieces.entries()) {
    await delay(PACE, undefined, { signal });
    if (i >= failsAt) throw new ModelError('The model has lost the thread.');
    yield piece;
  }
}

const answerTo = (question: string): string =>
  `You have asked: “${question}” This model is made up, so it knows one thing only, and that is how its answer gets to you. ` +
  'Each word is an event of a channel that belongs to this answer alone. The server goes on talking while nobody listens. ' +
  'Reload the page in the middle of a sentence, or open its address in a second tab: you are given the words from the ' +
  'beginning, and then those that follow, each once. If the connection breaks, the page comes back and goes on with the next ' +
  'word. Stop is for all tabs, and it reaches the model on whichever instance it runs. And if the server dies, another ' +
  'one, or the next, says so: half an answer is never taken for a whole one.';
