import { startS3 } from "../../../../infra/local/s3/s3-server.ts";
import { credentials } from "./s3-fixture.ts";

/** A server as a process of its own, to be killed: `node serve.ts <directory>` prints its URL. */
const [directory = ""] = process.argv.slice(2);
const { url } = await startS3({ directory, ...credentials });
process.stdout.write(`${url}\n`);
