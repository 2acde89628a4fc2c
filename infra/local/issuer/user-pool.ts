import * as z from "zod";
import type { Access } from "../iam/access.ts";
import { userPoolPermission } from "../iam/permissions.ts";
import type { Listening } from "../listen.ts";
import { ServiceError, startJsonService } from "../start-service.ts";

const named = z.object({ UserPoolId: z.string(), Username: z.string().min(1) });

/** Starts the user pool's API for functions. The local issuer keeps no accounts: a developer chooses who to be. So the pool has no users. */
export function startUserPool(access?: Access): Promise<Listening> {
  const find = (input: unknown): never => {
    named.parse(input);
    throw new ServiceError("UserNotFoundException", "User does not exist.");
  };
  return startJsonService({
    name: "user pool",
    operations: { AdminGetUser: find, AdminDeleteUser: find },
    refuse: (caller, operation, input) => access?.check(caller, [userPoolPermission(operation, input)]),
  });
}
