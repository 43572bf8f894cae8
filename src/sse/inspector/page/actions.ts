import { reasonOf } from '../../sse.errors.js';
import { h, statusLine } from './dom.js';

/** A button that asks once more before it does what cannot be undone, and says what came of it. */
export function actionButton(name: string, warning: string, act: () => Promise<string>): HTMLElement {
  const status = statusLine();
  const button = h('button', { type: 'button', class: 'danger' }, name);
  const dialog = h('dialog', {}, h('p', {}, warning));
  const confirm = h('button', { type: 'button', class: 'danger' }, name);
  const cancel = h('button', { type: 'button', click: () => dialog.close() }, 'Cancel');
  confirm.addEventListener('click', () => {
    dialog.close();
    status.textContent = '…';
    act().then(
      (said) => {
        status.textContent = said;
      },
      (error: unknown) => {
        status.textContent = reasonOf(error);
      },
    );
  });
  dialog.append(h('div', { class: 'bar' }, cancel, confirm));
  button.addEventListener('click', () => dialog.showModal());
  return h('div', { class: 'action' }, button, dialog, status);
}

export const endedText = (outcome: { readonly ended: number; readonly away: readonly string[] }): string =>
  outcome.away.length === 0
    ? `Done: ${outcome.ended} ended.`
    : `Done: ${outcome.ended} ended. No word yet from ${outcome.away.join(', ')}.`;
