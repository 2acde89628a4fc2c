/** Throws an Error that names the pid when another live process holds `directory`. */
export function lockDirectory(_directory: string): { release(): void } {
  throw new Error("being written");
}
