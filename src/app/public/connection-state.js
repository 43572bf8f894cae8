/**
 * Shows the state of a connection, as the client has it: a word that is read out, and beside it the time of the next
 * attempt, which is not, as it changes often. The dot is CSS.
 *
 * @param {import('nestjs-sse-hub/client').ConnectionState} state
 * @param {string} [words] in place of the usual ones
 */
export function showState(state, words = wordsFor(state)) {
  const element = document.querySelector('#state');
  element.parentElement.dataset.state = state.kind;
  element.textContent = words;
  document.querySelector('#next-attempt').textContent =
    state.kind === 'reconnecting' ? `at ${new Date(state.at).toLocaleTimeString()}` : '';
}

function wordsFor(state) {
  if (state.kind === 'open') return 'live';
  if (state.kind !== 'closed') return state.kind;
  switch (state.reason) {
    case 'completed':
      return 'done';
    case 'failed':
      return `failed: ${state.error.message}`;
    case 'stopped':
      return 'stopped';
    default:
      return `${state.reason} with status ${state.status}`;
  }
}
