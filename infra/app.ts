import path from "node:path";
import { App } from "aws-cdk-lib";
import { Code } from "aws-cdk-lib/aws-lambda";
import { bundleFunctions, dist } from "./bundle.ts";
import { addNag } from "./nag.ts";
import { addStacks } from "./stacks/memocha.ts";

await bundleFunctions();

const app = new App({ analyticsReporting: false });
addStacks(app, (name) => Code.fromAsset(path.join(dist, name)));
addNag(app);
app.synth();
