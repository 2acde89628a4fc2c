/** Limits of a plan; 0 = no limit. */
interface Plan {
  requests_per_minute: number;
  tokens_per_day: number;
}

export type Plans = Readonly<Record<string, Plan>>;

/** The plans of a deployment without `PLANS`. */
export const defaultPlans: Plans = {
  free: { requests_per_minute: 60, tokens_per_day: 500_000 },
  pro: { requests_per_minute: 600, tokens_per_day: 20_000_000 },
  unlimited: { requests_per_minute: 0, tokens_per_day: 0 },
};

export interface NamedPlan extends Plan {
  name: string;
}

/** Finds the plan that a token names. The first plan is used when the token names none, or an unknown one. */
export function planOf(plans: Plans, claim: string): NamedPlan {
  const [first = "free"] = Object.keys(plans);
  const name = Object.hasOwn(plans, claim) ? claim : first;
  return { name, ...(plans[name] ?? { requests_per_minute: 0, tokens_per_day: 0 }) };
}
