/** What was opened, to be closed in the opposite order. */
export class Teardown {
  #opened: { close(): unknown }[] = [];

  /** Notes something to be closed, and returns it. */
  add<T extends { close(): unknown }>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  /** Closes everything, newest first, once. */
  async run(): Promise<void> {
    for (const opened of this.#opened.splice(0).reverse()) await opened.close();
  }
}
