import { isLuhn } from "./cards.ts";
import { codiceFiscaleShapes, isCodiceFiscale } from "./codice-fiscale.ts";
import type { NumberRule } from "./rules.ts";

/** Numbers of persons, by country, and Brazil's CNPJ, which is also that of a sole trader. The checks follow each country's published rule. */
export const nationalIds: readonly NumberRule[] = (
  [
    // Argentina: CUIT, CUIL
    [["99-99999999-9"], (v) => sum(v, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0],
    [["99999999999"], (v) => sum(v, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0, /cui[tl]/i],
    // Australia: tax file number
    [["999999999", "999 999 999"], (v) => sum(v, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0, /\btfn|tax file/i],
    // Belgium: national register number. Of people born after 1999 it is checked with a 2 before it.
    [["99.99.99-999.99", "99.99.99-999-99"], isBelgian],
    [["99999999999"], isBelgian, /rijksregister|registre national|num[eé]ro national|insz|niss/i],
    // Brazil: CPF, CNPJ
    [["999.999.999-99"], isCpf],
    [["99999999999"], isCpf, /\bcpf/i],
    [["99.999.999/9999-99"], isCnpj],
    [["99999999999999"], isCnpj, /cnpj/i],
    // Canada: social insurance number
    [["999999999", "999 999 999", "999-999-999"], isLuhn, /\bsin\b|social insurance|assurance sociale|\bnas\b/i],
    // Chile: RUT
    [["99.999.999-9", "99.999.999-A", "9.999.999-9", "9.999.999-A"], isRut],
    [["99999999-9", "99999999-A", "9999999-9", "9999999-A"], isRut, /\bru[tn]\b/i],
    // China: resident identity card (ISO 7064 MOD 11-2)
    [["999999999999999999", "99999999999999999A"], isChinese],
    // Croatia: OIB (ISO 7064 MOD 11,10)
    [["99999999999"], isMod11And10, /\boib\b/i],
    // Czechia and Slovakia: rodné číslo
    [["999999/9999"], (v) => isDate(v, "ymd", [0, 20, 50, 70]) && remainder(v, 11) === 0],
    // Estonia and Lithuania: isikukood, asmens kodas
    [["99999999999"], isBaltic, /isikukood|asmens kod/i],
    // Finland: henkilötunnus
    [["999999-9999", "999999-999A", "999999A9999", "999999A999A", "999999+9999", "999999+999A"], isFinnish],
    // France: NIR
    [["999999999999999", "9 99 99 99 999 999 99"], isNir],
    // Germany: tax identification number
    [["99 999 999 999"], isGerman],
    [["99999999999"], isGerman, /steuer|\bidnr|\btin\b|tax id/i],
    // Greece: AMKA
    [["99999999999"], (v) => isDate(v, "dmy") && isLuhn(v), /amka|αμκα/i],
    // India: Aadhaar
    [["999999999999", "9999 9999 9999"], (v) => v >= "2" && isVerhoeff(v), /aadh?aa?r|uidai|आधार/i],
    // Ireland: PPS number
    [["9999999A", "9999999AA"], isIrish, /\bpps/i],
    // Israel: teudat zehut
    [["999999999"], isLuhn, /teudat|זהות|israeli id/i],
    // Italy: codice fiscale
    [codiceFiscaleShapes, isCodiceFiscale],
    // Mexico: CURP
    [["AAAA999999AAAAAA99", "AAAA999999AAAAAAA9"], isMexican],
    // Netherlands: burgerservicenummer
    [["9999.99.999"], isBsn],
    [["999999999"], isBsn, /\bbsn|burgerservice|sofi-?n/i],
    // Norway: fødselsnummer
    [["99999999999", "999999 99999"], isNorwegian],
    // Poland: PESEL
    [
      ["99999999999"],
      (v) => isDate(v, "ymd", [0, 20, 40, 60, 80]) && sum(v, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0,
      /pesel/i,
    ],
    // Portugal: NIF
    [["999999999", "999 999 999"], isPortuguese, /\bnif\b|contribuinte/i],
    // Romania: CNP
    [["9999999999999"], isRomanian, /\bcnp\b|cod(?:ul)? numeric/i],
    // South Africa: identity number
    [["9999999999999"], (v) => isDate(v, "ymd") && /^.{10}[01]/.test(v) && isLuhn(v)],
    // South Korea: resident registration number
    [["999999-9999999"], (v) => isDate(v, "ymd") && (11 - (sum(v.slice(0, 12), KOREAN) % 11)) % 10 === Number(v[12])],
    // Spain: DNI, NIE
    [["99999999A", "99999999-A"], (v) => isSpanish(v)],
    [["A9999999A", "A-9999999-A"], (v) => /^[XYZ]/.test(v) && isSpanish("XYZ".indexOf(v.charAt(0)) + v.slice(1))],
    // Sweden: personnummer, samordningsnummer
    [["999999-9999", "99999999-9999"], isSwedish],
    [["9999999999", "999999999999"], isSwedish, /personn|samordningsn/i],
    // Switzerland: AHV number (EAN-13)
    [["999.9999.9999.99", "9999999999999"], (v) => v.startsWith("756") && sum(v, EAN) % 10 === 0],
    // Turkey: T.C. kimlik
    [["99999999999"], isTurkish, /kimlik|tckn|\btc\b|t\.c\./i],
    // United Kingdom: NHS number
    [["9999999999", "999 999 9999", "999-999-9999"], isNhs, /\bnhs\b/i],
    // United States: social security number. It has no check digit, but a distinct shape, and values that no part has.
    [["999-99-9999"], isSsn],
    [["999999999"], isSsn, /\bssn|social security/i],
  ] as const satisfies readonly (readonly [readonly string[], (value: string) => boolean, RegExp?])[]
).map(([shapes, check, words]) => ({ kind: "national_id", shapes, check, ...(words && { words }) }));

const EAN = [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1];
const KOREAN = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];

/** The sum of the characters' values (`A` = 10), each times its weight. */
function sum(value: string, weights: readonly number[]): number {
  let total = 0;
  for (let n = 0; n < weights.length; n++) total += (weights[n] ?? 0) * valueAt(value, n);
  return total;
}

function valueAt(value: string, n: number): number {
  const code = value.charCodeAt(n);
  return code > 64 ? code - 55 : code - 48;
}

const remainder = (digits: string, by: number): number => Number(BigInt(digits) % BigInt(by));

/** Whether the first six digits are a date. Some countries add a number to the month, to tell sexes or centuries apart. */
function isDate(value: string, order: "ymd" | "dmy", monthOffsets: readonly number[] = [0], dayOffset = 0): boolean {
  const month = Number(value.slice(2, 4));
  const day = Number(order === "ymd" ? value.slice(4, 6) : value.slice(0, 2));
  return (
    monthOffsets.some((offset) => month > offset && month <= offset + 12) &&
    ((day >= 1 && day <= 31) || (day > dayOffset && day <= dayOffset + 31))
  );
}

function isBelgian(v: string): boolean {
  const check = 97 - Number(v.slice(9));
  return isDate(v, "ymd") && [v.slice(0, 9), `2${v.slice(0, 9)}`].some((number) => Number(number) % 97 === check % 97);
}

function isCpf(v: string): boolean {
  const digit = (weights: number[]) => ((sum(v, weights) * 10) % 11) % 10;
  return (
    !isRepeated(v) &&
    digit([10, 9, 8, 7, 6, 5, 4, 3, 2]) === valueAt(v, 9) &&
    digit([11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) === valueAt(v, 10)
  );
}

function isCnpj(v: string): boolean {
  const digit = (weights: number[]) => {
    const rest = sum(v, weights) % 11;
    return rest < 2 ? 0 : 11 - rest;
  };
  const weights = [5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
  return !isRepeated(v) && digit(weights) === valueAt(v, 12) && digit([6, ...weights]) === valueAt(v, 13);
}

const isRepeated = (v: string): boolean => v === v.charAt(0).repeat(v.length);

function isRut(v: string): boolean {
  const body = v.slice(0, -1).padStart(8, "0");
  return (
    v.endsWith("0123456789K".charAt((11 - (sum(body, [3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11 || 0)) && /[\dK]$/.test(v)
  );
}

function isChinese(v: string): boolean {
  return (
    isDate(v.slice(8), "ymd") &&
    /^[1-9].{5}(?:19|20)/.test(v) &&
    v.endsWith("10X98765432".charAt(sum(v, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11))
  );
}

/** ISO 7064 MOD 11,10 */
function isMod11And10(v: string): boolean {
  let product = 10;
  for (let n = 0; n < v.length - 1; n++) product = (((product + valueAt(v, n)) % 10 || 10) * 2) % 11;
  return (product + valueAt(v, v.length - 1)) % 10 === 1;
}

/** One digit of the first ten appears twice or three times, and the others at most once. */
function isGerman(v: string): boolean {
  const counts = [...new Set(v.slice(0, 10))]
    .map((digit) => v.slice(0, 10).split(digit).length - 1)
    .filter((n) => n > 1);
  return !v.startsWith("0") && counts.length === 1 && Math.max(...counts) <= 3 && isMod11And10(v);
}

function isBaltic(v: string): boolean {
  let rest = sum(v, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
  if (rest === 10) rest = sum(v, [3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
  return /^[1-8]/.test(v) && isDate(v.slice(1), "ymd") && rest % 10 === valueAt(v, 10);
}

function isFinnish(v: string): boolean {
  const digits = v.slice(0, 6) + v.slice(-4, -1);
  return (
    isDate(v, "dmy") &&
    /^\d{9}$/.test(digits) &&
    v.endsWith("0123456789ABCDEFHJKLMNPRSTUVWXY".charAt(Number(digits) % 31))
  );
}

function isNir(v: string): boolean {
  const month = Number(v.slice(3, 5));
  return (
    /^[1-478]/.test(v) &&
    ((month >= 1 && month <= 12) || month >= 20) &&
    97 - remainder(v.slice(0, 13), 97) === Number(v.slice(13))
  );
}

/** Permutations of the digits by place, and the multiplication of the dihedral group D5: one text per row. */
const VERHOEFF = "0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258".split(" ");
const DIHEDRAL =
  "0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210".split(
    " ",
  );

function isVerhoeff(v: string): boolean {
  let check = 0;
  for (let n = 0; n < v.length; n++) {
    const permuted = valueAt(VERHOEFF[n % 8] ?? "", valueAt(v, v.length - 1 - n));
    check = valueAt(DIHEDRAL[check] ?? "", permuted);
  }
  return check === 0;
}

function isIrish(v: string): boolean {
  const second = v.length === 9 ? valueAt(v, 8) - 9 : 0;
  const rest = (sum(v, [8, 7, 6, 5, 4, 3, 2]) + 9 * (v.endsWith("W") && v.length === 9 ? 0 : second)) % 23;
  return v.charAt(7) === "WABCDEFGHIJKLMNOPQRSTUV".charAt(rest);
}

function isMexican(v: string): boolean {
  let total = 0;
  for (let n = 0; n < 17; n++) total += "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ".indexOf(v.charAt(n)) * (18 - n);
  return isDate(v.slice(4), "ymd") && /^.{10}[HMX]/.test(v) && (10 - (total % 10)) % 10 === valueAt(v, 17);
}

function isBsn(v: string): boolean {
  return !isRepeated(v) && sum(v, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0;
}

/** D-numbers add 40 to the day. */
function isNorwegian(v: string): boolean {
  return (
    isDate(v, "dmy", [0, 40, 80], 40) &&
    sum(v, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
    sum(v, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0
  );
}

function isPortuguese(v: string): boolean {
  const rest = 11 - (sum(v, [9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return (rest > 9 ? 0 : rest) === valueAt(v, 8);
}

function isRomanian(v: string): boolean {
  const rest = sum(v, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
  return /^[1-9]/.test(v) && isDate(v.slice(1), "ymd") && (rest === 10 ? 1 : rest) === valueAt(v, 12);
}

const isSpanish = (v: string): boolean => "TRWAGMYFPDXBNJZSQVHLCKE".charAt(Number(v.slice(0, -1)) % 23) === v.at(-1);

/** Coordination numbers add 60 to the day. */
function isSwedish(v: string): boolean {
  const short = v.slice(-10);
  return /^(?:18|19|20|)\d{10}$/.test(v) && isDate(short, "ymd", [0], 60) && isLuhn(short);
}

function isTurkish(v: string): boolean {
  const tenth = (sum(v, [7, 0, 7, 0, 7, 0, 7, 0, 7]) - sum(v, [0, 1, 0, 1, 0, 1, 0, 1])) % 10;
  return (
    !v.startsWith("0") && tenth === valueAt(v, 9) && sum(v, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]) % 10 === valueAt(v, 10)
  );
}

function isNhs(v: string): boolean {
  const check = 11 - (sum(v, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return !isRepeated(v) && check % 11 === valueAt(v, 9) && check !== 10;
}

function isSsn(v: string): boolean {
  return /^(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}$/.test(v);
}
