/** One answer on the page: the question, the words so far, and how it ended. */
export class AnswerView {
  #section = document.querySelector('#answer');
  #asked = document.querySelector('#asked');
  #words = document.querySelector('#words');
  #outcome = document.querySelector('#outcome');
  #stop = document.querySelector('#stop');

  clear() {
    this.#section.hidden = true;
    this.#words.textContent = '';
    this.#outcome.textContent = '';
  }

  begin(question) {
    this.#section.hidden = false;
    this.#asked.textContent = question;
    // Read out when it is whole, and not word by word.
    this.#words.ariaBusy = 'true';
    this.#stop.hidden = false;
  }

  add(words) {
    this.#words.append(words);
  }

  /** @param {'done' | 'stopped' | 'failed'} outcome */
  end(outcome, text) {
    this.#words.ariaBusy = 'false';
    this.#stop.hidden = true;
    this.#outcome.dataset.outcome = outcome;
    this.#outcome.textContent = text;
  }
}
