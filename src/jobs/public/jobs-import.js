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
    this.#rows.textContent = `${rows.toLocaleString()} of ${total.toLocaleString()} rows`;
    this.#cancel.hidden = false;
  }

  /** @param {'done' | 'cancelled' | 'failed'} outcome */
  showEnd(outcome, { reason, ...progress }) {
    this.showProgress(progress);
    const words = {
      done: 'Done. All rows are imported.',
      cancelled: 'Cancelled. The rows until here are imported.',
      failed: `Failed. ${reason} The rows before it are imported.`,
    };
    this.#show(outcome, words[outcome]);
  }

  /** The server does not know the import: it was restarted without a store, or the import is too long ago. */
  showLoss() {
    this.#section.hidden = false;
    this.#show('failed', 'The server does not have this import, or has lost it in a restart.');
  }

  #show(outcome, words) {
    this.#outcome.dataset.outcome = outcome;
    this.#outcome.textContent = words;
    this.#cancel.hidden = true;
  }
}
