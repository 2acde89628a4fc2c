/**
 * What stands in the bundles for Node's own `fetch` and its classes: to load those at a cold start takes several times
 * as long as these, which are written on `node:http`.
 */
export { default as fetch, FormData, Headers, Request, Response } from "node-fetch";
