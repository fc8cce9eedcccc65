// What the console uses of lean-qr.

export interface Bitmap {
  /** Modules along an edge, without a margin. */
  readonly size: number;
  /** Whether a module is dark; what is outside is not. */
  get(x: number, y: number): boolean;
}
export const correction: { L: number; M: number; Q: number; H: number };
/** Throws if the text is too long for any code. */
export function generate(text: string, options?: { minCorrectionLevel?: number }): Bitmap;
