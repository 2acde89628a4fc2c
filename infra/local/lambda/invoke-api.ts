import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { functionName } from "../assembly/physical.ts";
import type { Access } from "../iam/access.ts";
import { invokePermission } from "../iam/permissions/other-services.ts";
import { accessKeyOf } from "../iam/signature-v4.ts";
import { type Listening, listen, unsignedReason } from "../listen.ts";
import type { AsynchronousInvoker } from "./asynchronous.ts";
import type { LambdaFunction } from "./function.ts";
import { exceedsPayload } from "./messages.ts";

const INVOKE = /^\/2015-03-31\/functions\/([^/]+)\/invocations\/?(?:\?.*)?$/;

/**
 * Starts Lambda's Invoke API for the SDK's `InvokeCommand`: `RequestResponse`, `Event` and `DryRun`. It checks the role of the calling
 * function and the permissions of the invoked one.
 */
export function startInvokeApi(
  find: (name: string) => LambdaFunction | undefined,
  asynchronous: AsynchronousInvoker,
  access?: Access,
): Promise<Listening> {
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (!response.headersSent) fail(response, 500, "ServiceException", String(error));
      else response.destroy();
    });
  });

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const unsigned = unsignedReason(request.headers);
    if (unsigned) return fail(response, 403, "MissingAuthenticationTokenException", unsigned);
    const name = INVOKE.exec(request.url ?? "")?.[1];
    if (request.method !== "POST" || !name) {
      return fail(response, 404, "UnknownOperationException", "The local host supports the operation Invoke only");
    }
    const target = find(functionName(decodeURIComponent(name)));
    if (!target) return fail(response, 404, "ResourceNotFoundException", `Function not found: ${name}`);
    const refusal = access?.check(accessKeyOf(request), [invokePermission(target.arn)]);
    if (refusal) return fail(response, 403, "AccessDeniedException", refusal.message);
    const event = (await text(request)) || "{}";
    if (!isJson(event)) {
      return fail(response, 400, "InvalidRequestContentException", "Could not parse request body into json");
    }
    if (exceedsPayload(event)) {
      return fail(response, 413, "RequestTooLargeException", "The event is larger than 6291556 bytes");
    }
    const type = request.headers["x-amz-invocation-type"] ?? "RequestResponse";
    if (type === "DryRun") return void response.writeHead(204).end();
    if (type === "Event") {
      asynchronous.invoke(target, event);
      return void response.writeHead(202).end();
    }
    const result = await target.invoke(event);
    if (result.error?.errorType === "TooManyRequestsException") {
      return fail(response, 429, "TooManyRequestsException", result.error.errorMessage);
    }
    response.writeHead(200, {
      "content-type": "application/json",
      "x-amzn-requestid": result.requestId,
      "x-amz-executed-version": "$LATEST",
      ...(result.error && { "x-amz-function-error": "Unhandled" }),
    });
    response.end(result.payload);
  }

  return listen(server, 0);
}

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

function fail(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, { "content-type": "application/json", "x-amzn-errortype": type });
  response.end(JSON.stringify({ Type: "User", message, Message: message }));
}
