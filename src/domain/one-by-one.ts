/** Does one thing at a time, in the order asked for; one that fails is told to its own caller and holds up no other. */
export class OneByOne {
  #last: Promise<unknown> = Promise.resolve()

  /** Does `work` when all that was asked for before is over. */
  do<T>(work: () => T | Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined) // told to its own caller
    return done
  }

  /** Resolves when all that was asked for so far is over. */
  async idle(): Promise<void> {
    await this.#last
  }
}
