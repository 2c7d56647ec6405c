import type { Replica } from './replica.ts';

/** All replicas this gateway knows, by model. */
export class Fleet {
  readonly #replicas = new Map<string, Replica>();
  readonly #byModel = new Map<string, Replica[]>();

  add(replica: Replica): void {
    const { id, models } = replica.identity;
    this.remove(id);
    this.#replicas.set(id, replica);
    for (const model of models) this.#byModel.set(model, [...this.serving(model), replica]);
  }

  remove(id: string): void {
    const replica = this.#replicas.get(id);
    if (replica === undefined) return;
    this.#replicas.delete(id);
    for (const model of replica.identity.models) {
      const rest = this.serving(model).filter((other) => other !== replica);
      if (rest.length === 0) this.#byModel.delete(model);
      else this.#byModel.set(model, rest);
    }
  }

  get(id: string): Replica | undefined {
    return this.#replicas.get(id);
  }

  /** Every replica with the model, whatever its health. */
  serving(model: string): readonly Replica[] {
    return this.#byModel.get(model) ?? [];
  }

  all(): Replica[] {
    return [...this.#replicas.values()];
  }

  /** Models that some replica serves. */
  models(): string[] {
    return [...this.#byModel.keys()].sort();
  }
}
