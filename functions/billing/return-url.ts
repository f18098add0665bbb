import { AppError } from "../_shared/errors.ts";

/**
 * Where the browser goes after Stripe: the given address if its origin is ours, by default the product's page of billing.
 *
 * @throws {AppError} `return_url_not_allowed`: anything else would make our checkout the first half of somebody's fraud.
 */
export function returnUrl(
  given: string | undefined,
  { appUrl, origins = "", outcome }: { appUrl: string; origins?: string | undefined; outcome: string },
): string {
  if (given === undefined) {
    const page = new URL("billing", appUrl.endsWith("/") ? appUrl : `${appUrl}/`);
    page.searchParams.set("checkout", outcome);
    return page.href;
  }
  const url = new URL(given);
  const allowed = [appUrl, ...origins.split(",")].map((origin) => originOf(origin.trim()));
  if (url.username || url.password || !allowed.includes(url.origin)) {
    throw new AppError("return_url_not_allowed");
  }
  return url.href;
}

// An entry that is no URL allows nothing.
const originOf = (text: string) => URL.canParse(text) ? new URL(text).origin : undefined;
