/** Limits requests per second, with bursts. */
export interface TokenBucket {
  take(now?: number): boolean;
}

interface MethodSetting {
  HttpMethod?: string;
  ResourcePath?: string;
  ThrottlingRateLimit?: number;
  ThrottlingBurstLimit?: number;
}

/** Creates a bucket with `burst` tokens at most that gets `rate` tokens per second. @param now milliseconds */
export function createTokenBucket(rate: number, burst: number, now = performance.now()): TokenBucket {
  let tokens = burst;
  let last = now;
  return {
    take(at = performance.now()) {
      tokens = Math.min(burst, tokens + ((at - last) / 1000) * rate);
      last = at;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}

/**
 * Reads the throttling of a stage's `MethodSettings`. Each method has its own bucket. A setting for a method overrides one for all
 * methods.
 */
export function readThrottles(
  settings: unknown,
): (resourcePath: string, httpMethod: string) => TokenBucket | undefined {
  const list = (Array.isArray(settings) ? settings : []) as MethodSetting[];
  const limits = list.filter(
    ({ ThrottlingRateLimit }) => ThrottlingRateLimit !== undefined && ThrottlingRateLimit >= 0,
  );
  return (resourcePath, httpMethod) => {
    const own = limits.find((s) => pathOf(s) === resourcePath && (s.HttpMethod === httpMethod || s.HttpMethod === "*"));
    const setting =
      own ?? limits.find((s) => pathOf(s) === "/*" && (s.HttpMethod === "*" || s.HttpMethod === httpMethod));
    if (!setting) return undefined;
    const rate = setting.ThrottlingRateLimit ?? 0;
    return createTokenBucket(rate, setting.ThrottlingBurstLimit ?? rate);
  };
}

/** `/~1v1~1sessions` is how CloudFormation writes the path `/v1/sessions`. */
function pathOf({ ResourcePath = "/*" }: MethodSetting): string {
  return ResourcePath.startsWith("/~1") ? ResourcePath.slice(1).replaceAll("~1", "/") : ResourcePath;
}
