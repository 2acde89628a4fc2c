/** Limits requests per second, with bursts. */
export type TokenBucket = ReturnType<typeof createTokenBucket>;

interface MethodSetting {
  HttpMethod?: string;
  ResourcePath?: string;
  ThrottlingRateLimit?: number;
  ThrottlingBurstLimit?: number;
}

/** Creates a bucket with `burst` tokens at most that gets `rate` tokens per second. @param now milliseconds */
export function createTokenBucket(rate: number, burst: number, now = performance.now()) {
  let tokens = burst;
  let last = now;
  return {
    take(at = performance.now()): boolean {
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
  settings: readonly MethodSetting[] = [],
): (resourcePath: string, httpMethod: string) => TokenBucket | undefined {
  const limits = settings.filter(({ ThrottlingRateLimit = -1 }) => ThrottlingRateLimit >= 0);
  return (resourcePath, httpMethod) => {
    // `/~1v1~1sessions` is how CloudFormation writes the path `/v1/sessions`.
    const of = (path: string) =>
      limits.find(
        ({ ResourcePath = "/*", HttpMethod = "*" }) =>
          ResourcePath.replace(/^\/~1/, "/").replaceAll("~1", "/") === path && [httpMethod, "*"].includes(HttpMethod),
      );
    const setting = of(resourcePath) ?? of("/*");
    if (!setting) return undefined;
    const { ThrottlingRateLimit = 0, ThrottlingBurstLimit = ThrottlingRateLimit } = setting;
    return createTokenBucket(ThrottlingRateLimit, ThrottlingBurstLimit);
  };
}
