/** Whether a list of ETags, as `If-Match` and `If-None-Match` carry it, holds this one (RFC 9110, section 13.1). */
export function matchesEtag(list: string, etag: string): boolean {
  if (list.trim() === "*") return true;
  return list.split(",").some((entry) => entry.trim().replace(/^W\//, "") === etag);
}
