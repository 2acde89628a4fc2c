import { describe, expect, it } from "vitest";
import { redact, redactJson } from "../../../shared/redaction/redact.ts";
import { readLabelledLines } from "./labelled-lines.ts";

describe("a redaction", () => {
  it("replaces personal data by its kind", () => {
    expect(redact("I am ann@example.com, call +44 20 7946 0958 or pay DE89 3704 0044 0532 0130 00.")).toBe(
      "I am [email], call [phone] or pay [iban].",
    );
    expect(redact("4242 4242 4242 4242 from 203.0.113.9, DNI 12345678Z")).toBe("[card] from [ip], DNI [national_id]");
    expect(redact(`token ghp_${"aB3dE5gH7j"}${"kL9nP1rS3t"}${"uV5wX7yZ9b0123"}12`)).toBe("token [secret]");
  });

  it("leaves a text without personal data as it is", () => {
    for (const { text, spans } of readLabelledLines().filter(({ text: line }) => /^[\p{L} ,.]+$/u.test(line))) {
      if (spans.length === 0) expect(redact(text)).toBe(text);
    }
  });

  it("changes nothing the second time", () => {
    for (const { text } of readLabelledLines()) expect(redact(redact(text))).toBe(redact(text));
  });

  it("redacts the values and the names of fields in JSON", () => {
    const value = {
      to: ["ann@example.com", { cc: "bob@example.com", n: 3, ok: true, none: null }],
      "ann@example.com": "known",
      card: 4242424242424242,
      count: 1764415999,
    };
    expect(redactJson(value)).toEqual({
      to: ["[email]", { cc: "[email]", n: 3, ok: true, none: null }],
      "[email]": "known",
      card: "[card]",
      count: 1764415999,
    });
    expect(value.to[0]).toBe("ann@example.com");
  });

  it("uses the name of a field like words before its value", () => {
    expect(redactJson({ bsn: 123456782, order: 123456782 })).toEqual({ bsn: "[national_id]", order: 123456782 });
    expect(redactJson({ phone: "5551234567", id: "5551234567" })).toEqual({ phone: "[phone]", id: "5551234567" });
  });
});
