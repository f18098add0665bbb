import assert from "node:assert/strict";
import { AppError } from "../_shared/errors.ts";
import { returnUrl } from "./return-url.ts";

const settings = {
  appUrl: "https://app.example.com/product",
  origins: "https://docs.example.com, nonsense,http://localhost:3000",
  outcome: "success",
};

Deno.test("without an address the browser comes back to the product's page of billing", () => {
  assert.equal(returnUrl(undefined, settings), "https://app.example.com/product/billing?checkout=success");
});

Deno.test("any page of an allowed origin is fine, and Stripe's placeholder stays", () => {
  for (
    const url of [
      "https://app.example.com/done?session={CHECKOUT_SESSION_ID}",
      "https://docs.example.com/",
      "http://localhost:3000/x#y",
    ]
  ) {
    assert.equal(decodeURI(returnUrl(url, settings)), url);
  }
});

Deno.test("nothing else is", () => {
  for (
    const url of [
      "https://evil.example.com/",
      "https://app.example.com.evil.com/",
      "https://app.example.com@evil.com/",
      "https://user@app.example.com/",
      "http://app.example.com/",
      "https://app.example.com:444/",
      "http://localhost/",
      "https://nonsense/",
    ]
  ) {
    assert.throws(
      () => returnUrl(url, settings),
      (error: AppError) => error.code === "return_url_not_allowed",
      url,
    );
  }
});
