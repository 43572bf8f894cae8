import { idLine, SharedText } from '../protocol/event-stream.js';

/**
 * Texts one after the other, as a client gathers them for one write. Those who gather the same ones come by the same
 * objects, as long as they do it one after the other, and so share the bytes.
 */
export class GatheredText extends SharedText {
  static readonly EMPTY = new GatheredText('');

  /** The text that was made when a block was last added to this one. */
  #longer: GatheredText | undefined;

  private constructor(
    text: string,
    private readonly id?: string,
    private readonly body?: string | SharedText,
  ) {
    super(text);
  }

  /** This with a block after it. @param id of the block; undefined for none */
  plus(body: string | SharedText, id: string | undefined): GatheredText {
    const longer = this.#longer;
    if (longer && longer.body === body && longer.id === id) return longer;
    const text = typeof body === 'string' ? body : body.text;
    return (this.#longer = new GatheredText(
      this.text + (id === undefined ? text : idLine(id) + text),
      id,
      body,
    ));
  }
}
