/** An answer that is an error, in the shape Stripe gives it. */
export class StripeFailure extends Error {
  readonly status: number;
  readonly detail: Record<string, string>;

  constructor(status: number, detail: Record<string, string>) {
    super(detail["message"]);
    this.status = status;
    this.detail = detail;
  }
}

export function invalid(message: string, param?: string, code?: string): StripeFailure {
  return new StripeFailure(400, {
    type: "invalid_request_error",
    message,
    ...(param && { param }),
    ...(code && { code }),
  });
}

export function missing(kind: string, id: string, param = "id"): StripeFailure {
  return new StripeFailure(404, {
    type: "invalid_request_error",
    code: "resource_missing",
    message: `No such ${kind}: '${id}'`,
    param,
  });
}

export function declined(): StripeFailure {
  return new StripeFailure(402, {
    type: "card_error",
    code: "card_declined",
    decline_code: "generic_decline",
    message: "Your card was declined.",
  });
}

/** As Stripe words it where there is no card at all. */
export const nothingToPayWith = (): StripeFailure =>
  invalid(
    "This customer has no attached payment source or default payment method.",
    undefined,
    "resource_missing",
  );
