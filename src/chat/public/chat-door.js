import { request } from '/request.js';

/** The way into a room behind a password. */
export class Door {
  #form = document.querySelector('#door');
  #problem = document.querySelector('#door-problem');
  #behind = [document.querySelector('.talk'), document.querySelector('#composer')];

  /**
   * @param {object} options
   * @param {string} options.key the address that exchanges the password for a cookie
   * @param {() => void} options.onOpen
   */
  constructor({ key, onOpen }) {
    this.#form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const { password } = this.#form.elements;
      const { problem } = await request('POST', key, { password: password.value });
      this.#problem.textContent = problem;
      if (problem !== '') return password.select();
      password.value = '';
      this.#show(false);
      onOpen();
    });
  }

  shut() {
    this.#show(true);
    this.#form.elements.password.focus();
  }

  #show(isShut) {
    this.#form.hidden = !isShut;
    for (const part of this.#behind) part.hidden = isShut;
  }
}
