import { functionName } from "../assembly/physical.ts";
import type { Access } from "../iam/access.ts";
import { invokePermission } from "../iam/permissions.ts";
import type { Listening } from "../listen.ts";
import { parseJson, ServiceError, startService } from "../start-service.ts";
import type { AsynchronousInvoker } from "./asynchronous.ts";
import type { LambdaFunction } from "./lambda-function.ts";
import { exceedsPayload } from "./worker-messages.ts";

const INVOKE = /^\/2015-03-31\/functions\/([^/]+)\/invocations\/?(?:\?.*)?$/;

/** Starts Lambda's Invoke API for the SDK's `InvokeCommand`: `RequestResponse` and `Event`. It checks the role of the calling function. */
export function startInvokeApi(
  find: (name: string) => LambdaFunction | undefined,
  asynchronous: AsynchronousInvoker,
  access?: Access,
): Promise<Listening> {
  return startService(async ({ method, url = "", headers }, body, accessKeyId) => {
    const name = INVOKE.exec(url)?.[1];
    if (method !== "POST" || !name) {
      throw new ServiceError("UnknownOperationException", "The local host supports the operation Invoke only", 404);
    }
    const target = find(functionName(decodeURIComponent(name)));
    if (!target) throw new ServiceError("ResourceNotFoundException", `Function not found: ${name}`, 404);
    const refusal = access?.check(accessKeyId, [invokePermission(target.arn)]);
    if (refusal) throw new ServiceError("AccessDeniedException", refusal, 403);
    const event = body || "{}";
    parseJson(event, "InvalidRequestContentException");
    if (exceedsPayload(event)) {
      throw new ServiceError("RequestTooLargeException", "The event is larger than 6291556 bytes", 413);
    }
    const type = headers["x-amz-invocation-type"];
    if (type === "Event") {
      asynchronous.invoke(target, event);
      return { status: 202 };
    }
    const { error, payload, requestId } = await target.invoke(event);
    if (error?.errorType === "TooManyRequestsException") {
      throw new ServiceError("TooManyRequestsException", error.errorMessage, 429);
    }
    return {
      headers: {
        "x-amzn-requestid": requestId,
        "x-amz-executed-version": "$LATEST",
        ...(error && { "x-amz-function-error": "Unhandled" }),
      },
      body: payload,
    };
  });
}
