/** What was opened, to be closed in the opposite order. */
export class Teardown {
  #opened: { close(): unknown }[] = [];
  #running: Promise<void> | null = null;

  /** Notes something to be closed, and returns it. */
  add<T extends { close(): unknown }>(opened: T): T {
    this.#opened.push(opened);
    return opened;
  }

  /** Closes everything, newest first, once, however often it is called; then throws the first thing that went wrong, if anything did. */
  run(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    const failures: unknown[] = [];
    for (const opened of this.#opened.splice(0).reverse()) {
      try {
        await opened.close();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
