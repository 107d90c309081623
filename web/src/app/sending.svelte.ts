// A file on its way to the hub.

import type { Upload } from "./api";
import { upload } from "./client";

/** As the hub. */
const MOST_BYTES = 100e6;

export class Sending {
  /** How much of it is there, 0 to 1; null: nothing is under way. */
  part = $state<number | null>(null);
  name = $state("");
  trouble = $state.raw<unknown>(null);
  tooBig = $state(false);

  async send(file: File): Promise<Upload | null> {
    if (this.part !== null) return null;
    [this.trouble, this.tooBig] = [null, file.size > MOST_BYTES];
    if (this.tooBig) return null;
    [this.name, this.part] = [file.name, 0];
    try {
      return await upload<Upload>(`uploads?name=${encodeURIComponent(file.name)}`, file, (sent) => { this.part = sent; });
    } catch (error) {
      this.trouble = error;
      return null;
    } finally {
      this.part = null;
    }
  }
}
