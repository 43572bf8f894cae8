/** One import on the page: its bar, and how it ended. */
export class ImportView {
  #section = document.querySelector('#import');
  #file = document.querySelector('#import-file');
  #bar = document.querySelector('#bar');
  #rows = document.querySelector('#rows');
  #outcome = document.querySelector('#outcome');
  #cancel = document.querySelector('#cancel');

  clear() {
    this.#section.hidden = true;
    this.#outcome.textContent = '';
  }

  showProgress({ file, rows, total }) {
    this.#section.hidden = false;
    this.#file.textContent = file;
    this.#bar.max = total;
    this.#bar.value = rows;
    this.#rows.textContent = `${rows.toLocaleString()} of ${total.toLocaleString()} rows imported`;
    this.#cancel.hidden = false;
  }

  /** @param {'done' | 'cancelled' | 'failed'} outcome */
  showEnd(outcome, { reason, ...progress }) {
    this.showProgress(progress);
    this.#show(outcome, { done: 'Done.', cancelled: 'Cancelled.', failed: `Failed. ${reason}` }[outcome]);
  }

  /** The server does not know the import: it was restarted and keeps nothing, or the import is too long ago. */
  showLoss() {
    this.#show('failed', 'The server does not have this import, or no longer.');
  }

  #show(outcome, words) {
    this.#outcome.dataset.outcome = outcome;
    this.#outcome.textContent = words;
    this.#cancel.hidden = true;
  }
}
