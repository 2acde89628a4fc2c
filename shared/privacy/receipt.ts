import { createHmac, createPrivateKey, createPublicKey, hkdfSync, type KeyObject, sign, verify } from "node:crypto";
import type { Receipt } from "./erasure.ts";

/** Signs receipts and hashes the users in them, with keys from the deployment's secret. */
export interface PrivacyKey {
  /** Returns the keyed hash of a user. Nobody can find the user by hashing many ids without the key. */
  subjectOf(user: string): string;
  sign(receipt: Omit<Receipt, "signature">): Receipt;
}

/** The beginning of an Ed25519 key in PKCS #8 (RFC 8410). The 32 bytes of the key follow. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** Derives the keys from the secret, which is a random text. */
export function createPrivacyKey(secret: string): PrivacyKey {
  const derive = (use: string) => Buffer.from(hkdfSync("sha256", secret, "", `memocha ${use}`, 32));
  const hashKey = derive("subject");
  let key: KeyObject | undefined;
  return {
    subjectOf: (user) => createHmac("sha256", hashKey).update(user).digest("hex").slice(0, 32),

    sign(receipt) {
      key ??= createPrivateKey({ key: Buffer.concat([PKCS8, derive("signature")]), format: "der", type: "pkcs8" });
      const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
      const signature = {
        algorithm: "Ed25519",
        public_key: publicKey.toString("base64"),
        value: sign(null, canonical(receipt), key).toString("base64"),
      } as const;
      return { ...receipt, signature };
    },
  };
}

/** Checks the signature of a receipt with the public key in the receipt. */
export function isSigned({ signature, ...receipt }: Receipt): boolean {
  if (!signature) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(signature.public_key, "base64"), format: "der", type: "spki" });
    return (
      key.asymmetricKeyType === "ed25519" &&
      verify(null, canonical(receipt), key, Buffer.from(signature.value, "base64"))
    );
  } catch {
    return false;
  }
}

/** JSON with sorted keys and without spaces, so that a receipt may be reformatted. */
function canonical(value: unknown): Buffer {
  const sorted = (_name: string, inner: unknown): unknown =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner;
  return Buffer.from(JSON.stringify(value, sorted));
}
