/** Who is connected. It is asked for whenever something happens on the stream, and the server ticks. */
export class ClientList {
  #list = document.querySelector('#clients');
  #count = document.querySelector('#count');
  #asking = false;
  #shown = '';

  async refresh() {
    // Many events may come at once; the answer that is under way serves them all but the last few.
    if (this.#asking) return;
    this.#asking = true;
    try {
      const response = await fetch('/broadcast/clients');
      const answer = await response.text();
      if (answer !== this.#shown) this.#show(answer);
    } catch {
      // The server is gone: the state of the stream says so, and the list is asked for when it is back.
    } finally {
      this.#asking = false;
    }
  }

  /** Only what is new is put into the page, or nobody could select an id to copy it. */
  #show(answer) {
    const { count, clients } = JSON.parse(answer);
    this.#count.textContent = count;
    this.#list.replaceChildren(...clients.map(describe));
    this.#shown = answer;
  }
}

function describe({ id, connectedAt }) {
  const item = document.createElement('li');
  const name = document.createElement('code');
  const since = document.createElement('time');
  name.textContent = id;
  since.dateTime = connectedAt;
  since.textContent = `since ${new Date(connectedAt).toLocaleTimeString()}`;
  item.append(name, since);
  return item;
}
