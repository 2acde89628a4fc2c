import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { listen } from "../../../../infra/local/listen.ts";

const REGION = "ddblocal";

/**
 * Puts a proxy before the embedded engine that imitates AWS's DynamoDB Local 2.6. ARNs have its own region. A stream is found only by its
 * own ARN and with the access key of its table. There are no vector indexes, and an attribute definition that no key uses is refused.
 */
export async function startFakeDynamoDbLocal(endpoint: string, accessKeyId = "local") {
  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    const body = JSON.parse((await text(request)) || "{}");
    const refusal = refuse(operation, body, String(request.headers.authorization).includes(`=${accessKeyId}/`));
    if (refusal) {
      response.writeHead(400, { "content-type": "application/x-amz-json-1.0" });
      response.end(JSON.stringify(refusal));
      return;
    }
    const { VectorIndexes: _ignored, ...supported } = body;
    const answer = await fetch(endpoint, {
      method: "POST",
      headers: {
        "x-amz-target": String(request.headers["x-amz-target"]),
        "content-type": "application/x-amz-json-1.0",
        authorization: String(request.headers.authorization),
        "x-amz-date": String(request.headers["x-amz-date"]),
      },
      body: JSON.stringify(supported),
    });
    response.writeHead(answer.status, { "content-type": "application/x-amz-json-1.0" });
    response.end((await answer.text()).replaceAll(/arn:aws:dynamodb:[^:]*:/g, `arn:aws:dynamodb:${REGION}:`));
  });
  return await listen(server, 0);
}

interface Body {
  StreamArn?: string;
  AttributeDefinitions?: { AttributeName: string }[];
  KeySchema?: { AttributeName: string }[];
  GlobalSecondaryIndexes?: { KeySchema: { AttributeName: string }[] }[];
}

function refuse(operation: string, body: Body, isKnown: boolean): { __type: string; message: string } | undefined {
  if (operation === "SearchVectors") {
    return {
      __type: "com.amazon.coral.service#UnknownOperationException",
      message: "An unknown operation was requested.",
    };
  }
  if (body.StreamArn !== undefined && (!isKnown || body.StreamArn.split(":")[3] !== REGION)) {
    return {
      __type: "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
      message: "Requested resource not found: Stream",
    };
  }
  const keys = [body, ...(body.GlobalSecondaryIndexes ?? [])].flatMap(({ KeySchema = [] }) => KeySchema);
  const used = new Set(keys.map(({ AttributeName }) => AttributeName));
  if (operation === "CreateTable" && used.size !== body.AttributeDefinitions?.length) {
    const message =
      "The number of attributes in key schema must match the number of attributes defined in attribute definitions.";
    return { __type: "com.amazon.coral.validate#ValidationException", message };
  }
  return undefined;
}
