import type { Span } from "./rules.ts";

/** Tokens with a known prefix. Sources: the documentation of the providers, and the rules of gitleaks and of GitHub's secret scanning. */
const TOKENS = [
  // OpenAI, Anthropic, OpenRouter, DeepSeek; Groq, xAI, Perplexity, Hugging Face, Replicate
  "sk-[\\w-]{20,256}",
  "gsk_\\w{40,64}",
  "xai-\\w{60,128}",
  "pplx-\\w{40,64}",
  "hf_[A-Za-z]{30,40}",
  "r8_\\w{36,40}",
  // AWS, Google, Azure DevOps, DigitalOcean, Databricks
  "(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
  "AIza[\\w-]{35}",
  "ya29\\.[\\w-]{20,512}",
  "GOCSPX-[\\w-]{28}",
  "do[por]_v1_[\\da-f]{64}",
  "dapi[\\da-f]{32}",
  // GitHub, GitLab, npm, PyPI
  "gh[pousr]_\\w{36,255}",
  "github_pat_\\w{60,255}",
  "gl(?:pat|ptt|dt|rt|soat)-[\\w-]{20,64}",
  "npm_\\w{36}",
  "pypi-AgE[\\w-]{50,256}",
  // Stripe, Shopify, Slack, Twilio, SendGrid, Mailgun, Telegram, Discord
  "[sr]k_(?:live|test)_\\w{16,128}",
  "whsec_[\\w+/=]{24,64}",
  "shp(?:at|ca|pa|ss)_[\\da-f]{32}",
  "xox[abeoprs]-[\\w-]{20,256}",
  "xapp-\\d-[\\w-]{20,128}",
  "https://hooks\\.slack\\.com/services/[\\w/]{30,80}",
  "SK[\\da-f]{32}",
  "SG\\.[\\w-]{16,32}\\.[\\w-]{32,64}",
  "key-[\\da-f]{32}",
  "\\d{8,10}:AA[\\w-]{33}",
  "[MNO][\\w-]{23,27}\\.[\\w-]{6}\\.[\\w-]{27,45}",
  // Linear, Notion, Supabase, HashiCorp Vault, age
  "lin_api_\\w{32,64}",
  "(?:ntn|secret)_\\w{40,64}",
  "sbp_[\\da-f]{40}",
  "hv[sbr]\\.[\\w-]{24,256}",
  "AGE-SECRET-KEY-1[0-9A-Z]{58}",
  // JSON Web Tokens, and private keys, also when their end is cut off or their line breaks are escaped
  "eyJ[\\w-]{8,4096}\\.eyJ[\\w-]{2,8192}\\.[\\w-]{10,1024}",
];

const TOKEN = new RegExp(`(?<![A-Za-z0-9])(?:${TOKENS.join("|")})`, "g");
const PRIVATE_KEY =
  /-----BEGIN [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,16384}(?:-----END [A-Z ]{0,20}PRIVATE KEY(?: BLOCK)?-----)?/g;

// Values that are secret because of the words before them. The secret is the last group.
const AFTER_NAME =
  /(?:secret|token|passw(?:or)?d|(?:api|access|account|private|auth)[_-]?key)["']?\s{0,3}[:=]\s{0,3}["']?([\w/+=-]{16,512})/gi;
const AFTER_SCHEME = /\b(?:bearer|basic)\s([\w+/.=~-]{16,4096})/gi;
const IN_URL = /:\/\/[^\s/:@]{0,64}:([^\s/@]{1,128})@/g;
const AFTER_ACCESS_KEY = /\b(?:AKIA|ASIA)[A-Z2-7]{16}[\s:,;]{1,3}([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+])/g;

/** Minimum number of different characters of a secret. A value with fewer is a placeholder, such as `ghp_xxxxxxxx`, or a word. */
const LEAST_VARIETY = 8;

export function findSecrets(text: string): Span[] {
  const found: Span[] = [];
  const add = (value: string, end: number) => found.push({ kind: "secret", start: end - value.length, end });
  for (const { 0: value, index } of text.matchAll(PRIVATE_KEY)) add(value, index + value.length);
  for (const { 0: value, index } of text.matchAll(TOKEN)) {
    if (isVaried(value)) add(value, index + value.length);
  }
  for (const pattern of [AFTER_NAME, AFTER_SCHEME, AFTER_ACCESS_KEY]) {
    for (const { 0: match, 1: value = "", index } of text.matchAll(pattern)) {
      if (isVaried(value) && /\d/.test(value)) add(value, index + match.length);
    }
  }
  for (const { 0: match, 1: value = "", index } of text.matchAll(IN_URL)) add(value, index + match.length - 1);
  found.sort((a, b) => a.start - b.start || b.end - a.end);
  let last = 0;
  return found.filter(({ start, end }) => {
    if (start < last) return false;
    last = end;
    return true;
  });
}

const isVaried = (value: string): boolean => new Set(value.slice(0, 64)).size >= LEAST_VARIETY;
