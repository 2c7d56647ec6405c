/** Does acts one after the other, in the order they came; one that fails does not hold up the next. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as `act` does, which begins once all that came before it are over. */
  run<Value>(act: () => Promise<Value>): Promise<Value> {
    const mine = this.#last.then(act);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
