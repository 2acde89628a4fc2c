import * as z from "zod";
import { idSchema } from "../../session/schema.ts";

/** Path parameters of what belongs to a session. */
export const sessionParams = z.object({ id: idSchema });
