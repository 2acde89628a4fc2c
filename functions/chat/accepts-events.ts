/** Whether a client would rather have server-sent events than JSON (RFC 9110, section 12.5.1, without its weights). */
export function acceptsEvents(accept = ""): boolean {
  const types = accept.split(",").map((entry) => entry.split(";")[0]?.trim().toLowerCase());
  const events = types.indexOf("text/event-stream");
  const json = types.indexOf("application/json");
  return events >= 0 && (json < 0 || events < json);
}
