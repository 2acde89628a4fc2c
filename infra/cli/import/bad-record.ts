/** A record of the input that cannot be imported: reported with its place and this reason, counted and skipped. */
export class BadRecord extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, options);
    this.name = "BadRecord";
  }
}
