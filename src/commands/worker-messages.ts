/** What a worker is told first: the configuration it makes its own from, and the place it has. */
export interface WorkerOrder {
  readonly file: string;
  /** From 0: what its directory, its name and its ports are counted by. */
  readonly slot: number;
  /** How many there are: one more than workers, for the one that is being replaced. */
  readonly slots: number;
}

/** What a worker is told later. */
export type ToWorker =
  /** Open a seat at the port, beside others there; 0: at any free one. */
  | { readonly kind: 'open'; readonly seat: number; readonly port: number }
  /** Listen at a seat whose socket comes with the message. */
  | { readonly kind: 'take'; readonly seat: number }
  | { readonly kind: 'leave'; readonly seat: number }
  /** Read the configuration again. */
  | { readonly kind: 'reload' }
  /** Another one has its place: finish what is open, and end. */
  | { readonly kind: 'hand over' };

export interface Seated {
  readonly kind: 'seated';
  readonly seat: number;
  /** Null for a seat that was taken. */
  readonly opened: { readonly url: string; readonly port: number } | null;
}

/** What a worker tells. */
export type FromWorker =
  | { readonly kind: 'up'; readonly adminUrl: string; readonly fleetUrl: string | null }
  /** It cannot start, or not take a seat; for the person at the terminal. */
  | { readonly kind: 'failed'; readonly message: string }
  /** Whether it can take requests, and how many replicas serve it. */
  | { readonly kind: 'state'; readonly isReady: boolean; readonly serving: number }
  /** The socket of a seat that was opened comes with the message. */
  | Seated;
