/** Something that goes wrong, at a moment of virtual time, in milliseconds. */
export type FleetFault =
  /** The replicas of a region die with what they were doing, and nobody is told: their links fall silent. They come back empty. */
  | { readonly kind: 'region-lost'; readonly region: string; readonly fromMs: number; readonly toMs: number }
  /** The same for one replica, by its number; its links break at once. */
  | { readonly kind: 'replica-killed'; readonly replica: number; readonly fromMs: number; readonly toMs: number }
  /** The steps of an engine take `factor` times as long. */
  | { readonly kind: 'slow'; readonly replica: number; readonly factor: number; readonly fromMs: number; readonly toMs: number }
  /** A replica works on, but reports its load no more. */
  | { readonly kind: 'frozen-load'; readonly replica: number; readonly fromMs: number; readonly toMs: number };
