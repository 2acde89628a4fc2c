import { randomOf } from "../../support/random.ts";

const WORDS =
  "river garden winter letter music bridge train coffee window doctor summer ticket market island friend lesson camera hotel bicycle dinner".split(
    " ",
  );

/** So many words, 18 of which have about 150 characters. Each seed has its own words, so that memories differ. */
export function words(count: number, ...seed: (string | number)[]): string {
  const random = randomOf(...seed);
  const word = () => `${random.pick(WORDS)}${random.chance(0.3) ? random.below(500) : ""}`;
  return Array.from({ length: count }, word).join(" ");
}

export const sentence = (...seed: (string | number)[]): string => words(18, ...seed);
