import type Stripe from "stripe";
import { z } from "zod";
import { type Account, decimal, find, newId } from "./account.ts";
import { invalid } from "./failure.ts";
import { created, newestFirst, page, paging, within } from "./pages-of-lists.ts";
import { flag, fraction, list, metadata, orUnset, required, text, whole } from "./parameters.ts";
import { type Route, route } from "./route.ts";

const product = { name: text, active: flag, description: orUnset(text), metadata, unit_label: text };

const recurring = z.strictObject({
  interval: z.enum(["day", "week", "month", "year"]),
  interval_count: whole.default(1),
  usage_type: z.enum(["licensed", "metered"]).default("licensed"),
  meter: text.optional(),
});

const tier = z.strictObject({
  up_to: z.union([z.literal("inf").transform(() => null), whole]),
  unit_amount: whole.optional(),
  unit_amount_decimal: fraction.optional(),
});

const changeablePrice = {
  active: flag,
  nickname: orUnset(text),
  metadata,
  lookup_key: text,
  transfer_lookup_key: flag,
};

/** Products and prices. */
export function catalogRoutes(account: Account): Route[] {
  const { products, prices } = account.books;

  function createProduct(given: Partial<Stripe.ProductCreateParams>): Stripe.Product {
    const id = given.id ?? newId("prod");
    if (products[id]) throw invalid(`Product already exists: ${id}`, "id", "resource_already_exists");
    const made: Stripe.Product = {
      id,
      object: "product",
      active: given.active ?? true,
      created: account.now(),
      description: given.description ?? null,
      images: [],
      livemode: false,
      marketing_features: [],
      metadata: (given.metadata ?? {}) as Stripe.Metadata,
      name: required(given.name, "name"),
      package_dimensions: null,
      shippable: null,
      tax_details: null,
      type: "service",
      unit_label: given.unit_label ?? null,
      updated: account.now(),
      url: null,
    };
    products[id] = made;
    account.emit("product.created", made);
    return made;
  }

  /** A key leads to one price: it is taken from another only when that is asked for. */
  function takeLookupKey(key: string | undefined, transfer: boolean | undefined): void {
    const holder = Object.values(prices).find(({ lookup_key }) => key && lookup_key === key);
    if (!holder) return;
    if (!transfer) throw invalid(`A price (\`${holder.id}\`) already uses that lookup key.`, "lookup_key");
    holder.lookup_key = null;
  }

  /** Usage is counted by a meter, and by nothing else. */
  function refuseWithoutMeter(recurring: { usage_type: string; meter?: string | undefined } | undefined) {
    if (recurring?.usage_type !== "metered") return;
    const meter = find(account.books.meters, "billing meter", required(recurring.meter, "recurring[meter]"));
    if (meter.status !== "active") throw invalid("The meter is not active.", "recurring[meter]");
  }

  return [
    route("POST", "/products", { ...product, id: text }, (given) =>
      createProduct(given as Partial<Stripe.ProductCreateParams>),
    ),
    route("GET", "/products", { ...paging, active: flag, ids: list(text), ...created }, (given) =>
      page(
        newestFirst(products).filter(
          (one) =>
            (given.active === undefined || one.active === given.active) &&
            (!given.ids || given.ids.includes(one.id)) &&
            within(one.created, given.created),
        ),
        "/v1/products",
        given,
      ),
    ),
    route("GET", "/products/:id", {}, (_given, id) => find(products, "product", id)),
    route("POST", "/products/:id", product, (given, id) => {
      const changed = find(products, "product", id);
      Object.assign(changed, given, {
        metadata: { ...changed.metadata, ...given.metadata },
        updated: account.now(),
      });
      account.emit("product.updated", changed);
      return changed;
    }),
    route(
      "POST",
      "/prices",
      {
        ...changeablePrice,
        product: text,
        currency: text,
        unit_amount: whole,
        unit_amount_decimal: fraction,
        billing_scheme: z.enum(["per_unit", "tiered"]),
        tiers: list(tier),
        tiers_mode: z.literal("graduated"),
        recurring,
      },
      (given) => {
        const of = find(products, "product", required(given.product, "product"), "product").id;
        const tiers = given.billing_scheme === "tiered" ? required(given.tiers, "tiers") : undefined;
        const amount = tiers
          ? null
          : required(given.unit_amount_decimal ?? given.unit_amount?.toString(), "unit_amount");
        refuseWithoutMeter(given.recurring);
        takeLookupKey(given.lookup_key, given.transfer_lookup_key);
        const made: Stripe.Price = {
          id: newId("price"),
          object: "price",
          active: given.active ?? true,
          billing_scheme: given.billing_scheme ?? "per_unit",
          created: account.now(),
          currency: required(given.currency, "currency").toLowerCase(),
          custom_unit_amount: null,
          livemode: false,
          lookup_key: given.lookup_key ?? null,
          metadata: given.metadata ?? {},
          nickname: given.nickname ?? null,
          product: of,
          recurring: given.recurring
            ? { ...given.recurring, meter: given.recurring.meter ?? null, trial_period_days: null }
            : null,
          tax_behavior: "unspecified",
          ...(tiers && { tiers: tiers.map(tierOf) }),
          tiers_mode: tiers ? required(given.tiers_mode, "tiers_mode") : null,
          transform_quantity: null,
          type: given.recurring ? "recurring" : "one_time",
          unit_amount: wholeAmount(amount),
          unit_amount_decimal: amount === null ? null : decimal(amount),
        };
        prices[made.id] = made;
        account.emit("price.created", made);
        return made;
      },
    ),
    route(
      "GET",
      "/prices",
      {
        ...paging,
        ...created,
        active: flag,
        currency: text,
        product: text,
        lookup_keys: list(text),
        type: z.enum(["recurring", "one_time"]),
      },
      (given) =>
        page(
          newestFirst(prices).filter(
            (one) =>
              (given.active === undefined || one.active === given.active) &&
              (!given.currency || one.currency === given.currency) &&
              (!given.product || one.product === given.product) &&
              (!given.type || one.type === given.type) &&
              (!given.lookup_keys || given.lookup_keys.includes(one.lookup_key ?? "")) &&
              within(one.created, given.created),
          ),
          "/v1/prices",
          given,
        ),
    ),
    route("GET", "/prices/:id", {}, (_given, id) => find(prices, "price", id)),
    route("POST", "/prices/:id", changeablePrice, ({ transfer_lookup_key, ...given }, id) => {
      const changed = find(prices, "price", id);
      if (given.lookup_key !== changed.lookup_key) takeLookupKey(given.lookup_key, transfer_lookup_key);
      Object.assign(changed, given, { metadata: { ...changed.metadata, ...given.metadata } });
      account.emit("price.updated", changed);
      return changed;
    }),
  ];
}

const wholeAmount = (amount: string | null) =>
  amount === null || amount.includes(".") ? null : Number(amount);

function tierOf({ up_to, unit_amount, unit_amount_decimal }: z.output<typeof tier>): Stripe.Price.Tier {
  const amount = unit_amount_decimal ?? String(unit_amount ?? 0);
  return {
    flat_amount: null,
    flat_amount_decimal: null,
    unit_amount: wholeAmount(amount),
    unit_amount_decimal: decimal(amount),
    up_to,
  };
}
