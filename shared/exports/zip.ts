import { crc32, deflateRawSync } from "node:zlib";

/** The fields of a file in the zip's directory. */
export interface ZipEntry {
  path: string;
  /** Where it begins in the zip. */
  offset: number;
  bytes: number;
  packed: number;
  crc: number;
}

/** The largest values of fields of 2 and 4 bytes. They mean that the real value is in the zip64 fields. */
const FULL_2 = 0xffff;
const FULL_4 = 0xffffffff;

/** 1 January 1980, the first date of the format. It is constant so that the same content gives the same bytes. */
const DATE = 0x0021;
/** The flag that says that paths are UTF-8. */
const UTF8 = 0x0800;
const STORED = 0;
const DEFLATED = 8;
/** The version of the format that a reader needs for zip64. */
const VERSION = 45;

/**
 * Packs one file for a zip (APPNOTE.TXT 6.3, section 4.3). A zip consists of such files and then the bytes of `zipDirectory`. This code is
 * our own because we know no library that can continue a zip which another process has begun. Content is at most 4 GB.
 */
export function packFile(path: string, content: Uint8Array, offset: number): { entry: ZipEntry; bytes: Buffer[] } {
  const deflated = deflateRawSync(content);
  // Store content as it is if deflate does not make it smaller, such as an image.
  const data = deflated.length < content.length ? deflated : content;
  const entry = { path, offset, bytes: content.length, packed: data.length, crc: crc32(content) };
  const name = Buffer.from(path);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  writeCommon(header, entry, name, 4);
  return { entry, bytes: [header, name, Buffer.from(data.buffer, data.byteOffset, data.length)] };
}

/** Makes the end of a zip, which lists its files. `offset` is the position at which it begins. */
export function zipDirectory(entries: readonly ZipEntry[], offset: number): Buffer {
  const list = Buffer.concat(entries.map(directoryEntry));
  const needsZip64 = entries.length >= FULL_2 || offset + list.length >= FULL_4;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(Math.min(entries.length, FULL_2), 8);
  end.writeUInt16LE(Math.min(entries.length, FULL_2), 10);
  end.writeUInt32LE(Math.min(list.length, FULL_4), 12);
  end.writeUInt32LE(Math.min(offset, FULL_4), 16);
  return Buffer.concat([list, ...(needsZip64 ? [zip64End(entries.length, list.length, offset)] : []), end]);
}

function directoryEntry(entry: ZipEntry): Buffer {
  const name = Buffer.from(entry.path);
  const needsZip64 = entry.offset >= FULL_4;
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE(VERSION, 4);
  writeCommon(header, entry, name, 6);
  const extra = Buffer.alloc(needsZip64 ? 12 : 0);
  header.writeUInt16LE(extra.length, 30);
  header.writeUInt32LE(Math.min(entry.offset, FULL_4), 42);
  if (needsZip64) {
    extra.writeUInt16LE(1, 0);
    extra.writeUInt16LE(8, 2);
    extra.writeBigUInt64LE(BigInt(entry.offset), 4);
  }
  return Buffer.concat([header, name, extra]);
}

/** The fields that a file's own header and its entry in the directory have in common. */
function writeCommon(header: Buffer, { bytes, packed, crc }: ZipEntry, name: Buffer, at: number): void {
  header.writeUInt16LE(VERSION, at);
  header.writeUInt16LE(UTF8, at + 2);
  header.writeUInt16LE(packed < bytes ? DEFLATED : STORED, at + 4);
  header.writeUInt16LE(DATE, at + 8);
  header.writeUInt32LE(crc, at + 10);
  header.writeUInt32LE(packed, at + 14);
  header.writeUInt32LE(bytes, at + 18);
  header.writeUInt16LE(name.length, at + 22);
}

/** Makes the zip64 end record, which comes before the usual one if the zip has more than 65,534 files or 4 GB. */
function zip64End(count: number, length: number, offset: number): Buffer {
  const end = Buffer.alloc(76);
  end.writeUInt32LE(0x06064b50, 0);
  end.writeBigUInt64LE(44n, 4);
  end.writeUInt16LE(VERSION, 12);
  end.writeUInt16LE(VERSION, 14);
  end.writeBigUInt64LE(BigInt(count), 24);
  end.writeBigUInt64LE(BigInt(count), 32);
  end.writeBigUInt64LE(BigInt(length), 40);
  end.writeBigUInt64LE(BigInt(offset), 48);
  end.writeUInt32LE(0x07064b50, 56);
  end.writeBigUInt64LE(BigInt(offset + length), 64);
  end.writeUInt32LE(1, 72);
  return end;
}
