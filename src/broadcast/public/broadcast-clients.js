/** The connected clients. The list is fetched whenever the stream delivers something. */
export class ClientList {
  #list = document.querySelector('#clients');
  #count = document.querySelector('#count');
  #asking = false;
  #shown = '';

  async refresh() {
    // Many events may come at once; one request is under way at a time.
    if (this.#asking) return;
    this.#asking = true;
    try {
      const response = await fetch('/broadcast/clients');
      const answer = await response.text();
      if (answer !== this.#shown) this.#show(answer);
    } catch {
      // The server is away. The page shows that by the state of the stream, and asks again when it is back.
    } finally {
      this.#asking = false;
    }
  }

  /** Called only when the list has changed: replacing it would undo a selection of the user. */
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
